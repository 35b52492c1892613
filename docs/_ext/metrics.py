"""Reference of the Prometheus metrics, from their declarations."""

from collections.abc import Iterator

from docs._ext.markup import heading, list_table, literal, prose
from services.monitor.queries.metrics import OF_DATABASE
from shared.metrics import OF_PROCESSES

__all__ = ["metrics"]

_HEADER = ("Metric", "Kind", "Labels", "Meaning")
_SUFFIXES = {"counter": "_total", "info": "_info"}


def metrics() -> Iterator[str]:
    """Describe every metric, those of each process and those that there are once."""
    yield from heading("Of each process", "-")
    yield from list_table(
        _HEADER,
        (
            _row(
                f"{found.name}{_SUFFIXES.get(found.type, '')}",
                found.type,
                labels,
                found.documentation,
            )
            for metric in OF_PROCESSES
            for found in metric.describe()
            for labels in [metric._labelnames]
        ),
        "34 12 18 36",
    )
    yield from heading("Of the database", "-")
    yield from list_table(
        _HEADER,
        (_row(name, "gauge", labels, text) for name, (text, labels) in OF_DATABASE.items()),
        "34 12 18 36",
    )


def _row(name: str, kind: str, labels: tuple[str, ...], text: str) -> tuple[str, ...]:
    return literal(name), kind, ", ".join(map(literal, labels)), f"{prose(text)}."
