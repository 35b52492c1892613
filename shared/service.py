"""Start of a service's process: its logs and its settings."""

from pydantic import ValidationError

from shared.errors import CosmoError
from shared.logs import configure_logging, get_logger
from shared.settings import Settings, described, get_settings

__all__ = ["start_service"]


def start_service(name: str) -> Settings:
    """Let this process log as a service, and return the settings in force.

    The process ends with a line of the log where one is wrong.

    Parameters
    ----------
    name
        Name of the service.
    """
    configure_logging(name)
    try:
        settings = get_settings()
    except (ValidationError, CosmoError) as error:
        wrong = described(error) if isinstance(error, ValidationError) else str(error)
        get_logger().error("invalid setting", error=wrong)
        raise SystemExit(1) from error
    configure_logging(name, settings.log_level)
    return settings
