"""From a FITS file to typed rows: one pure extractor per kind of file."""

from pathlib import Path

from astropy.io import fits

from services.ingestor.extractors.acquisitions import extract_acquisition, extract_lamp_image
from services.ingestor.extractors.headers import extract_headers
from services.ingestor.extractors.lampflashes import extract_lampflashes
from services.ingestor.extractors.reading import Rows, open_hdus
from services.ingestor.extractors.spectra import extract_spectrum
from services.ingestor.extractors.support import extract_support
from shared.cos.names import parse_name

__all__ = ["EXTRACTED_SUFFIXES", "HEADER_PREFERENCE", "Rows", "extract"]

HEADER_PREFERENCE = (
    "x1d",
    "corrtag_a",
    "corrtag_b",
    "corrtag",
    "rawtag_a",
    "rawtag_b",
    "rawtag",
    "rawaccum_a",
    "rawaccum_b",
    "rawaccum",
    "rawacq",
)
"""Kinds of file that a rootname's header is read from; readers see the first one that there is."""

EXTRACTED_SUFFIXES = frozenset({*HEADER_PREFERENCE, "lampflash", "spt"})
"""Kinds of file that rows are made of."""


def extract(path: Path, name: str, references: Path | None) -> list[Rows]:
    """Rows of every table that a file has something for.

    Parameters
    ----------
    path
        Local file, plain or gzipped.
    name
        Its name.
    references
        Folder with the lamp templates; None where there is none.

    Raises
    ------
    PermanentError
        If the file cannot be read, or a table, column or keyword is missing or wrong; the message names it.
    """
    suffix = parse_name(name).suffix
    with open_hdus(path, name) as hdus:
        return _extract(hdus, suffix, name, references)


def _extract(hdus: fits.HDUList, suffix: str, name: str, references: Path | None) -> list[Rows]:
    match suffix:
        case "spt":
            return [extract_support(hdus, name)]
        case "lampflash":
            return [extract_lampflashes(hdus, name, references)]
        case "x1d":
            return [extract_headers(hdus, name), extract_spectrum(hdus, name)]
        case "rawacq":
            return [extract_headers(hdus, name), extract_acquisition(hdus, name), extract_lamp_image(hdus, name)]
        case _:
            return [extract_headers(hdus, name)]
