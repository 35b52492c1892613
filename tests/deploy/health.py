"""The health server of the services, as probes ask it."""

import urllib.error
import urllib.request
from functools import cache

from shared.worker.health import serve_health
from tests.prometheus import free_port

__all__ = ["answers"]


@cache
def _port() -> int:
    port = free_port()
    serve_health(port, lambda: None, lambda: None)
    return port


@cache
def answers(path: str) -> bool:
    """Say whether a process of COSMO answers a path of its health port."""
    try:
        url = f"http://127.0.0.1:{_port()}{path}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False
