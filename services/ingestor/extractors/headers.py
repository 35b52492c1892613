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


def extract_headers(hdus: fits.HDUList, name: str) -> Rows:
    """Row of ``headers``: keywords of the primary and the first extension header."""
    headers = [hdu.header for hdu in hdus[:2]]
    row = keywords(Header, _NAMES, headers, name)
    if isinstance(row["lamptab"], str):
        row["lamptab"] = row["lamptab"].rsplit("$", 1)[-1]
    return Rows(Header, [{"rootname": root_of(headers[0], name), **row}])
