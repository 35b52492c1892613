"""Files that a scan excludes, with the reasons."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

__all__ = [
    "OLDER",
    "ORPHAN",
    "OTHER_INSTRUMENT",
    "PRODUCT",
    "SWITCHED_OFF",
    "UNHANDLED",
    "LeftAside",
    "Summary",
    "name_of",
    "reason_of",
]

PRODUCT = "calibrated products; they cannot be read, or are of no kind that the archive hands out"
ORPHAN = "files of exposures without raw data"
SWITCHED_OFF = "files of exposures that their association leaves out"
OTHER_INSTRUMENT = "files of another instrument"
UNHANDLED = "datasets that a fault keeps from being written; the log of the scan says which"
OLDER = "older versions and copies of files that are taken"

_BY_NAME = {
    "packed files; unpack them, or give an archive as "
    "zip://::FILE": r"\.(?:zip|tar|tgz|tar\.gz|bz2|xz|z|7z)$",
    "tile-compressed files, which CalCOS does not read; unpack them with funpack": r"\.fz$",
    "copies by their names; the archive's names are "
    "<rootname>_<suffix>.fits[.gz]": r"^[a-z0-9]{9}_[a-z]",
}
"""Reasons for names that are not of COS, the first that fits."""

_OTHER_NAMES = "files with names that are not of COS"
_NAMED = 3


Summary = dict[str, dict[str, Any]]
"""Number of files and the names of the first ones (``count``, ``names``), by the reason."""


@dataclass(frozen=True)
class LeftAside:
    """Files that are in no dataset: their number and the names of the first ones, by the reason."""

    summary: Summary = field(default_factory=dict)

    def add(self, reason: str, urls: Iterable[str]) -> None:
        """Leave files aside."""
        for url in urls:
            found = self.summary.setdefault(reason, {"count": 0, "names": []})
            found["count"] += 1
            if len(found["names"]) < _NAMED:
                found["names"].append(name_of(url))

    def merge(self, summary: Summary) -> None:
        """Add what another one has."""
        for reason, more in summary.items():
            found = self.summary.setdefault(reason, {"count": 0, "names": []})
            found["count"] += more["count"]
            found["names"] = [*found["names"], *more["names"]][:_NAMED]


def name_of(url: str) -> str:
    """Return the name of a file, as it is shown."""
    return unquote(url.rpartition("/")[2])


def reason_of(url: str) -> str:
    """Return why a file is left aside whose name is not of COS."""
    name = name_of(url).lower()
    return next(
        (reason for reason, pattern in _BY_NAME.items() if re.search(pattern, name)), _OTHER_NAMES
    )
