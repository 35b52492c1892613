"""Server of the Calibration Reference Data System (CRDS): JSON-RPC, rule and reference files."""

import ast
import gzip
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from simulator.archive.files import file_reply

__all__ = ["CrdsServer"]

_OBSERVATORY: Final = "hst"
_NEXT: Final = {
    ".pmap": re.compile(r"'(\w+\.imap)'"),
    ".imap": re.compile(r"'(\w+\.rmap)'"),
    ".rmap": re.compile(r"'(\w+\.fits)'"),
}
"""Names that a file of rules has of the next kind."""
_CONTEXTS: Final = ("operational_context", "latest_context", "edit_context")
_MAPPINGS: Final = ("*.pmap", "*.imap", "*.rmap")
_CHUNK: Final = 1 << 20


class _CrdsError(ValueError):
    """A call that the server answers with an error."""


class CrdsServer:
    """The interface; what is added to the folder is there at once.

    Parameters
    ----------
    folder
        Folder that has rules in ``crds``, as `simulator.mission.make` writes them, and reference
        files, plain or gzipped, in ``references`` or in ``crds``.
    """

    def __init__(self, folder: Path) -> None:
        self._rules = folder / "crds" / "mappings" / _OBSERVATORY
        self._config = folder / "crds" / "config" / _OBSERVATORY / "server_config"
        self._references = (
            folder / "references",
            folder / "crds" / "references" / _OBSERVATORY / "cos",
            folder / "crds" / "references" / _OBSERVATORY,
        )
        self._lock = Lock()
        self._unpacked = TemporaryDirectory(prefix="cosmo-references-")
        self._facts: dict[tuple[Path, int, int], dict[str, Any]] = {}
        self._methods: dict[str, Callable[..., Any]] = {
            "get_server_info": self._server_info,
            "get_file_info_map": self._file_info_map,
            "get_file_info": lambda _context, name: self._file_info_map("", [name])[name],
            "get_mapping_names": self._mapping_names,
            "get_reference_names": self._reference_names,
            "get_context_history": lambda _observatory: self._described("context_history", []),
            "get_default_context": lambda _observatory, _state=None: self._operational(),
            "list_mappings": lambda _observatory, pattern: self._named(pattern, self._mappings()),
            "list_references": lambda _observatory, pattern: self._named(pattern, self._held()),
        }
        self.routes = [
            Route("/json/{method}/{message}/", self._call, methods=["POST"]),
            Route("/unchecked_get/{kind}/hst/{name}", self._file),
        ]

    def close(self) -> None:
        """Remove what was unpacked."""
        self._unpacked.cleanup()

    async def _call(self, request: Request) -> Response:
        identifier: Any = None
        try:
            asked = json.loads(await request.body())
            identifier = asked.get("id")
            result = await run_in_threadpool(
                self._result, str(request.base_url), asked.get("method"), asked.get("params") or []
            )
            return JSONResponse({"error": None, "result": result, "id": identifier})
        except (ValueError, AttributeError) as error:
            message = {"name": "OtherError", "code": 500, "message": str(error)}
            return JSONResponse({"error": message, "result": None, "id": identifier})

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        path = await run_in_threadpool(self._find, request.path_params["kind"], name)
        return file_reply(str(path), name) if path else PlainTextResponse(f"no {name}", 404)

    def _result(self, base: str, method: object, params: list[Any]) -> Any:
        """Answer a call."""
        function = self._methods.get(str(method))
        if function is None:
            raise _CrdsError(f"there is no method {method}")
        try:
            result = function(*params)
        except TypeError as error:
            raise _CrdsError(f"{method} does not take {len(params)} parameters") from error
        return self._addressed(result, base) if method == "get_server_info" else result

    def _server_info(self) -> dict[str, Any]:
        info = self._configuration()
        latest = max((path.name for path in self._rules.glob("*.pmap")), default=None)
        info |= {name: info.get(name) or latest for name in _CONTEXTS}
        info.setdefault("context_history", [])
        info.setdefault("bad_files_list", [])
        info.setdefault("max_headers_per_rpc", 500)
        return info | {
            "observatory": _OBSERVATORY,
            "connected": True,
            "mappings": sorted(self._mappings()),
            "bad_files": " ".join(info["bad_files_list"]),
        }

    def _addressed(self, info: dict[str, Any], base: str) -> dict[str, Any]:
        """Return the description of a server with its own addresses."""
        kinds = {"mapping": "mappings", "reference": "references", "config": "config"}
        urls = {
            f"{name}_url": {_OBSERVATORY: f"{base}unchecked_get/{kind}/{_OBSERVATORY}/"}
            for name, kind in {**kinds, "pickle": "pickles"}.items()
        }
        return {**info, **urls, "server": base.rstrip("/")}

    def _configuration(self) -> dict[str, Any]:
        try:
            found = ast.literal_eval(self._config.read_text())
        except OSError:
            return {}
        except (ValueError, SyntaxError) as error:
            raise _CrdsError(f"{self._config} is no description of a server: {error}") from error
        return dict(found)

    def _described(self, name: str, default: Any) -> Any:
        return self._server_info().get(name, default)

    def _operational(self) -> Any:
        return self._described("operational_context", None)

    def _file_info_map(
        self, _observatory: str, names: list[str] | None = None, fields: Any = None
    ) -> dict[str, Any]:
        """Return size and checksum of files, by default of all."""
        wanted = names if names is not None else [*self._mappings(), *self._held()]
        found = {}
        for name in wanted:
            path = self._find("mappings", name) or self._find("references", name)
            if path is None:
                raise _CrdsError(f"unknown file {name}")
            facts = self._fact(path)
            found[name] = {key: facts[key] for key in fields} if fields else facts
        return found

    def _mapping_names(self, context: str) -> list[str]:
        """Return the rules of a context that are there, itself included."""
        if not (self._rules / Path(context).name).is_file():
            raise _CrdsError(f"unknown context {context}")
        return sorted(self._below(context))

    def _reference_names(self, context: str) -> list[str]:
        """Return the reference files that the rules of a context name."""
        return sorted(
            {
                name
                for rules in self._mapping_names(context)
                if rules.endswith(".rmap")
                for name in self._next(rules)
            }
        )

    def _below(self, name: str) -> Iterator[str]:
        if (self._rules / name).is_file():
            yield name
            if not name.endswith(".rmap"):
                for inner in dict.fromkeys(self._next(name)):
                    yield from self._below(inner)

    def _next(self, name: str) -> list[str]:
        found: list[str] = _NEXT[Path(name).suffix].findall((self._rules / name).read_text())
        return found

    def _mappings(self) -> list[str]:
        return [path.name for pattern in _MAPPINGS for path in self._rules.glob(pattern)]

    def _held(self) -> list[str]:
        return sorted(
            {
                path.name.removesuffix(".gz")
                for folder in self._references
                for pattern in ("*.fits", "*.fits.gz")
                for path in folder.glob(pattern)
            }
        )

    def _named(self, pattern: str, names: list[str]) -> list[str]:
        return sorted(name for name in names if Path(name).match(pattern))

    def _find(self, kind: str, name: str) -> Path | None:
        """Return where a plain file is, unpacked where it is gzipped."""
        if Path(name).name != name:
            return None
        if kind == "mappings":
            path = self._rules / name
            return path if path.suffix in _NEXT and path.is_file() else None
        if kind == "config":
            return self._config if name == self._config.name and self._config.is_file() else None
        for folder in self._references if name.endswith(".fits") else ():
            if (path := folder / name).is_file():
                return path
            if (packed := folder / f"{name}.gz").is_file():
                return self._unpack(packed, name)
        return None

    def _unpack(self, packed: Path, name: str) -> Path:
        """Unpack a file once for each version."""
        version = str(packed.stat().st_mtime_ns)
        path = Path(self._unpacked.name) / version / name
        with self._lock:
            if not path.is_file():
                path.parent.mkdir(exist_ok=True)
                with gzip.open(packed) as source, path.open("wb") as target:
                    shutil.copyfileobj(source, target, _CHUNK)
        return path

    def _fact(self, path: Path) -> Mapping[str, Any]:
        status = path.stat()
        key = (path, status.st_size, status.st_mtime_ns)
        if key not in self._facts:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, _sha1).hexdigest()
            self._facts[key] = {"size": str(status.st_size), "sha1sum": digest}
        return self._facts[key]


def _sha1() -> "hashlib._Hash":
    return hashlib.sha1(usedforsecurity=False)
