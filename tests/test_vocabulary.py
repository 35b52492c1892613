"""Plain words in code, pages, docs and changelog: no phrase that only this project used."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_FOLDERS = ["benchmarks", "cosmo", "deploy", "docs", "requirements", "services"]
_FOLDERS += ["shared", "simulator", "tests"]
_SUFFIXES = {".css", ".html", ".js", ".mako", ".md", ".py", ".rst", ".sh", ".toml", ".txt", ".yml"}
_PHRASES = [
    "held against",
    "graver",
    "gravest",
    r"anew(?![a-z])",
    "nobody waits",
    "what chance decides",
    "as readers see",
    "take home",
    r"flown(?![a-z])",
    r"tells? of(?![a-z])",
    r"told (by|apart|from)(?![a-z])",
]
_PRIVATE = [re.compile(phrase.replace(" ", r"[\s#\"_]+")) for phrase in _PHRASES]
"""Of lower case; a phrase may be in a name, and go over the end of a line or of a string."""


def _hits(text: str) -> list[tuple[int, str]]:
    """Find private phrases with the numbers of their lines."""
    lower = text.lower()
    hits = [hit for pattern in _PRIVATE for hit in pattern.finditer(lower)]
    return sorted((lower.count("\n", 0, hit.start()) + 1, hit.group()) for hit in hits)


def test_phrases_are_found_in_any_case_and_over_the_end_of_lines() -> None:
    assert _hits("Plain.\nIt is Told Apart,\nor\ngraver") == [(2, "told apart"), (4, "graver")]
    assert [line for line, _ in _hits("# one is held\n# against\ndef all_anew")] == [1, 3]
    assert not _hits("renewed, told apartments, a new one, tell often")


def test_files_use_plain_words() -> None:
    files = [path for path in _ROOT.iterdir() if path.is_file()]
    for folder in _FOLDERS:
        files += (
            path
            for path in (_ROOT / folder).rglob("*")
            if path.suffix in _SUFFIXES and "_build" not in path.parts
        )
    found = [
        f"{path.relative_to(_ROOT)}:{line}: {' '.join(phrase.split())}"
        for path in sorted(files)
        if path != Path(__file__)
        for line, phrase in _hits(path.read_text(errors="ignore"))
    ]
    assert not found, "say it in plain words:\n" + "\n".join(found)
