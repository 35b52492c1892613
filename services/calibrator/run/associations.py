"""The association table of a run, which decides what is in it."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from astropy.io import fits

from shared.cos.association import Association, Row
from shared.cos.association import read_association as read_table
from shared.cos.names import parse_name
from shared.errors import PermanentError
from shared.fits import FitsFile

__all__ = ["keep_members", "read_association"]

_WIDTH = 14
"""Characters of MEMNAME and MEMTYPE in the archive's tables."""


def read_association(folder: Path) -> Association | None:
    """Return the association table of a folder; None for a single exposure.

    Raises
    ------
    PermanentError
        If there is more than one, or CalCOS would stop at it.
    """
    paths = sorted(folder.glob("*_asn.fits"))
    if not paths:
        return None
    if len(paths) > 1:
        raise PermanentError(
            f"more than one association table: {', '.join(path.name for path in paths)}"
        )
    return read_table(FitsFile(lambda: paths[0].open("rb"), paths[0].name))


def keep_members(folder: Path, added: Collection[str] = ()) -> None:
    """Take what its association leaves out from the inputs of a run, and let its table name the
    others as CalCOS reads.

    Parameters
    ----------
    folder
        Staged inputs.
    added
        Rootnames of exposures that are no members yet.

    Raises
    ------
    PermanentError
        As `read_association`.
    """
    association = read_association(folder)
    if association is None:
        return
    table = folder / association.name
    kept = {*association.members, *added}
    for path in sorted(folder.glob("*.fits")):
        if path != table and parse_name(path.name).rootname not in kept:
            path.unlink()
    _rewrite(table, [(row.name.upper(), _kind(row), row.present) for row in association.rows])


def _kind(row: Row) -> str:
    """Return the MEMTYPE; CalCOS takes an exposure for a wavecal only where it is in upper case."""
    return row.kind.upper() if row.kind.upper().endswith("WAVE") else row.kind


def _rewrite(path: Path, rows: list[tuple[str, str, bool]]) -> None:
    """Write a table that says its rows in other types or words.

    Members by the names of their files, for instance.
    """
    names, kinds, present = (list(column) for column in zip(*rows, strict=True))
    with fits.open(path, mode="update") as hdus:
        old = hdus[1].data
        written = zip(old["MEMNAME"], old["MEMTYPE"], old["MEMPRSNT"], strict=True)
        if (
            old["MEMPRSNT"].dtype == bool
            and [(name.upper(), kind, bool(on)) for name, kind, on in written] == rows
        ):
            return
        columns = [
            fits.Column("MEMNAME", f"{max(_WIDTH, *map(len, names))}A", array=np.array(names)),
            fits.Column("MEMTYPE", f"{max(_WIDTH, *map(len, kinds))}A", array=np.array(kinds)),
            fits.Column("MEMPRSNT", "L", array=np.array(present)),
        ]
        hdus[1] = fits.BinTableHDU.from_columns(columns, name="ASN")
