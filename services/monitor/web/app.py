"""The application: routers, errors, pages."""

import asyncio
import functools
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from services.monitor.web import error_responses as errors
from services.monitor.web.api import routers, status
from services.monitor.web.artifact_responses import Artifacts
from services.monitor.web.dependencies import Context
from services.monitor.web.event_feed import EventFeed
from services.monitor.web.pages import archive as archive_page
from services.monitor.web.pages import comparisons as comparison_pages
from services.monitor.web.pages import handlers as pages
from services.monitor.web.pages import recalibrations
from services.monitor.web.process_state import ProcessState
from services.monitor.web.protection.bodies import document_limits
from services.monitor.web.protection.declarations import RequiredScopes, refuse_unknown_parameters
from services.monitor.web.protection.guard import Guard
from services.monitor.web.request_metrics import RequestMetrics
from services.monitor.web.response_cache import ResponseCache
from services.monitor.web.statuses import document_statuses
from services.monitor.web.tracing import Tracing
from shared.database.engine import DATABASE_ERRORS, Database
from shared.database.start import wait_until_usable
from shared.errors import PermanentError, TransientError
from shared.logs import get_logger
from shared.settings import Settings
from shared.store import Store
from shared.tasks import end_task

__all__ = ["create_app"]

_UPLOADS = frozenset({"/api/v1/references"})
_STATIC = Path(__file__).parent / "pages" / "static"
_PLOTLY = Path(str(resources.files("plotly"))) / "package_data" / "plotly.min.js"


async def _describe(request: Request) -> JSONResponse:
    return JSONResponse(request.app.openapi())


async def _icon() -> FileResponse:
    """Answer browsers that look for an icon where none is named."""
    return FileResponse(_STATIC / "icon.svg", media_type="image/svg+xml")


async def _plotly_script() -> FileResponse:
    """Library that draws the monitors' figures, as its package has it."""
    return FileResponse(
        _PLOTLY, media_type="text/javascript", headers={"Cache-Control": "max-age=86400"}
    )


@asynccontextmanager
async def _checks(context: Context) -> AsyncIterator[None]:
    """Let the process end where the database or the store cannot work as they are set.

    What is only away is waited for, and requests are answered so meanwhile.
    """

    async def check(usable: Coroutine[None, None, None]) -> None:
        try:
            await usable
        except TransientError as error:
            get_logger().warning("the store is away", error=str(error))
        except (PermanentError, *DATABASE_ERRORS) as error:
            get_logger().error("the service ends", error=str(error))
            context.process.failed = True

    tasks = [
        asyncio.create_task(check(usable))
        for usable in (
            wait_until_usable(context.database),
            asyncio.to_thread(context.store.require, writing=False),
        )
    ]
    try:
        yield
    finally:
        for task in tasks:
            await end_task(task)


@functools.cache
def _routes() -> list[BaseRoute]:
    """Routes of the API and of the pages: made once, since every application has the same."""
    root = APIRouter(dependencies=[Depends(refuse_unknown_parameters)])
    api = APIRouter(prefix="/api/v1")
    for router in routers():
        api.include_router(router)
    root.include_router(api)
    root.add_api_route("/api/v1/openapi.json", _describe, include_in_schema=False)
    for path in ("/metrics", "/api/v1/metrics"):
        root.add_api_route(path, status.refuse_metrics, include_in_schema=False)
    for page in (pages, archive_page, recalibrations, comparison_pages):
        root.include_router(page.router)
    root.add_api_route("/static/plotly.min.js", _plotly_script, include_in_schema=False)
    # Asked for beside what is no page of ours: pictures and JSON.
    root.add_api_route("/favicon.ico", _icon, include_in_schema=False)
    return root.routes


class _Application(FastAPI):
    """The application, with the guard outside of everything else, so that every answer passes
    it.
    """

    def build_middleware_stack(self) -> ASGIApp:
        context: Context = self.state.context
        inner = super().build_middleware_stack()
        return Guard(
            inner,
            context.settings.api,
            context.database,
            RequiredScopes(self.routes),
            _UPLOADS,
            RequestMetrics(self.routes),
        )

    def openapi(self) -> dict[str, Any]:
        """Describe the API, with every status that an operation may answer and every limit."""
        known, schema = self.openapi_schema, super().openapi()
        if known is None:
            document_statuses(schema, self.routes)
            document_limits(schema)
        return schema


def create_app(settings: Settings) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    settings
        Settings in force.
    """
    database = Database(
        settings.database_url,
        direct_url=settings.database_direct_url,
        statement_timeout=settings.api.statement_timeout,
        pool_size=10,
        max_overflow=10,
    )
    store, notices, process = Store(settings.store_url), EventFeed(database), ProcessState()
    context = Context(
        settings,
        database,
        store,
        notices,
        ResponseCache(database, notices),
        Artifacts(store),
        process,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        beating = asyncio.create_task(process.heartbeat.keep_beating())
        try:
            async with _checks(context), notices.listening():
                yield
        finally:
            beating.cancel()
            await database.dispose()

    app = _Application(
        title="COSMO",
        description="Data repository and monitoring system for the Cosmic Origins Spectrograph.",
        version="1",
        openapi_url=None,  # a route like the others
        lifespan=lifespan,
    )
    app.state.context = context
    errors.install(app)
    app.add_middleware(Tracing)
    app.router.routes.extend(_routes())
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    return app
