"""What handlers are given: the database, the store, and who is asking."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.web.artifact_responses import Artifacts
from services.monitor.web.event_feed import EventFeed
from services.monitor.web.process_state import ProcessState
from services.monitor.web.protection.tokens import Requires
from services.monitor.web.response_cache import ResponseCache
from shared.database.engine import Database
from shared.settings import Scope, Settings
from shared.store import Store

__all__ = [
    "Administrator",
    "Context",
    "CurrentContext",
    "Operator",
    "Recalibrator",
    "Session",
    "Subscriber",
]


@dataclass(frozen=True)
class Context:
    """Parts of the application that outlive a request."""

    settings: Settings
    database: Database
    store: Store
    notices: EventFeed
    responses: ResponseCache
    artifacts: Artifacts
    process: ProcessState


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


CurrentContext = Annotated[Context, Depends(_context)]


async def _session(context: CurrentContext) -> AsyncIterator[AsyncSession]:
    async with context.database.session() as session:
        yield session


# Function scope: the connection goes back before the answer is sent, so that slow readers hold
# none.
Session = Annotated[AsyncSession, Depends(_session, scope="function")]


Administrator = Annotated[str, Depends(Requires(Scope.ADMIN))]
Operator = Annotated[str, Depends(Requires(Scope.OPERATE))]
Recalibrator = Annotated[str, Depends(Requires(Scope.RECALIBRATE))]
Subscriber = Annotated[str, Depends(Requires(Scope.SUBSCRIBE))]
"""Name of the token of a call that needs a scope."""
