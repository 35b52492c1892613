"""Names of events: code, pages and documentation use those that there are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.database.models.operations import JobState, Stage
from shared.errors import RefusedError
from shared.events import EventName
from shared.jobs import claims

ROOT = Path(__file__).parents[2]
CODE = [
    path
    for folder in ("cosmo", "services", "shared")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "events.py" or path.parent.name != "shared"
]
SUBJECTS = "|".join(sorted({name.partition(".")[0] for name in EventName}))
NAME = re.compile(rf"(?:{SUBJECTS})\.(?!html$|py$|js$|rst$)[a-z_]+")


SUBJECTS_OF_JOBS = ("dataset", "calibration", "monitor")
ENDS = ("failed", "skipped", "refused")


def _literals(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_code_writes_no_name_out() -> None:
    written = {
        (path.name, text) for path in CODE for text in _literals(path) if NAME.fullmatch(text)
    }
    assert written == set()


def test_each_name_is_used() -> None:
    code = "".join(path.read_text() for path in CODE)
    ends = {f"{what}.{end}" for what in SUBJECTS_OF_JOBS for end in ENDS}
    unused = {name for name in EventName if f"EventName.{name.name}" not in code} - ends
    assert unused == set()


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.SKIPPED, JobState.FAILED])
@pytest.mark.parametrize("kind", ["permanent", RefusedError.kind])
def test_each_end_of_an_attempt_has_a_name(stage: Stage, state: JobState, kind: str) -> None:
    assert claims._name_end(stage, state, kind) in EventName


def test_the_page_listens_to_names_that_there_are() -> None:
    script = (ROOT / "services/monitor/web/pages/static/live.js").read_text()
    names = script.partition("const names = {")[2].partition("};")[0]
    heard = {
        f"{subject}.{fact}"
        for subject, facts in re.findall(r"(\w+): \[([^\]]*)\]", names)
        for fact in re.findall(r'"(\w+)"', facts)
    }
    assert "dataset.ingested" in heard
    assert heard <= set(EventName)


def test_documentation_names_events_that_there_are() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.rst")]
    quoted = re.compile(rf"``({NAME.pattern})``|--({NAME.pattern})-->")
    quotes = {one or other for page in pages for one, other in quoted.findall(page.read_text())}
    named = {quote for quote in quotes if not quote.endswith((".py", ".txt"))}  # of files
    assert "dataset.fetched" in named
    assert named <= set(EventName)
