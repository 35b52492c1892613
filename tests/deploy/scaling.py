"""What scales, and by which metrics."""

import re
from collections.abc import Iterator
from typing import Any

from services.monitor.queries.metrics import OF_DATABASE
from shared.metrics import OF_PROCESSES
from tests.deploy.rendering import Object, find, name, title

__all__ = ["check_scaling", "expressions", "unknown_metrics"]

_NAME = re.compile(r"(?<![\w\"])(?:cosmo|process|python)_[a-z_]+")
_SERIES = re.compile(r"_(bucket|count|sum|total|info)$")
_KNOWN = {
    *(found.name for metric in OF_PROCESSES for found in metric.describe()),
    *OF_DATABASE,
    "process_resident_memory_bytes",
    "process_cpu_seconds",
}


def unknown_metrics(expression: str) -> set[str]:
    """Return the metrics of an expression that no process of COSMO has."""
    return {
        found
        for found in _NAME.findall(expression)
        if found not in _KNOWN and _SERIES.sub("", found) not in _KNOWN
    }


def expressions(thing: Any) -> Iterator[str]:
    """Find the expressions of an object, a dashboard or rules."""
    if isinstance(thing, list):
        for part in thing:
            yield from expressions(part)
    elif isinstance(thing, dict):
        for key, value in thing.items():
            if key in ("expr", "query") and isinstance(value, str):
                yield value
            else:
                yield from expressions(value)


def check_scaling(objects: list[Object]) -> Iterator[str]:
    """Find targets that are not there or have replicas of their own, and unknown metrics."""
    deployments = {name(thing): thing for thing in find(objects, "Deployment")}
    for thing in find(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        target = deployments.get(thing["spec"]["scaleTargetRef"]["name"])
        if target is None:
            yield f"{title(thing)}: what it scales is not there"
        elif target["spec"].get("replicas", 0) != 0:
            yield f"{title(thing)}: its deployment has replicas, which applying it again restores"
    for thing in find(objects, "ScaledObject", "PrometheusRule"):
        for expression in expressions(thing["spec"]):
            for metric in unknown_metrics(expression):
                yield f"{title(thing)}: nothing has the metric {metric}"
