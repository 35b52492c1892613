"""Routes that keep their responses: what they call, and what they refuse."""

from collections.abc import AsyncIterator
from typing import Annotated, cast

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response

from services.monitor.web.cached_routes import CachedRoute, cached
from services.monitor.web.dependencies import Operator
from services.monitor.web.event_feed import EventFeed
from services.monitor.web.response_cache import ResponseCache
from shared.database.engine import Database


class _Cache(ResponseCache):
    """Cache of a system in which nothing ever changes."""

    async def _version(self, monitor: str | None, *, ages: bool) -> str:  # noqa: ARG002
        return "1"


class _Parts:
    responses = _Cache(cast(Database, None), cast(EventFeed, None))


def _app(calls: list[str]) -> FastAPI:
    router = APIRouter(route_class=CachedRoute)

    async def resource() -> AsyncIterator[str]:
        calls.append("opened")
        yield "resource"
        calls.append("closed")

    @router.get("/kept")
    @cached()
    async def kept(
        response: Response, held: Annotated[str, Depends(resource, scope="function")]
    ) -> dict[str, str]:
        calls.append("called")
        response.headers["Link"] = "<next>"
        return {"held": held}

    @router.get("/plain")
    async def plain(request: Request) -> dict[str, str]:
        calls.append("called")
        return {}

    app = FastAPI()
    app.include_router(router)
    app.state.context = _Parts
    return app


async def test_a_hit_calls_neither_the_handler_nor_its_dependencies() -> None:
    calls: list[str] = []
    transport = httpx.ASGITransport(app=_app(calls))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as web:
        answers = [await web.get("/kept") for _ in range(3)]
        etag = answers[0].headers["etag"]
        known = await web.get("/kept", headers={"If-None-Match": etag})
        assert calls == ["opened", "called", "closed"]
        assert {(answer.text, answer.headers["link"]) for answer in answers} == {
            ('{"held":"resource"}', "<next>")
        }
        assert (known.status_code, known.content) == (304, b"")
        for _ in range(2):
            assert "etag" not in (await web.get("/plain")).headers
    assert calls[3:] == ["called", "called"]


def test_what_needs_a_token_is_not_kept() -> None:
    router = APIRouter(route_class=CachedRoute)

    @cached()
    async def secret(by: Operator) -> dict[str, str]:
        return {}

    with pytest.raises(TypeError, match="token"):
        router.get("/secret")(secret)
