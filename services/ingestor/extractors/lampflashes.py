"""Lamp flashes: where the lamp spectrum fell."""

from collections import Counter
from pathlib import Path

import numpy as np
from astropy.io import fits

from services.ingestor.extractors.reading import Rows, column, keywords, open_hdus, root_of, table_of
from shared.database.models.science import Lampflash

__all__ = ["extract_lampflashes"]

_TABLE = "LAMPFLASH"
_NAMES = {
    "date": "EXPSTART",
    "proposid": "PROPOSID",
    "detector": "DETECTOR",
    "opt_elem": "OPT_ELEM",
    "cenwave": "CENWAVE",
    "fppos": "FPPOS",
    "cal_date": "DATE",
    "lamptab": "LAMPTAB",
}


def extract_lampflashes(hdus: fits.HDUList, name: str, references: Path | None) -> Rows:
    """Rows of ``lampflash``, numbered within each segment since the order of rows differs between the detectors.

    Parameters
    ----------
    hdus
        A lampflash file.
    name
        Its name.
    references
        Folder with the lamp templates, whose FP_PIXEL_SHIFT SHIFT_DISP contains; None leaves ``x_shift`` null.
    """
    header = hdus[0].header
    table = table_of(hdus, _TABLE, name)
    common = keywords(Lampflash, _NAMES, [hdu.header for hdu in hdus[:2]], name)
    lamptab = str(common["lamptab"] or "").rsplit("$", 1)[-1]
    commanded = _commanded_shifts(references, lamptab, header)
    values = {key: column(table, _TABLE, key, name) for key in ("TIME", "SHIFT_DISP", "SHIFT_XDISP", "SPEC_FOUND")}
    flashes: Counter[str] = Counter()
    rows: list[dict[str, object]] = []
    for index, segment in enumerate(str(text).strip() for text in column(table, _TABLE, "SEGMENT", name)):
        flashes[segment] += 1
        shift = float(values["SHIFT_DISP"][index])
        rows.append(
            {
                "rootname": root_of(header, name),
                **common,
                "lamptab": lamptab or None,
                "segment": segment,
                "flash": flashes[segment],
                "time": float(values["TIME"][index]),
                "shift_disp": shift,
                "x_shift": shift - commanded[segment] if segment in commanded else None,
                "y_shift": float(values["SHIFT_XDISP"][index]),
                "found": bool(values["SPEC_FOUND"][index]),
                "filetype": "lampflash",
            }
        )
    return Rows(Lampflash, rows)


def _commanded_shifts(references: Path | None, lamptab: str, header: fits.Header) -> dict[str, float]:
    """FP_PIXEL_SHIFT of each segment in pixels; empty where the table is not at hand.

    Tables of the first generation have no FP_PIXEL_SHIFT: the displacement was not part of their shifts, so it is 0.
    """
    if references is None or not lamptab:
        return {}
    path = next((path for path in (references / lamptab, references / f"{lamptab}.gz") if path.is_file()), None)
    if path is None:
        return {}
    with open_hdus(path, lamptab) as hdus:
        data = hdus[1].data
        gratings = np.char.strip(column(data, "1", "OPT_ELEM", lamptab).astype(str))
        chosen = (gratings == str(header["OPT_ELEM"]).strip()) & (data["CENWAVE"] == header["CENWAVE"])
        if "FPOFFSET" in data.names:
            chosen &= data["FPOFFSET"] == header["FPOFFSET"]
        shifts = data["FP_PIXEL_SHIFT"] if "FP_PIXEL_SHIFT" in data.names else np.zeros(len(data))
        segments = np.char.strip(column(data, "1", "SEGMENT", lamptab).astype(str))
        return {str(segments[row]): float(shifts[row]) for row in np.flatnonzero(chosen)}
