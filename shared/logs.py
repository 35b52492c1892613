"""JSON logs that carry dataset, job, run and trace."""

import contextlib
import io
import logging
import os
import sys
import threading
import traceback
import uuid
from types import TracebackType
from typing import TextIO, cast

import structlog

from shared.masking import mask_passwords

__all__ = ["configure_logging", "current_trace", "get_logger", "print_plainly"]

_STDERR = 2
"""Descriptor of standard error."""


class _Output(io.TextIOBase):
    """Standard error, whose trouble (a full disk, a reader that is gone) must not become that of
    who writes a line.
    """

    def write(self, text: str) -> int:
        left = text.encode(errors="backslashreplace")
        with contextlib.suppress(OSError):
            while left:  # a line at once, between those of other processes
                left = left[os.write(_STDERR, left) :]
        return len(text)


class _Printed(io.TextIOBase):
    """What is printed, by whatever library: a line of the log for each line.

    Parameters
    ----------
    name
        Name of the stream.
    descriptor
        Descriptor of the stream, for those who ask for it.
    """

    encoding = "utf-8"

    def __init__(self, name: str, descriptor: int) -> None:
        self._name, self._descriptor = name, descriptor
        self._begun = threading.local()

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun.text = (getattr(self._begun, "text", "") + text).split("\n")
        for line in filter(None, map(str.rstrip, lines)):
            get_logger().warning(line, logger=self._name)
        return len(text)


def configure_logging(service: str, level: str = "INFO") -> None:
    """Let this process write JSON objects, one a line, to standard error, and nothing else.

    So are lines of libraries, warnings, exceptions that nobody handles, and what is printed.

    Parameters
    ----------
    service
        Name that every line carries.
    level
        Lowest level that is written.
    """

    def name_service(
        _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        return {"service": service, **event}

    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
    ]
    after: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,
        _mask,
        structlog.processors.JSONRenderer(),
    ]
    output = cast("TextIO", _Output())
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(output),
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable
    sys.stdout, sys.stderr = _Printed("stdout", 1), _Printed("stderr", _STDERR)


def print_plainly() -> None:
    """Undo `configure_logging`, for a process whose output is no log of the service any more."""
    logging.captureWarnings(False)
    logging.getLogger().handlers.clear()
    sys.excepthook, threading.excepthook = sys.__excepthook__, threading.__excepthook__
    sys.unraisablehook = sys.__unraisablehook__
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    get_logger().critical("uncaught exception", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None and not isinstance(arguments.exc_value, SystemExit):
        name = arguments.thread.name if arguments.thread is not None else None
        get_logger().critical(
            "uncaught exception",
            thread=name,
            exc_info=(arguments.exc_type, arguments.exc_value, arguments.exc_traceback),
        )


def _log_unraisable(arguments: "sys.UnraisableHookArgs") -> None:
    found = arguments.exc_value
    get_logger().error(
        arguments.err_msg or "exception ignored",
        object=repr(arguments.object),
        exception="".join(traceback.format_exception(found)) if found is not None else None,
    )


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
