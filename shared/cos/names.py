"""Names of COS files: ``<rootname>_<suffix>.fits[.gz]``, and of the files that belong to no exposure.

Source: COS Data Handbook, section 2.2 and Table 2.1; of the others the legacy monitors, which named them.
"""

import re
from dataclasses import dataclass

from shared.errors import PermanentError

__all__ = ["STANDALONE", "FileName", "is_association", "parse_name", "stem_of"]

_NAME = re.compile(r"^(?P<stem>(?P<rootname>[A-Za-z0-9]{9})_(?P<suffix>[A-Za-z0-9_]+))\.fits(?:\.gz)?$")

_STANDALONE = {
    "sms": re.compile(r"(?P<stem>\d{5}[0-9a-z][a-z][0-9a-z])\.(?:txt|l-exp)", re.IGNORECASE),
    "cci": re.compile(r"(?P<stem>l_\d{13}_0[0-3]_\d{3}_cci)\.fits(?:\.gz)?", re.IGNORECASE),
    "darkrates": re.compile(r"(?P<stem>orbital_info\w*)\.json(?:\.gz)?", re.IGNORECASE),
    "readings": re.compile(r"(?P<stem>L(?:AP|D2|DC|ME|MM|NT|OM|OS|PN)[A-Z0-9]{2,5})\.txt"),
}
"""Names by suffix. SMS report: its first day (yyddd) with a number, and its version; FUV cumulative image: date
(yyyydddhhmmss), 00 FUVA or 01 FUVB of TIME-TAG exposures, 02 FUVA or 03 FUVB of ACCUM ones, high voltage level; dark
rates of others; readings: mnemonic of the telemetry, of the families of aperture block, lamps, detectors and OSMs,
since a folder may hold a LICENSE.txt too."""

STANDALONE = {"sms": "schedule", "cci": "cumulative image", "darkrates": "measurements", "readings": "telemetry"}
"""Kind of dataset, by suffix, of the files that are one each by themselves."""


@dataclass(frozen=True)
class FileName:
    """Parts of a file name; the rootname is lower case, 9 characters, or the whole stem of a file by itself."""

    stem: str
    rootname: str
    suffix: str


def stem_of(name: str) -> str | None:
    """Name up to ``.fits``, by which plain and gzipped twins are one; None for what is no file of COS."""
    if standalone := _standalone(name):
        return standalone.stem
    for ending in (".fits.gz", ".fits"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return None


def _standalone(name: str) -> FileName | None:
    for suffix, pattern in _STANDALONE.items():
        if match := pattern.fullmatch(name):
            return FileName(match["stem"], match["stem"].lower(), suffix)
    return None


def parse_name(name: str) -> FileName:
    """Take a file name apart.

    Parameters
    ----------
    name
        Name without folder.

    Raises
    ------
    PermanentError
        If it is not the name of a file of COS.
    """
    if standalone := _standalone(name):
        return standalone
    match = _NAME.match(name)
    if match is None:
        raise PermanentError(f"{name} is not named <rootname>_<suffix>.fits[.gz] with a rootname of 9 characters")
    return FileName(match["stem"], match["rootname"].lower(), match["suffix"].lower())


def is_association(rootname: str) -> bool:
    """Whether a rootname is an association's: it ends in ``0``."""
    return rootname.endswith("0")
