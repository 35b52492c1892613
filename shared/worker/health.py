"""Health and metrics of a process over HTTP, and the probe that a container runs."""

import asyncio
import json
import sys
import threading
import urllib.request
from collections.abc import Callable, Coroutine, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from shared.errors import PermanentError

__all__ = ["Fault", "asked_of", "main", "serve_health"]

Fault = Callable[[], str | None]
"""Says what is wrong; None where nothing is."""

_LOOP_SECONDS = 5.0
"""Longest wait for an answer of the event loop; the probes of containers give up after 5 or 6 s."""


class _Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Leave access lines out of the log."""


def asked_of(
    loop: asyncio.AbstractEventLoop, check: Callable[[], Coroutine[Any, Any, str | None]]
) -> Fault:
    """Return a check of an event loop as other threads may make it.

    Parameters
    ----------
    loop
        Event loop, which may be blocked.
    check
        Check that runs in it.
    """

    def ask() -> str | None:
        asked = asyncio.run_coroutine_threadsafe(check(), loop)
        try:
            return asked.result(_LOOP_SECONDS)
        except TimeoutError:
            asked.cancel()
            return f"the event loop: no answer within {_LOOP_SECONDS:.0f} s"

    return ask


def serve_health(port: int, live: Fault, ready: Fault) -> None:
    """Answer ``/health/live``, ``/health/ready`` and ``/metrics`` from threads.

    Parameters
    ----------
    port
        TCP port; 0 serves nothing.
    live
        Says which part of the process is dead, so that it must be started again.
    ready
        Says why the process cannot take work.

    Raises
    ------
    PermanentError
        If the port is taken.
    """
    if port == 0:
        return
    metrics = make_wsgi_app()
    faults = {"/health/live": live, "/health/ready": ready}

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        reason = faults[path]() if path in faults else f"there is no {path}"
        status = (
            "200 OK"
            if reason is None
            else "503 Service Unavailable"
            if path in faults
            else "404 Not Found"
        )
        start_response(status, [("Content-Type", "application/json")])
        return [
            json.dumps(
                {"status": "ok"} if reason is None else {"status": "unavailable", "reason": reason}
            ).encode()
        ]

    try:
        # Several threads: a probe that waits for Postgres must not make the process look dead.
        server = make_server(
            "0.0.0.0",  # noqa: S104 - a container's port
            port,
            application,
            server_class=_Threaded,
            handler_class=_Quiet,
        )
    except OSError as error:
        raise PermanentError(
            f"cannot listen on COSMO_HEALTH_PORT, {port}: {error}; choose another one"
        ) from error
    threading.Thread(target=server.serve_forever, daemon=True, name="health").start()


def main() -> int:
    """Probe the URL given as the first argument; the exit status gives the answer."""
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=5) as answer:  # noqa: S310 - a loopback URL
            return 0 if answer.status == 200 else 1
    except (OSError, IndexError):
        return 1


if __name__ == "__main__":
    sys.exit(main())
