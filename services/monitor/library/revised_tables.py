"""Revisions of reference tables: the active table with other numbers in some of its cells.

Everything else is that of the active table, so that a revision differs from it by what was meant.
"""

import gzip
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from services.monitor.framework.declaration import Columns, NewArtifact
from services.monitor.framework.rules import Finding, Rule, always
from services.monitor.library.reference_files import common_keywords, is_ready, wrong_header
from shared.database.models.monitoring import Severity

__all__ = [
    "REVISION_RULES",
    "Revision",
    "active_table",
    "read_active",
    "revised_file",
    "revision_findings",
    "texts_in",
]

_SOURCE = "rules of delivery; COSMO's rule that nothing is lost silently"
_GZIP = b"\x1f\x8b"

_NOT_COMPARED = Rule(
    name="not-compared",
    severity=Severity.INFO,
    text="a zero point is off, and the table that CalCOS used can be read and corrected",
    source=_SOURCE,
)
_WRONG = Rule(
    name="delivery-check",
    severity=Severity.ALERT,
    text="a corrected table has the header, columns and rows of the active one",
    thresholds=always(0.0, _SOURCE),
)
REVISION_RULES = (_NOT_COMPARED, _WRONG)


def read_active(paths: Sequence[Path]) -> Columns:
    """Read the bytes of reference files, packed as they are.

    Parameters
    ----------
    paths
        The files.

    Returns
    -------
    mapping of str to ndarray
        ``name`` without ``.gz`` and ``content`` (bytes), both objects of shape (n,).
    """
    content = np.empty(len(paths), dtype=object)
    content[:] = [path.read_bytes() for path in paths]
    names = [path.name.removesuffix(".gz") for path in paths]
    return {"name": np.array(names, dtype=object), "content": content}


def active_table(tables: Columns, name: str) -> bytes | None:
    """Return the FITS file of a name, unpacked; None where it is not at hand.

    Parameters
    ----------
    tables
        Columns of `read_active`.
    name
        As headers have it, without folder.
    """
    for place in np.flatnonzero(tables["name"] == name).tolist():
        content: bytes = tables["content"][place]
        return gzip.decompress(content) if content.startswith(_GZIP) else content
    return None


def texts_in(data: Any, name: str) -> np.ndarray:
    """Return a column of text of a table without blanks around it, shape (n,)."""
    return np.char.strip(np.asarray(data[name], dtype=str))


@dataclass(frozen=True, kw_only=True)
class Revision:
    """What shall be other in a table.

    Attributes
    ----------
    keyword
        Header keyword that names such files.
    detector
        FUV or NUV.
    active
        Name of the table that it replaces.
    description
        DESCRIP, up to 67 characters.
    history
        What the file says of itself.
    oldest, newest
        MJD of the exposures that it is from.
    edit
        Changes the columns of the table, given its HDU; returns that with more columns, where it
        needs some that the active one lacks, and what it changed: the names of the row, and
        ``before`` and ``after``.
    columns
        Those that it may change; every other cell must be as it was.
    detail
        More to say of the file.
    """

    keyword: str
    detector: str
    active: str
    description: str
    history: Sequence[str]
    oldest: float
    newest: float
    edit: Callable[[fits.BinTableHDU], tuple[fits.BinTableHDU, list[dict[str, Any]]]]
    columns: frozenset[str]
    detail: Mapping[str, Any]


def revised_file(revision: Revision, active: bytes, ending: str) -> NewArtifact | None:
    """Make the revised table, its checks and its difference to the active one.

    Parameters
    ----------
    revision
        What shall be other.
    active
        The active table.
    ending
        Of the name: lamp, wcp, disp.

    Returns
    -------
    NewArtifact or None
        None where no cell of the table would be other.
    """
    with fits.open(io.BytesIO(active)) as hdus:
        position = hdus[0].header.get("LIFE_ADJ")
        table, changed = revision.edit(hdus[1])
        if not changed:
            return None
        header = hdus[0].header
        header.update(
            common_keywords(
                revision.detector, revision.oldest, revision.newest, revision.description
            )
        )
        place = "" if position is None or position < 1 else f"_lp{position}"
        name = f"cosmo_{revision.detector.lower()}{place}_{ending}.fits"
        header["FILENAME"] = name
        for line in revision.history:
            header.add_history(line)
        content = io.BytesIO()
        fits.HDUList([hdus[0], table, *hdus[2:]]).writeto(content, checksum=True)
    detail: dict[str, Any] = {
        "detector": revision.detector,
        "active": revision.active,
        **revision.detail,
        **_compared(content.getvalue(), active, revision),
    }
    detail["difference"]["changes"] = changed
    detail["ready"] = is_ready(detail, detail["difference"]["rows_lost"])
    return NewArtifact(kind=revision.keyword, name=name, content=content.getvalue(), detail=detail)


def _compared(content: bytes, active: bytes, revision: Revision) -> dict[str, Any]:
    """Return what is wrong with a new file as it will be read, and how it differs."""
    with fits.open(io.BytesIO(content)) as new, fits.open(io.BytesIO(active)) as old:
        version = str(old[0].header.get("VCALCOS"))
        wrong = list(wrong_header(new[0].header, revision.keyword, (revision.detector,), version))
        wrong += _wrong_columns(new[1], old[1], revision.columns)
        rows = [len(hdu.data) for hdu in (new[1], old[1])]
        difference = {
            "rows_changed": 0,
            "rows_added": max(rows[0] - rows[1], 0),
            "rows_lost": max(rows[1] - rows[0], 0),
        }
        if not wrong and rows[0] == rows[1]:
            other = np.zeros(rows[0], dtype=bool)
            for name in new[1].columns.names:
                other |= _differs(new[1], old[1], name)
            difference["rows_changed"] = int(other.sum())
    return {"wrong": wrong, "difference": difference}


def _wrong_columns(new: Any, old: Any, may_change: frozenset[str]) -> Iterator[str]:
    formats, wanted = (
        {column.name.upper(): column.format for column in hdu.columns} for hdu in (new, old)
    )
    missing = {name for name, form in wanted.items() if formats.get(name) != form}
    if missing:
        yield f"columns {', '.join(sorted(missing))} are not those of the active table"
    if more := sorted(formats.keys() - wanted.keys() - may_change):
        yield f"columns {', '.join(more)} are new"
    if len(new.data) == len(old.data) and not missing:
        for name in sorted(wanted.keys() - may_change):
            if _differs(new, old, name).any():
                yield f"{name} is not that of the active table"
    for name in sorted(formats.keys() & may_change):
        if not np.isfinite(np.asarray(new.data[name], dtype=float)).all():
            yield f"{name} has cells that are no numbers"


def _differs(new: Any, old: Any, name: str) -> np.ndarray:
    """Return the rows in which a column is other than before, or than 0 where it was not there."""
    known = name.upper() in {one.upper() for one in old.columns.names}
    cells = _cells(new, name)
    found: np.ndarray = np.any(cells != (_cells(old, name) if known else 0), axis=1)
    return found


def _cells(hdu: Any, name: str) -> np.ndarray:
    """Return a column, of text without the blanks that fill it up; shape (n, m)."""
    text = np.asarray(hdu.data[name]).dtype.kind in "SU"
    column = texts_in(hdu.data, name) if text else np.asarray(hdu.data[name])
    return column.reshape(len(hdu.data), -1)


def revision_findings(
    keyword: str, active: str, artifact: NewArtifact | None, newest: float
) -> Iterator[Finding]:
    """Apply the rules of delivery.

    Parameters
    ----------
    keyword
        Header keyword that names such files.
    active
        Name of the active table.
    artifact
        The corrected one; None where the active one is not at hand.
    newest
        MJD of the newest exposure.
    """
    if artifact is None:
        message = f"a zero point of {active} is off, which cannot be read or has no place for it"
        yield _NOT_COMPARED.finding(message, newest, configuration=f"{keyword} {active}")
    elif wrong := artifact.detail["wrong"]:
        message = f"{artifact.name} may not be delivered: {'; '.join(wrong)}"
        yield _WRONG.finding(
            message, newest, float(len(wrong)), configuration=f"{keyword} {active}"
        )
