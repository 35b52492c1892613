"""Target acquisitions."""

from typing import Any

import numpy as np

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.rows import Contained, Rows, Source, finite, keywords, root_of
from services.ingestor.extractors.tables import read_columns
from shared.database.models.science import Acquisition, Lampflash

__all__ = ["EXTRACTORS", "extract_acquisition", "extract_lamp_image"]

_OFFSETS = {"DISP_OFFSET": "dwell_slewx", "XDISP_OFFSET": "dwell_slewy"}
"""Offset of a dwell point along and across dispersion, and the column of the slew that follows from
it.
"""

_LAMP_COLUMNS = frozenset(
    {
        "date",
        "proposid",
        "detector",
        "opt_elem",
        "cenwave",
        "fppos",
        "cal_date",
        "life_adj",
        "exptype",
        "obset_id",
    }
)


def extract_acquisition(source: Source) -> Rows:
    """Return the row of ``acqs``."""
    row: dict[str, object] = {"rootname": root_of(source), **keywords(Acquisition, source)}
    with Contained(source, "the table of dwell points"):
        row |= _dwells(source)
    return Rows(Acquisition, [row])


def _dwells(source: Source) -> dict[str, object]:
    """Return the slew that the counts at the dwell points give.

    Their mean offset, weighted by counts.

    Source: reproduces ACQSLEWX and ACQSLEWY of PEAKD and of PEAKXD since lifetime position 4 to
    0.001 arcsec; of counts as stored, from which ACQFLOOR is already subtracted.
    """
    hdu = next((hdu for hdu in source.file.hdus if hdu.name == "ACQ"), None)
    if hdu is None:
        return {}
    layout = source.file.layout(hdu)
    table = read_columns(source, hdu, ["COUNTS", *(name for name in _OFFSETS if name in layout)])
    counts = table.get("COUNTS")
    if counts is None or not np.isfinite(counts).all():
        return {}
    found: dict[str, Any] = {
        "dwell_counts": int(counts.sum()),
        "brightest": int(counts.max()) if counts.size else None,
    }
    if counts.size > 1 and counts.sum() > 0:
        for name in _OFFSETS.keys() & table.keys():
            slew = float((table[name] * counts).sum() / counts.sum())
            found[_OFFSETS[name]] = slew if np.isfinite(slew) else None
    return found


def extract_lamp_image(source: Source) -> Rows:
    """Return the row of ``lampflash`` for an acquisition image: where the lamp spot was, in user
    pixels (LAMPMXCR, LAMPMYCR).
    """
    x, y = (finite(source.headers[0].get(keyword)) for keyword in ("LAMPMXCR", "LAMPMYCR"))
    if x is None or y is None:
        return Rows(Lampflash)
    row = keywords(Lampflash, source, _LAMP_COLUMNS)
    position = {"x_shift": x, "y_shift": y}
    return Rows(
        Lampflash,
        [{"rootname": root_of(source), **row, **position, "flash": 1, "filetype": "rawacq"}],
    )


EXTRACTORS = (
    Extractor(table=Acquisition, suffixes=("rawacq",), extract=extract_acquisition),
    Extractor(table=Lampflash, suffixes=("rawacq",), extract=extract_lamp_image),
)
