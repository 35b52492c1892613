"""Audit of the calls that change state: each is recorded before it is answered."""

from fastapi import Request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.types import Scope

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.logs import get_logger

__all__ = ["name_subject", "record"]

_MOST_TEXT = 500
_SUBJECT = "cosmo.subject"


def name_subject(request: Request, subject: str) -> None:
    """Say what a request is about where its address does not."""
    request.scope[_SUBJECT] = _storable(subject)


def _storable(text: str) -> str:
    """Text that Postgres takes, and not too long."""
    return text.replace("\0", "")[:_MOST_TEXT]


async def record(database: Database, token: str, scope: Scope, status: int) -> None:
    """Record a call; where the database is away, the log has it instead.

    Parameters
    ----------
    database
        Database.
    token
        Name of the token that it was sent with.
    scope
        The request.
    status
        Status of the answer.
    """
    query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
    entry = {
        "token": token,
        "method": scope["method"],
        "path": _storable(f"{scope['path']}{query}"),
        "subject": scope.get(_SUBJECT),
        "status": status,
    }
    try:
        async with database.transaction() as session:
            session.add(AuditEntry(**entry))
    except (DBAPIError, PoolTimeoutError, OSError) as error:
        get_logger().error("not in the audit", **entry, error=str(error))
