"""The monitors: a package for each family, found by being here."""

import importlib
import pkgutil
from functools import lru_cache

from services.monitor.framework.declaration import Monitor

__all__ = ["monitors"]


@lru_cache(maxsize=1)
def monitors() -> dict[str, Monitor]:
    """Find every monitor: the value of ``MONITOR`` of each module below this package.

    Returns
    -------
    dict
        Monitors by name, in the order of their names.

    Raises
    ------
    TypeError
        If two modules declare the same name, or ``MONITOR`` is none.
    """
    found: dict[str, Monitor] = {}
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        declared = getattr(importlib.import_module(module.name), "MONITOR", None)
        if declared is None:
            continue
        if not isinstance(declared, Monitor) or declared.name in found:
            raise TypeError(
                f"MONITOR of {module.name} is no Monitor, or has the name of another one"
            )
        found[declared.name] = declared
    return dict(sorted(found.items()))
