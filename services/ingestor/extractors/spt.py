"""Support files: engineering keywords and telemetry of the first snapshot."""

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.rows import Rows, Source, keywords, root_of
from services.ingestor.extractors.telemetry import reading_of
from shared.cos.dates import parse_day_of_year
from shared.database.models.science import Support, Telemetry
from shared.errors import PermanentError
from shared.fits import Header

__all__ = ["EXTRACTORS", "MNEMONICS", "extract_support", "extract_telemetry"]

_HDUS = 3
"""Primary, SUPPORT and SNAP1; SNAP2 of acquisitions is filled with sentinels."""

MNEMONICS = (
    "LAPDSTP",
    "LAPXSTP",
    "LD2LMP1T",
    "LD2LMP2T",
    "LDCAMPAT",
    "LDCAMPBT",
    "LDCEDECA",
    "LDCEDECB",
    "LDCEFECA",
    "LDCEFECB",
    "LDCHVMNA",
    "LDCHVMNB",
    "LDCHVNMA",
    "LDCHVNMB",
    "LDCHVSTA",
    "LDCHVSTB",
    "LDCIMONA",
    "LDCIMONB",
    "LDCSTATE",
    "LMEVENTS",
    "LMMCETMP",
    "LMMCPI",
    "LMMCPV",
    "LOM1STP",
    "LOM2STP",
    "LOMFSTP",
    "LOSM1POS",
    "LOSM2POS",
    "LPNLMP1I",
    "LPNLMP1T",
    "LPNLMP2I",
    "LPNLMP2T",
)
"""Mnemonics that the monitors follow (spacetelescope/cosmo): aperture block, lamps, detectors,
OSMs.
"""


def _snapshot(source: Source) -> list[Header]:
    headers = list(source.file.headers[:_HDUS])
    if len(headers) < _HDUS:
        raise PermanentError(
            f"{source.name}: {len(headers)} HDUs where a support file has at least {_HDUS}"
        )
    return headers


def extract_support(source: Source) -> Rows:
    """Return the row of ``spt``.

    Raises
    ------
    PermanentError
        If a telemetry snapshot is missing.
    """
    return Rows(
        Support,
        [{"rootname": root_of(source), **keywords(Support, source, headers=_snapshot(source))}],
    )


def extract_telemetry(source: Source) -> Rows:
    """Return the rows of ``telemetry``.

    Readings of the first snapshot at the predicted start of the exposure, as far as known.

    Raises
    ------
    PermanentError
        If the snapshot is missing.
    """
    primary, _, snapshot = _snapshot(source)
    root, mjd = root_of(source), _start(source, primary)
    readings = {mnemonic: snapshot.get(mnemonic) for mnemonic in MNEMONICS}
    return Rows(
        Telemetry,
        [
            {"rootname": root, "mnemonic": mnemonic, "mjd": mjd, **reading_of(reading)}
            for mnemonic, reading in readings.items()
            if reading not in (None, "", "N/A")
        ],
    )


def _start(source: Source, primary: Header) -> float | None:
    text = str(primary.get("PSTRTIME") or "").strip()
    try:
        return parse_day_of_year(text) if text else None
    except PermanentError as error:
        source.note(f"primary header: PSTRTIME: {error}")
        return None


EXTRACTORS = (
    Extractor(table=Support, suffixes=("spt",), extract=extract_support),
    Extractor(table=Telemetry, suffixes=("spt",), extract=extract_telemetry),
)
