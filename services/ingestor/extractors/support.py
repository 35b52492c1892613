"""Engineering keywords of support files."""

from astropy.io import fits

from services.ingestor.extractors.reading import Rows, keywords, root_of
from shared.database.models.science import Support
from shared.errors import PermanentError

__all__ = ["extract_support"]

_SPECIAL = {
    "dominant_gs": "DGESTAR",
    "secondary_gs": "SGESTAR",
    "start_time": "PSTRTIME",
    "search_dimensions": "LQTASCAN",
    "search_step_size": "LQTASTEP",
    "search_type": "LQTACENT",
    "search_floor": "LQTAFLOR",
}
_NAMES = {
    name: _SPECIAL.get(name, name.upper())
    for name in Support.__table__.columns.keys()  # noqa: SIM118 - a column collection, not a dict
    if name not in ("id", "file_id", "rootname")
}
_HDUS = 3
"""Primary, SUPPORT and SNAP1; SNAP2 of acquisitions is filled with sentinels."""


def extract_support(hdus: fits.HDUList, name: str) -> Rows:
    """Row of ``spt``.

    Raises
    ------
    PermanentError
        If a telemetry snapshot is missing.
    """
    if len(hdus) < _HDUS:
        raise PermanentError(f"{name}: {len(hdus)} HDUs where a support file has at least {_HDUS}")
    headers = [hdu.header for hdu in hdus[:_HDUS]]
    return Rows(Support, [{"rootname": root_of(headers[0], name), **keywords(Support, _NAMES, headers, name)}])
