"""The monitors: one module each, found by being here."""

import importlib
import pkgutil
from functools import lru_cache

from services.monitor.monitors.framework.monitor import Monitor

__all__ = ["monitors"]


@lru_cache(maxsize=1)
def monitors() -> dict[str, Monitor]:
    """Every monitor by name: the value of ``MONITOR`` of each module of this package.

    Raises
    ------
    TypeError
        If two modules declare the same name, or ``MONITOR`` is none.
    """
    found: dict[str, Monitor] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg:
            continue
        declared = importlib.import_module(f"{__name__}.{module.name}").MONITOR
        if not isinstance(declared, Monitor) or declared.name in found:
            raise TypeError(f"MONITOR of {module.name} is no monitor, or its name is taken")
        found[declared.name] = declared
    return dict(sorted(found.items()))
