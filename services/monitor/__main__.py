"""The web process of the monitor service."""

import asyncio
import socket
import sys
from types import FrameType

import uvicorn

from services.monitor.web.app import create_app
from services.monitor.web.dependencies import Context
from services.monitor.web.protection.connections import Connection, sweep
from shared.errors import CosmoError
from shared.logs import get_logger
from shared.service import start_service

__all__ = ["main"]

_GRACE_SECONDS = 5
_TICKS = 10
"""Ticks of the server in a second."""
_SWITCH_SECONDS = 0.0005
"""After which the answering thread lets others go on, such as those that read files: by default
each of their steps waits ten times as long for it."""


class _Server(uvicorn.Server):
    """Looks after the connections, and ends the event streams on a signal, which else would take
    all of its grace.
    """

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS == 0:
            sweep(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        context: Context = self.config.app.state.context  # type: ignore[union-attr]
        context.notices.close_soon()
        super().handle_exit(sig, frame)


def main() -> None:
    """Serve until asked to stop, then finish what is being answered."""
    settings = start_service("monitor")
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        app = create_app(settings)
    except CosmoError as error:
        get_logger().error("the service ends", error=str(error))
        raise SystemExit(1) from error
    config = uvicorn.Config(
        app,
        host=settings.api.host,
        port=settings.api.port,
        log_config=None,
        http=Connection,
        ws="none",
        access_log=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    descriptor = settings.api.descriptor
    _Server(config).run(None if descriptor is None else [socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main()
