"""The end of tasks that run in the background."""

import asyncio
from typing import Any, Final

__all__ = ["end_task"]

_AGAIN_SECONDS: Final = 2.0
"""For what a task does at its end, such as to close a connection."""


async def end_task(task: "asyncio.Future[Any]") -> None:
    """Cancel a task until it has ended.

    Once may not be enough: a statement that is cancelled while its connection breaks may raise what
    broke the connection, and a task that goes on after such errors does so then, too.

    Parameters
    ----------
    task
        The task; what it raised is raised here, unless that is its cancellation.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_AGAIN_SECONDS)
    if not task.cancelled():
        task.result()
