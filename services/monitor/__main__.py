"""The web process of the monitor service."""

import uvicorn

from services.monitor.app import create_app
from shared.logs import configure_logging
from shared.settings import get_settings

__all__ = ["main"]


def main() -> None:
    """Serve until told to stop."""
    settings = get_settings()
    configure_logging("monitor", settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.api.host,
        port=settings.api.port,
        log_level=settings.log_level.lower(),
        access_log=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
