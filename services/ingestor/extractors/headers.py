"""Header keywords of raw and calibrated files."""

from astropy.io import fits

from services.ingestor.extractors.reading import Rows, keywords, root_of
from shared.database.models.science import Header

__all__ = ["extract_headers"]

_SPECIAL = {"date_obs": "DATE-OBS", "time_obs": "TIME-OBS"}
_NAMES = {
    name: _SPECIAL.get(name, name.upper())
    for name in Header.__table__.columns.keys()  # noqa: SIM118 - a column collection, not a dict
    if name not in ("id", "file_id", "rootname", "preferred")
}

_MEASURED = ("shift1", "shift2", "dpixel1")
"""Columns, up to the letter of segment or stripe, in which raw files have 0.0 until CalCOS measures them."""


def extract_headers(hdus: fits.HDUList, name: str) -> Rows:
    """Row of ``headers``: keywords of the primary and the first extension header."""
    headers = [hdu.header for hdu in hdus[:2]]
    row = keywords(Header, _NAMES, headers, name)
    if isinstance(row["lamptab"], str):
        row["lamptab"] = row["lamptab"].rsplit("$", 1)[-1]
    return Rows(Header, [{"rootname": root_of(headers[0], name), **_without_placeholders(row)}])


def _without_placeholders(row: dict[str, object]) -> dict[str, object]:
    """Row in which 0.0 that was never measured is None: before calibration, and of the segment that is not there."""
    other = {"FUVA": "b", "FUVB": "a"}.get(str(row["segment"]), "")
    letters = "abc" if row["cal_ver"] is None else other
    placeholders = {f"{name}{letter}" for name in _MEASURED for letter in letters}
    return {column: None if column in placeholders and value == 0.0 else value for column, value in row.items()}
