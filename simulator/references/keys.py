"""Kinds of reference files: keywords, types, names and what they are selected by."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["KINDS", "Key", "Kind"]


@dataclass(frozen=True)
class Kind:
    """A kind of reference file.

    Attributes
    ----------
    suffix
        End of its file names.
    filetype
        FILETYPE that CalCOS demands.
    selection
        What, next to the detector, one file is chosen by: fields of `Key`.
    """

    suffix: str
    filetype: str
    selection: tuple[str, ...] = ()


_LIFE = ("life_adj",)
_MODE = ("life_adj", "opt_elem", "cenwave")

KINDS = {
    "FLATFILE": Kind("flat", "FLAT FIELD REFERENCE IMAGE"),
    "DEADTAB": Kind("dead", "DEADTIME REFERENCE TABLE"),
    "BPIXTAB": Kind("bpix", "DATA QUALITY INITIALIZATION TABLE"),
    "SPOTTAB": Kind("spot", "TRANSIENT BAD PIXEL REFERENCE TABLE"),
    "GSAGTAB": Kind("gsag", "GAIN SAG REFERENCE TABLE"),
    "BRFTAB": Kind("brf", "BASELINE REFERENCE FRAME TABLE"),
    "GEOFILE": Kind("geo", "GEOMETRIC DISTORTION REFERENCE IMAGE"),
    "DGEOFILE": Kind("dgeo", "DELTA GEOMETRIC CORRECTION REFERENCE IMAGE"),
    "XWLKFILE": Kind("xwalk", "X WALK CORRECTION LOOKUP REFERENCE IMAGE"),
    "YWLKFILE": Kind("ywalk", "Y WALK CORRECTION LOOKUP REFERENCE IMAGE"),
    "PHATAB": Kind("pha", "PULSE HEIGHT PARAMETERS REFERENCE TABLE"),
    "BADTTAB": Kind("badt", "BAD TIME INTERVALS TABLE"),
    "BRSTTAB": Kind("burst", "BURST PARAMETERS TABLE"),
    "HVDSTAB": Kind("hvds", "HV SENSITIVITY TABLE TO CORRECT EPSILON BASED ON EXPOSURE HV"),
    "TRACETAB": Kind("trace", "1D SPECTRAL TRACE TABLE", _LIFE),
    "PROFTAB": Kind("profile", "2D SPECTRUM PROFILE TABLE", _MODE),
    "TWOZXTAB": Kind("2zx", "TWO-ZONE SPECTRAL EXTRACTION PARAMETERS TABLE", _LIFE),
    "XTRACTAB": Kind("1dx", "1-D EXTRACTION PARAMETERS TABLE", _LIFE),
    "LAMPTAB": Kind("lamp", "TEMPLATE CAL LAMP SPECTRA TABLE"),
    "DISPTAB": Kind("disp", "DISPERSION RELATION REFERENCE TABLE"),
    "FLUXTAB": Kind("phot", "PHOTOMETRIC SENSITIVITY REFERENCE TABLE"),
    "TDSTAB": Kind("tds", "TIME DEPENDENT SENSITIVITY TABLE"),
    "SPWCSTAB": Kind("spwcs", "SPECTROSCOPIC WCS PARAMETERS TABLE"),
    "WCPTAB": Kind("wcp", "WAVECAL PARAMETERS REFERENCE TABLE"),
}
"""Kinds by their header keyword; file types as CalCOS 3.6.2 compares them."""


@dataclass(frozen=True)
class Key:
    """One reference file.

    Attributes
    ----------
    keyword
        Header keyword.
    detector
        FUV or NUV.
    life_adj, opt_elem, cenwave
        What it is for; 0 and empty where it serves all.
    version
        Counts changes of its content.
    content
        What its content depends on beside all this, such as the intervals of a bad-time table.
    """

    keyword: str
    detector: str
    life_adj: int = 0
    opt_elem: str = ""
    cenwave: int = 0
    version: int = 1
    content: str = ""

    @property
    def name(self) -> str:
        """File name in the manner of real ones.

        Nine characters that end in ``l``, and the kind's suffix.

        A change of the instrument's description changes all names, so that no folder of files is
        ever outdated.
        """
        number = int(hashlib.sha256(f"{self!r} {_description()}".encode()).hexdigest(), 16)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"
        text = "".join(digits[number // 36**place % 36] for place in range(7))
        return f"s{text}l_{KINDS[self.keyword].suffix}.fits"


@cache
def _description() -> str:
    """Return the digest of the code that describes the instrument and makes its files."""
    package = Path(__file__).parents[1]
    sources = sorted([*package.glob("instrument/*.py"), *package.glob("references/*.py")])
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
