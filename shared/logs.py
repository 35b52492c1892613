"""JSON logs that carry dataset, job, run and trace."""

import contextlib
import io
import logging
import sys
import uuid
from typing import TextIO, cast

import structlog

from shared.masking import mask_passwords

__all__ = ["configure_logging", "current_trace", "get_logger"]


class _Output(io.TextIOBase):
    """Standard error, whose trouble (a full disk, a reader that is gone) must not become that of
    who writes a line.
    """

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def configure_logging(service: str, level: str = "INFO") -> None:
    """Write one JSON object a line to standard error.

    Parameters
    ----------
    service
        Name that every line carries.
    level
        Lowest level that is written.
    """
    logging.basicConfig(level=level, stream=sys.stderr, format="%(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _mask,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Output())),
    )
    structlog.contextvars.bind_contextvars(service=service)


def _mask(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {
        key: mask_passwords(value) if isinstance(value, str) else value
        for key, value in event.items()
    }


def current_trace() -> str:
    """Return the trace of the work that is being done here (32 hexadecimal digits, as in W3C Trace
    Context).

    Else a new one.
    """
    found = structlog.contextvars.get_contextvars().get("trace")
    return found if isinstance(found, str) else uuid.uuid4().hex


def get_logger() -> structlog.stdlib.BoundLogger:
    """Return the logger of this process."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger()
    return logger
