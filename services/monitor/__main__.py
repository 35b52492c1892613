"""The web process of the monitor service."""

import socket
import sys
from types import FrameType

import uvicorn

from services.monitor.app import create_app
from services.monitor.context import Context
from shared.logs import configure_logging
from shared.settings import get_settings

__all__ = ["main"]

_GRACE_SECONDS = 5
_SWITCH_SECONDS = 0.0005
"""After which the answering thread lets others go on, such as those that read files: by default each of their steps
waits ten times as long for it."""


class _Server(uvicorn.Server):
    """Ends the event streams on a signal; else each would hold the process until the grace is over."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        context: Context = self.config.app.state.context  # type: ignore[union-attr]
        context.notices.close_soon()
        super().handle_exit(sig, frame)


def main() -> None:
    """Serve until told to stop, then finish what is being answered."""
    settings = get_settings()
    configure_logging("monitor", settings.log_level)
    sys.setswitchinterval(_SWITCH_SECONDS)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.api.host,
        port=settings.api.port,
        log_level=settings.log_level.lower(),
        access_log=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    descriptor = settings.api.descriptor
    _Server(config).run(None if descriptor is None else [socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main()
