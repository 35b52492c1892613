"""MAST's downloads by URI, its paths in the cloud, and who a token belongs to."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.archive.catalogue import Catalogue
from simulator.archive.files import PRODUCT, file_reply, refusal, token_of
from simulator.archive.s3 import key_of

__all__ = ["MastFiles"]


class MastFiles:
    """The interface.

    Parameters
    ----------
    catalogue
        What it serves.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.routes = [
            Route("/api/v0.1/Download/file", self._download),
            Route("/api/v0.1/path_lookup/", self._look_up),
            Route("/whoami", self._who),
        ]

    async def _download(self, request: Request) -> Response:
        uri = request.query_params.get("uri", "")
        file = await run_in_threadpool(self._catalogue.file, uri.removeprefix(PRODUCT))
        if file is None or not uri.startswith(PRODUCT):
            return JSONResponse({"detail": f"{uri} was not found"}, 404)
        return refusal(self._catalogue, request, file) or file_reply(file.path, file.name)

    async def _look_up(self, request: Request) -> Response:
        uris = request.query_params.getlist("uri")
        return JSONResponse(await run_in_threadpool(self._paths, uris))

    def _paths(self, uris: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for uri in uris:
            file = self._catalogue.file(uri.removeprefix(PRODUCT))
            known = file is not None and uri.startswith(PRODUCT)
            found[uri] = {
                "status_code": 200 if known else 404,
                "path": f"/{key_of(file.name)}" if file and known else None,
            }
        return found

    async def _who(self, request: Request) -> Response:
        token = self._catalogue.description.token(token_of(request))
        if token is None:
            return JSONResponse({"anon": True, "attrib": {}})
        return JSONResponse({"anon": False, "attrib": {"display_name": token.name}})
