"""Notifications of Postgres that follow a commit instead of being part of it.

A transaction that notifies takes a lock of the whole server when it begins to commit, and holds it
until the commit is on disk (``PreCommit_Notify`` in PostgreSQL's ``async.c``): no two such commits
share a write. A notification by itself writes nothing.
"""

import asyncio
import contextlib

from sqlalchemy import event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, SessionTransaction

__all__ = ["AfterCommit", "notify_after_commit"]

_SENDER, _CHANNELS = "after commit", "channels"
_NOTIFY = text("SELECT pg_notify(:channel, '')")
_FINISH_SECONDS = 2.0
_GATHER_SECONDS = 0.02
"""Pause after a notification in which further commits gather: each takes a millisecond of CPU."""


class AfterCommit:
    """Sends notifications when sessions have committed, without keeping the sessions waiting.

    While one is on its way, any number of further commits cause one more. One may be lost with
    the process: who listens looks now and then as well.

    Parameters
    ----------
    engine
        Engine of which every statement is a transaction, through which they are sent.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._wanted: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def sessions(self, engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
        """Return a maker of sessions of an engine that notify."""
        return async_sessionmaker(
            engine,
            expire_on_commit=False,
            sync_session_class=_NotifyingSession,
            info={_SENDER: self},
        )

    def send(self, channels: set[str]) -> None:
        """Notify channels soon."""
        self._wanted |= channels
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._wanted:
            channels, self._wanted = sorted(self._wanted), set()
            with contextlib.suppress(SQLAlchemyError, OSError):
                async with self._engine.connect() as connection:
                    for channel in channels:
                        await connection.execute(_NOTIFY, {"channel": channel})
            await asyncio.sleep(_GATHER_SECONDS)

    async def finish(self) -> None:
        """Wait a moment for what is on its way."""
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._task, _FINISH_SECONDS)


class _NotifyingSession(Session):
    """Session whose transactions may notify when they are over."""


@event.listens_for(_NotifyingSession, "after_transaction_end")
def _after_end(session: Session, transaction: SessionTransaction) -> None:
    """Send what a transaction asked for; after a rollback it does no harm."""
    if transaction.parent is None and (channels := session.info.pop(_CHANNELS, None)):
        session.info[_SENDER].send(channels)


def notify_after_commit(session: AsyncSession, channel: str) -> None:
    """Notify a channel when the transaction of a session is over.

    Parameters
    ----------
    session
        Session of a `Database`.
    channel
        Name of the channel.
    """
    session.sync_session.info.setdefault(_CHANNELS, set()).add(channel)
