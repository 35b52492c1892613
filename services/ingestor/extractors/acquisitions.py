"""Target acquisitions."""

from astropy.io import fits

from services.ingestor.extractors.reading import Rows, keywords, root_of
from shared.database.models.science import Acquisition, Lampflash

__all__ = ["extract_acquisition", "extract_lamp_image"]

_NAMES = {
    name: "TARGNAME" if name == "target" else name.upper()
    for name in Acquisition.__table__.columns.keys()  # noqa: SIM118 - a column collection, not a dict
    if name not in ("id", "file_id", "rootname")
}
_LAMP_NAMES = {
    "date": "EXPSTART",
    "proposid": "PROPOSID",
    "detector": "DETECTOR",
    "opt_elem": "OPT_ELEM",
    "cenwave": "CENWAVE",
    "fppos": "FPPOS",
    "cal_date": "DATE",
}


def extract_acquisition(hdus: fits.HDUList, name: str) -> Rows:
    """Row of ``acqs``."""
    headers = [hdu.header for hdu in hdus[:2]]
    return Rows(Acquisition, [{"rootname": root_of(headers[0], name), **keywords(Acquisition, _NAMES, headers, name)}])


def extract_lamp_image(hdus: fits.HDUList, name: str) -> Rows:
    """Row of ``lampflash`` for an acquisition image: where the lamp spot was, in user pixels (LAMPMXCR, LAMPMYCR)."""
    headers = [hdu.header for hdu in hdus[:2]]
    if "LAMPMXCR" not in headers[0]:
        return Rows(Lampflash)
    row = keywords(Lampflash, {**_LAMP_NAMES, "x_shift": "LAMPMXCR", "y_shift": "LAMPMYCR"}, headers, name)
    return Rows(Lampflash, [{"rootname": root_of(headers[0], name), **row, "flash": 1, "filetype": "rawacq"}])
