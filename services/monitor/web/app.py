"""The application: routers, errors, pages."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DBAPIError
from starlette.types import ASGIApp

from services.monitor.web import error_responses as errors
from services.monitor.web.api import routers, status
from services.monitor.web.artifact_responses import Artifacts
from services.monitor.web.dependencies import Context
from services.monitor.web.event_feed import EventFeed
from services.monitor.web.pages import comparisons as comparison_pages
from services.monitor.web.pages import handlers as pages
from services.monitor.web.pages import recalibrations
from services.monitor.web.process_state import ProcessState
from services.monitor.web.protection.bodies import document_limits
from services.monitor.web.protection.declarations import RequiredScopes, refuse_unknown_parameters
from services.monitor.web.protection.guard import Guard
from services.monitor.web.response_cache import ResponseCache
from services.monitor.web.statuses import document_statuses
from services.monitor.web.tracing import Tracing
from shared.database.engine import Database, is_outage
from shared.database.start import require_usable, wait_until_usable
from shared.errors import CosmoError, PermanentError, TransientError
from shared.logs import get_logger
from shared.settings import Settings
from shared.store import Store

__all__ = ["create_app"]

_UPLOADS = frozenset({"/api/v1/references"})
_STATIC = Path(__file__).parent / "pages" / "static"
_PLOTLY = Path(str(resources.files("plotly"))) / "package_data" / "plotly.min.js"


async def _icon() -> FileResponse:
    """Answer browsers that look for an icon where none is named."""
    return FileResponse(_STATIC / "icon.svg", media_type="image/svg+xml")


async def _plotly_script() -> FileResponse:
    """Library that draws the monitors' figures, as its package has it."""
    return FileResponse(
        _PLOTLY, media_type="text/javascript", headers={"Cache-Control": "max-age=86400"}
    )


@asynccontextmanager
async def _schema_watch(database: Database) -> AsyncIterator[None]:
    """Refuse an outdated schema and a wrong pooler.

    Where Postgres is down, answer that meanwhile, and look when it is back.

    Raises
    ------
    PermanentError
        If this code cannot use the database.
    """
    watch: asyncio.Task[None] | None = None
    try:
        await require_usable(database)
    except (DBAPIError, OSError) as error:
        if not is_outage(error):
            raise
        watch = asyncio.create_task(_refuse_late(database))
    try:
        yield
    finally:
        if watch is not None:
            watch.cancel()


async def _refuse_late(database: Database) -> None:
    """Stop the process when a Postgres that was down comes back and cannot be used."""
    try:
        await wait_until_usable(database)
    except (CosmoError, DBAPIError) as error:
        get_logger().error("stopping", error=str(error))
        signal.raise_signal(signal.SIGTERM)


@asynccontextmanager
async def _store_check(store: Store) -> AsyncIterator[None]:
    """Stop the process where the store cannot work as it is set; one that is away is waited for."""

    async def check() -> None:
        try:
            await asyncio.to_thread(store.require)
        except TransientError as error:
            get_logger().warning("the store is away", error=str(error))
        except PermanentError as error:
            get_logger().error("stopping", error=str(error))
            signal.raise_signal(signal.SIGTERM)

    task = asyncio.create_task(check())
    try:
        yield
    finally:
        task.cancel()


class _Application(FastAPI):
    """The application, with the guard outside of everything else, so that every answer passes
    it.
    """

    def build_middleware_stack(self) -> ASGIApp:
        context: Context = self.state.context
        inner = super().build_middleware_stack()
        return Guard(
            inner, context.settings.api, context.database, RequiredScopes(self.routes), _UPLOADS
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

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        beating = asyncio.create_task(process.heartbeat.keep_beating())
        try:
            async with _schema_watch(database), _store_check(store), notices.listening():
                yield
        finally:
            beating.cancel()
            await database.dispose()

    app = _Application(
        title="COSMO",
        description="Data repository and monitoring system for the Cosmic Origins Spectrograph.",
        version="1",
        openapi_url=None,  # a route like the others: below
        dependencies=[Depends(refuse_unknown_parameters)],
        lifespan=lifespan,
    )
    app.state.context = Context(
        settings,
        database,
        store,
        notices,
        ResponseCache(database, notices),
        Artifacts(store),
        process,
    )
    errors.install(app)
    app.add_middleware(Tracing)
    api = APIRouter(prefix="/api/v1")
    for router in routers():
        api.include_router(router)
    app.include_router(api)

    async def describe() -> JSONResponse:
        return JSONResponse(app.openapi())

    app.add_api_route("/api/v1/openapi.json", describe, include_in_schema=False)
    app.add_api_route("/metrics", status.metrics, include_in_schema=False)
    app.include_router(pages.router)
    app.include_router(recalibrations.router)
    app.include_router(comparison_pages.router)
    app.add_api_route("/static/plotly.min.js", _plotly_script, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    # Asked for beside what is no page of ours: pictures and JSON.
    app.add_api_route("/favicon.ico", _icon, include_in_schema=False)
    return app
