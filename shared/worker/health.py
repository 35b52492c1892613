"""Health and metrics of a worker over HTTP, and the probe that a container runs."""

import json
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

__all__ = ["main", "serve_health"]


class _Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Leave access lines out of the log."""


def serve_health(port: int, fault: Callable[[], str | None]) -> None:
    """Answer ``/health/live``, ``/health/ready`` and ``/metrics`` from threads.

    Parameters
    ----------
    port
        TCP port; 0 serves nothing.
    fault
        Says why the worker cannot take jobs; None where it can.
    """
    if port == 0:
        return
    metrics = make_wsgi_app()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        known = path in ("/health/live", "/health/ready")
        reason = fault() if path == "/health/ready" else None if known else f"there is no {path}"
        status = (
            "200 OK" if reason is None else "503 Service Unavailable" if known else "404 Not Found"
        )
        start_response(status, [("Content-Type", "application/json")])
        return [
            json.dumps(
                {"status": "ok"} if reason is None else {"status": "unavailable", "reason": reason}
            ).encode()
        ]

    # Several threads: a probe that waits for Postgres must not make the process look dead.
    server = make_server(
        "0.0.0.0",  # noqa: S104 - a container's port
        port,
        application,
        server_class=_Threaded,
        handler_class=_Quiet,
    )
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
