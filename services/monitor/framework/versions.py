"""Versions of what a run computes and draws with.

Another one makes a monitor run again, whether data came or not.
"""

from importlib.metadata import version

from services.monitor.figures import VERSION
from services.monitor.framework.declaration import Monitor

__all__ = ["versions_of"]


def versions_of(monitor: Monitor) -> dict[str, int | str]:
    """Return the versions as a run of a monitor records them."""
    return {"monitor": monitor.version, "figures": VERSION} | {
        name: version(name) for name in ("numpy", "astropy")
    }
