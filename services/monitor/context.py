"""What handlers are given: the database, the store, and who is asking."""

import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.answers import Answers
from services.monitor.artifacts import Artifacts
from services.monitor.errors import ApiError
from services.monitor.notices import Notices
from shared.database.engine import Database
from shared.settings import Settings
from shared.store import Store

__all__ = ["Authorised", "Context", "CurrentContext", "Session"]


@dataclass(frozen=True)
class Context:
    """Parts of the application that outlive a request."""

    settings: Settings
    database: Database
    store: Store
    notices: Notices
    answers: Answers
    artifacts: Artifacts


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


CurrentContext = Annotated[Context, Depends(_context)]


async def _session(context: CurrentContext) -> AsyncIterator[AsyncSession]:
    async with context.database.session() as session:
        yield session


# Function scope: the connection goes back before the answer is sent, so that slow readers hold none.
Session = Annotated[AsyncSession, Depends(_session, scope="function")]


def _authorise(context: CurrentContext, authorization: Annotated[str, Header()] = "") -> str:
    # An empty token, as an unset variable of a deployment leaves it, must open nothing.
    tokens = {
        name: secret for name, token in context.settings.api.tokens.items() if (secret := token.get_secret_value())
    }
    if not tokens:
        raise ApiError(
            403,
            "no_tokens",
            'changing state needs a token and none is configured; set COSMO_API__TOKENS, e.g. {"operator": "<secret>"}',
        )
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer":
        for name, token in tokens.items():
            if hmac.compare_digest(given.strip().encode(), token.encode()):
                return name
    raise ApiError(
        401,
        "unauthorised",
        "this call changes state: send a known token as `Authorization: Bearer ...`",
        headers={"WWW-Authenticate": "Bearer"},
    )


Authorised = Annotated[str, Depends(_authorise)]
"""Name of the token of a call that changes state."""
