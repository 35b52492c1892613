"""Health and metrics of a worker over HTTP, and the probe that a container runs."""

import json
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app

__all__ = ["main", "serve_health"]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Leave access lines out of the log."""


def serve_health(port: int, ready: Callable[[], bool]) -> None:
    """Answer ``/health/live``, ``/health/ready`` and ``/metrics`` from a thread.

    Parameters
    ----------
    port
        TCP port; 0 serves nothing.
    ready
        Whether the worker can take jobs.
    """
    if port == 0:
        return
    metrics = make_wsgi_app()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        good = path == "/health/live" or (path == "/health/ready" and ready())
        known = path in ("/health/live", "/health/ready")
        status = "200 OK" if good else "503 Service Unavailable" if known else "404 Not Found"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps({"status": "ok" if good else "unavailable"}).encode()]

    server = make_server("0.0.0.0", port, application, handler_class=_Quiet)  # noqa: S104 - a container's port
    threading.Thread(target=server.serve_forever, daemon=True, name="health").start()


def main() -> int:
    """Probe the URL given as the first argument; the exit status tells."""
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=5) as answer:  # noqa: S310 - a loopback URL
            return 0 if answer.status == 200 else 1
    except (OSError, IndexError):
        return 1


if __name__ == "__main__":
    sys.exit(main())
