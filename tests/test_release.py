"""What a release says of itself, compared."""

import re
from pathlib import Path

import yaml

from shared import __version__

_ROOT = Path(__file__).parents[1]


def test_version_and_date_agree() -> None:
    citation = yaml.safe_load((_ROOT / "CITATION.cff").read_text())
    changelog = (_ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)
    assert newest is not None
    assert newest.groups() == (__version__, citation["date-released"].isoformat())
    assert citation["version"] == __version__


def test_the_changelog_says_nothing_twice() -> None:
    """As a merge of two lists makes it."""
    for version in re.split(r"^## ", (_ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE):
        lines = [line for line in version.splitlines() if line.startswith(("### ", "- "))]
        assert sorted(set(lines)) == sorted(lines)


def test_hooks_before_a_commit_need_no_network() -> None:
    hooks = yaml.safe_load((_ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    for hook in hooks[0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith("./run tool ")
