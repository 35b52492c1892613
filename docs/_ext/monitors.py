"""Reference of the monitors, from their declarations: a page for each."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from docs._ext.markup import heading, list_table, literal, prose, target
from services.monitor.framework.declaration import Monitor
from services.monitor.framework.rules import Rule
from services.monitor.monitors import monitors

__all__ = ["write_monitors"]

_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)


def write_monitors(pages: Path, methods: Path) -> None:
    """Write a page for each monitor; what is there already and equal stays as it is.

    Parameters
    ----------
    pages
        Folder of the pages.
    methods
        Folder with more about the method of some monitors, by their names.
    """
    pages.mkdir(exist_ok=True)
    found = monitors()
    for page in pages.glob("*.rst"):
        if page.stem not in (*found, "index"):
            page.unlink()
    for name, monitor in found.items():
        text = "\n".join(_page(monitor, (methods / f"{name}.rst").exists()))
        page = pages / f"{name}.rst"
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


def _page(monitor: Monitor, has_method: bool) -> Iterator[str]:
    yield from target(f"monitor-{monitor.name}")
    yield from heading(f"{monitor.title} (``{monitor.name}``)", "=")
    yield from (prose(monitor.explanation), "")
    tables = ", ".join(f":ref:`{name} <table-{name}>`" for name in sorted(monitor.tables))
    facts = {
        "Detector": monitor.detector,
        "Runs after new rows of": tables,
        "Reference files": ", ".join(
            literal(reference.keyword) for reference in monitor.references.values()
        ),
        "Stale after": f"{2 * monitor.cadence / timedelta(days=1):g} d without data",
        "Version of its results": str(monitor.version),
    }
    yield from (".. rst-class:: facts", "")
    yield from (f":{name}: {text}" for name, text in facts.items() if text)
    yield ""
    if monitor.quantities:
        yield from heading("Quantities", "-")
        yield from list_table(
            ("Quantity", "Unit", "Meaning"),
            (
                (literal(name), quantity.unit, prose(quantity.description))
                for name, quantity in monitor.quantities.items()
            ),
            "25 20 55",
        )
    if monitor.rules:
        yield from heading("Rules", "-")
        yield from list_table(
            ("Rule", "Severity", "Alerts or marks when", "Threshold and source"),
            map(_rule, monitor.rules),
            "20 10 40 30",
        )
    if has_method:
        yield from heading("Method", "-")
        yield from (f".. include:: /reference/methods/{monitor.name}.rst", "")


def _rule(rule: Rule) -> tuple[str, str, str, str]:
    severity = rule.severity.value if rule.severity else "outlier"
    sources = [
        f"{_since(dated.mjd)}{dated.value:g}: {prose(dated.source)}" for dated in rule.thresholds
    ]
    return literal(rule.name), severity, prose(rule.words), "\n\n".join(sources or [rule.source])


def _since(mjd: float) -> str:
    return f"since {(_EPOCH + timedelta(days=mjd)).date()} " if mjd > 0.0 else ""
