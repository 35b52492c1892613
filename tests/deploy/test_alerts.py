"""Alerts of Prometheus: each fires and is silent where it should, and has a page that says why."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.rendering import ROOT
from tests.deploy.scaling import expressions, unknown_metrics
from tests.prometheus import find_program

_FOLDER = ROOT / "deploy" / "observability"
_FILE = _FOLDER / "alerts.yml"
_PAGES = ROOT / "docs" / "howto" / "alerts"
_ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load(_FILE.read_text())["groups"]
    for rule in group["rules"]
}
_CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("alerts.yml").read_text())
_HEAD = {"rule_files": [str(_FILE)], "evaluation_interval": "5m"}
_MINUTES = 180
"""When tests look, after which every rate and wait is over."""


def _promtool(*arguments: str | Path) -> str:
    command = [find_program("promtool"), *map(str, arguments)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout


def _case(series: dict[str, str], expected: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return a test of promtool: series, and what is expected of each alert."""
    return {
        "interval": "1m",
        "input_series": [{"series": key, "values": str(text)} for key, text in series.items()],
        "alert_rule_test": [
            {"eval_time": f"{_MINUTES}m", "alertname": alert, "exp_alerts": alerts}
            for alert, alerts in expected.items()
        ],
    }


def _series(kind: str) -> dict[str, str]:
    """Return the series of all alerts together."""
    found: dict[str, str] = {}
    for case in _CASES.values():
        assert not found.keys() & case[kind].keys()
        found |= case[kind]
    return found


def _expected(alert: str, labels: dict[str, str]) -> dict[str, Any]:
    def filled(text: str) -> str:
        return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)

    rule = _ALERTS[alert]
    annotations = {key: filled(text) for key, text in rule["annotations"].items()}
    return {"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": annotations}


def _test(cases: list[dict[str, Any]], folder: Path) -> str:
    file = folder / "cases.yml"
    file.write_text(json.dumps({**_HEAD, "tests": cases}))  # JSON is YAML
    return _promtool("test", "rules", file)


def test_each_alert_fires_and_is_silent(tmp_path: Path) -> None:
    assert set(_CASES) == set(_ALERTS)
    fire = {alert: [_expected(alert, case["labels"])] for alert, case in _CASES.items()}
    silence = {alert: list[dict[str, Any]]() for alert in _ALERTS}
    cases = [_case(_series("fires"), fire), _case(_series("silent"), silence)]
    assert _test(cases, tmp_path) == ""


def test_an_alert_that_is_silent_is_noticed(tmp_path: Path) -> None:
    expected = [_expected("CosmoDiskFull", {"folder": "scratch"})]
    case = _case(_CASES["CosmoDiskFull"]["silent"], {"CosmoDiskFull": expected})
    assert "alertname: CosmoDiskFull" in _test([case], tmp_path)


def test_the_rules_are_right() -> None:
    assert _promtool("check", "rules", _FILE) == ""


@pytest.mark.parametrize("file", [_FILE, *sorted((_FOLDER / "dashboards").iterdir())])
def test_expressions_name_metrics_that_there_are(file: Path) -> None:
    found = list(expressions(yaml.safe_load(file.read_text())))
    assert len(found) > 8
    assert {metric for text in found for metric in unknown_metrics(text)} == set()


@pytest.mark.parametrize("file", sorted((_FOLDER / "dashboards").iterdir()))
def test_expressions_of_dashboards_are_right(file: Path, tmp_path: Path) -> None:
    texts = [text for text in expressions(json.loads(file.read_text())) if text != "prometheus"]
    rules = [
        {"record": f"panel:{n}", "expr": text.replace("$__rate_interval", "5m")}
        for n, text in enumerate(texts)
    ]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "a", "rules": rules}]}))
    assert _promtool("check", "rules", tmp_path / "panels.yml") == ""


@pytest.mark.parametrize("file", sorted((_FOLDER / "dashboards").iterdir()))
def test_panels_of_dashboards_have_places_of_their_own(file: Path) -> None:
    taken: set[tuple[int, int]] = set()
    panels = json.loads(file.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("alert", sorted(_ALERTS))
def test_each_alert_has_a_page(alert: str) -> None:
    name = _ALERTS[alert]["annotations"]["runbook_url"].rpartition("/")[2]
    page = (_PAGES / name.replace(".html", ".rst")).read_text()
    assert page.startswith(f"{alert}\n{'=' * len(alert)}\n")
    for heading in ("What it means", "What to look at", "What to do"):
        assert f"\n{heading}\n{'-' * len(heading)}\n" in page


def test_each_page_has_an_alert() -> None:
    titles = {page.read_text().partition("\n")[0] for page in _PAGES.glob("*.rst")}
    assert titles - {"Alerts"} == set(_ALERTS)
    assert len(_ALERTS) == 20
