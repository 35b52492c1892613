"""Choice of the version of a file where a source holds several of one name."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from services.archive.metadata import FileMetadata
from services.archive.sources import SourceFile

__all__ = ["Versions", "choose_versions"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}(?:\.\d+)?)?")
_DAY = 10
"""Characters of a DATE without a time of day."""

_SECOND_CHOICE = (".l-exp",)
"""Endings of reports that count only where there is no ``.txt``."""

_Rank = Callable[[SourceFile], Any]
_Facts = Mapping[str, FileMetadata]


@dataclass(frozen=True)
class Versions:
    """What was chosen.

    Attributes
    ----------
    files
        One version of each file; of those in conflict one that stands for them.
    older
        By stem, what was left and why: by URL.
    conflicts
        By stem, why none of the versions can be taken.
    """

    files: list[SourceFile] = field(default_factory=list)
    older: dict[str, dict[str, str]] = field(default_factory=dict)
    conflicts: dict[str, str] = field(default_factory=dict)


def choose_versions(
    files: Sequence[SourceFile], facts: _Facts, digest: Callable[[SourceFile], str]
) -> Versions:
    """Take the newest version of each file: by DATE of the primary header, then by the time of its
    last change.

    Parameters
    ----------
    files
        Every version of every file.
    facts
        Metadata by URL.
    digest
        Checksum of the unpacked content, asked for only where versions are equally new.
    """
    chosen = Versions()
    for stem, group in groupby(
        sorted(files, key=lambda file: (file.stem, file.url)), key=lambda file: file.stem
    ):
        versions = list(group)
        newest = _newest(versions, facts)
        chosen.files.append(newest[0])
        if len(newest) > 1 and len({digest(file) for file in newest}) > 1:
            urls = " and ".join(file.url for file in newest)
            chosen.conflicts[stem] = f"{stem} ({urls} are equally new and differ; remove one)"
        elif len(versions) > 1:
            taken = newest[0]
            chosen.older[stem] = {
                file.url: f"same content as {taken.url}"
                if file in newest
                else _reason(file, taken, facts)
                for file in versions
                if file is not taken
            }
    return chosen


def _newest(versions: Sequence[SourceFile], facts: _Facts) -> Sequence[SourceFile]:
    """Return the versions than which none is newer, plain ones first."""
    if len(versions) == 1:
        return versions
    for ranking in (_by_readability, _by_ending, _by_date, _by_change):
        rank = ranking(versions, facts)
        best = max(map(rank, versions))
        versions = [file for file in versions if rank(file) == best]
    return sorted(versions, key=lambda file: (file.name.endswith(".gz"), file.url))


def _by_readability(_: Sequence[SourceFile], facts: _Facts) -> _Rank:
    return lambda file: not facts[file.url].error


def _by_ending(_: Sequence[SourceFile], __: _Facts) -> _Rank:
    return lambda file: not file.name.endswith(_SECOND_CHOICE)


def _by_date(versions: Sequence[SourceFile], facts: _Facts) -> _Rank:
    """Return the rank by DATE, as exactly as all of them say it; where one does not, it decides
    nothing.
    """
    dates = {
        file.url: facts[file.url].date for file in versions if _DATE.fullmatch(facts[file.url].date)
    }
    if len(dates) < len(versions):
        return lambda _: ""
    length = None if all(len(date) > _DAY for date in dates.values()) else _DAY
    return lambda file: dates[file.url][:length]


def _by_change(versions: Sequence[SourceFile], _: _Facts) -> _Rank:
    known = all(file.modified is not None for file in versions)
    return lambda file: file.modified if known else 0.0


def _reason(file: SourceFile, taken: SourceFile, facts: _Facts) -> str:
    if facts[file.url].error:
        return f"it cannot be read, but {taken.url} can"
    return f"older than {taken.url} ({_age(file, facts)}; that one {_age(taken, facts)})"


def _age(file: SourceFile, facts: _Facts) -> str:
    changed = (
        ""
        if file.modified is None
        else f", changed {datetime.fromtimestamp(file.modified, UTC):%F %T}"
    )
    return f"DATE {facts[file.url].date or 'unknown'}{changed}"
