"""Metrics in the documentation, and the configuration that scrapes them."""

import re
import subprocess
from pathlib import Path

import pytest

from docs._ext import GENERATED
from services.monitor.queries.metrics import OF_DATABASE
from shared.metrics import OF_PROCESSES
from tests.prometheus import find_program

_ROOT = Path(__file__).parents[2]
_NAME = re.compile(r"\bcosmo_[a-z_]+")
_SERIES = re.compile(r"_(bucket|count|sum|total|info)$")
_KNOWN = {found.name for metric in OF_PROCESSES for found in metric.describe()} | set(OF_DATABASE)


def _names(text: str) -> set[str]:
    """Return the metrics that a text names, those of their series included."""
    return {_SERIES.sub("", name) for name in _NAME.findall(text)}


def test_the_reference_has_every_metric() -> None:
    assert _names("\n".join(GENERATED["metrics"]())) == _KNOWN


@pytest.mark.parametrize(
    "page",
    [
        "howto/monitor-with-prometheus",
        "howto/scale",
        "howto/recover",
        "reference/metrics",
        *(f"howto/alerts/{page.stem}" for page in (_ROOT / "docs/howto/alerts").glob("*.rst")),
    ],
)
def test_pages_name_metrics_that_there_are(page: str) -> None:
    found = _names((_ROOT / "docs" / f"{page}.rst").read_text())
    assert found or page.startswith("howto/alerts")
    assert found <= _KNOWN


def test_the_configuration_of_the_compose_file_is_right() -> None:
    configuration = _ROOT / "deploy" / "observability" / "prometheus.yml"
    command = [find_program("promtool"), "check", "config", str(configuration)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (
        f"./deploy/observability/{configuration.name}:"
        in (_ROOT / "docker-compose.yml").read_text()
    )
