"""The web process of the monitor service."""

import asyncio
import signal
import socket
import sys
import time
from types import FrameType

import uvicorn

from services.monitor.web.app import create_app
from services.monitor.web.dependencies import Context
from services.monitor.web.process_state import DRAINING, STARTING
from services.monitor.web.protection.connections import Connection, sweep
from shared.errors import CosmoError
from shared.logs import get_logger
from shared.service import start_service
from shared.worker.exports import export_process
from shared.worker.health import serve_health
from shared.worker.readiness import READY

__all__ = ["main"]

_GRACE_SECONDS = 20
"""In which requests that are being answered are finished."""
_TICKS = 10
"""Ticks of the server in a second."""
_SWITCH_SECONDS = 0.0005
"""After which the answering thread lets others go on, such as those that read files: by default
each of their steps waits ten times as long for it."""


class _Server(uvicorn.Server):
    """Looks after the connections, and ends in steps.

    After SIGTERM it says that it is not ready, and goes on for a while: whoever distributes the
    requests has to learn that first. Then it listens no more, ends the event streams, which else
    would take all of its grace, and finishes what is being answered.
    """

    def __init__(self, config: uvicorn.Config, context: Context) -> None:
        super().__init__(config)
        self._context = context
        self._closes_at: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._context.process.stage = READY

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS == 0:
            sweep(self.server_state.connections, asyncio.get_running_loop().time())
        if self._closes_at is not None and time.monotonic() >= self._closes_at:
            self._close(signal.SIGTERM)
        ends = await super().on_tick(counter)
        if self._closes_at is not None and counter % _TICKS == 0:
            # The next request of a client is for another replica.
            self.server_state.default_headers.append((b"connection", b"close"))
        return ends or self._context.process.failed

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        wait = self._context.settings.api.drain_seconds if sig == signal.SIGTERM else 0.0
        self._context.process.stage = DRAINING
        if self._closes_at is None and self.started and wait:
            self._closes_at = time.monotonic() + wait
        else:
            self._close(sig, frame)

    def _close(self, sig: int, frame: FrameType | None = None) -> None:
        self._context.notices.close_soon()
        super().handle_exit(sig, frame)


def main() -> None:
    """Serve until asked to stop, then finish what is being answered."""
    settings = start_service("monitor")
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        app = create_app(settings)
        context: Context = app.state.context
        context.process.stage = STARTING
        process = context.process
        export_process("monitor", settings, context.database)
        serve_health(settings.health_port, process.heartbeat.fault, process.unready)
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
    sockets = None if descriptor is None else [socket.socket(fileno=descriptor)]
    _Server(config, context).run(sockets)
    if process.failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
