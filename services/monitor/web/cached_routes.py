"""Routes whose finished responses are kept until something changes them."""

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute

from services.monitor.queries.monitors import find_monitor
from services.monitor.web.protection.tokens import Requires
from services.monitor.web.response_cache import ResponseCache
from services.monitor.web.statuses import may_answer, nested

__all__ = ["CachedRoute", "cached"]

_Handler = TypeVar("_Handler", bound=Callable[..., Any])

_MARK = "__cosmo_cached__"
_STACKS = ("fastapi_inner_astack", "fastapi_function_astack")
"""Where FastAPI keeps what ends with a request."""


@dataclass(frozen=True)
class _Rule:
    monitor: str | None
    ages: bool


def cached(*, monitor: str | None = None, ages: bool = False) -> Callable[[_Handler], _Handler]:
    """Keep the responses of a handler, on a router whose routes are `CachedRoute`.

    While nothing has changed, the handler is not called, nor are its dependencies.

    Parameters
    ----------
    monitor
        Parameter of the path that names the only monitor that the responses are about; None for
        all.
    ages
        Whether they say how fresh data are, so that they change every minute.
    """

    def mark(handler: _Handler) -> _Handler:
        setattr(handler, _MARK, _Rule(monitor, ages))
        return may_answer(304)(handler)

    return mark


class CachedRoute(APIRoute):
    """Route that keeps its responses where its handler is marked as `cached`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap what makes the response."""
        handler = super().get_route_handler()
        rule: _Rule | None = getattr(self.endpoint, _MARK, None)
        if rule is None:
            return handler
        if any(isinstance(part.call, Requires) for part in nested(self.dependant)):
            raise TypeError(f"{self.path}: responses that need a token must not be kept")

        async def respond(request: Request) -> Response:
            cache: ResponseCache = request.app.state.context.responses
            name = find_monitor(request.path_params[rule.monitor]).name if rule.monitor else None
            return await cache.respond(request, finish, monitor=name, ages=rule.ages)

        async def finish(request: Request) -> Response:
            # In the task that makes it for all who wait: with dependencies of its own, which end
            # with it, not with the request that happened to come first.
            async with AsyncExitStack() as stack:
                stacks = dict.fromkeys(_STACKS, stack)
                return await handler(Request({**request.scope, **stacks}, request.receive))

        return respond
