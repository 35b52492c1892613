"""Names of COS files.

``<rootname>_<suffix>.fits[.gz]``, and of the files that belong to no exposure.

A name counts whatever its case; its canonical form, which CalCOS finds, is lower case. Association
tables and what CalCOS calls after their product may have any name before the suffix.

Source: COS Data Handbook, section 2.2 and Table 2.1; of the others the legacy monitors, which named
them.
"""

import re
from dataclasses import dataclass

from shared.errors import PermanentError

__all__ = [
    "FREE_NAME",
    "JITTER",
    "REPORT_ID",
    "STANDALONE",
    "FileName",
    "is_product",
    "parse_name",
    "stem_of",
]

FREE_NAME = r"[a-z0-9][a-z0-9_.+ -]*"
"""Names that an association or its product may have: file names on every system, without a folder.
"""

_NAMES = (
    re.compile(rf"(?P<rootname>{FREE_NAME})_(?P<suffix>asn|x1dsum\d*|fltsum|jnk)\.fits(?:\.gz)?"),
    re.compile(r"(?P<rootname>[a-z0-9]{9})_(?P<suffix>[a-z0-9_]+)\.fits(?:\.gz)?"),
)
"""Association tables and files that CalCOS 3.6.2 calls after a product (`fpavg`, `average`,
`copySptFile`).

Others.
"""

_DOCUMENTS = (
    "AUTHORS|CHANGES|CONTENTS|COPYING|HISTORY|INDEX|INSTALL|LICENCE|LICENSE|MANIFEST|NEWS|NOTES|"
    "NOTICE|README|TODO"
)
"""Names of texts that have the form of a mnemonic, and lie in folders of every kind."""

_STANDALONE = {
    "sms": re.compile(r"(?P<stem>\d{5}[0-9a-z][a-z][0-9a-z]{1,2})\.(?:txt|l-exp)", re.IGNORECASE),
    "cci": re.compile(r"(?P<stem>l_\d{13}_0[0-3]_\d{3}_cci)\.fits(?:\.gz)?", re.IGNORECASE),
    "darkrates": re.compile(r"(?P<stem>orbital_info\w*)\.json(?:\.gz)?", re.IGNORECASE),
    "readings": re.compile(rf"(?!(?:{_DOCUMENTS})\.)(?P<stem>[A-Z][A-Z0-9]{{2,7}})\.txt"),
}
"""Names by suffix. SMS report: its first day (yyddd) with a number, and its version.

FUV cumulative image: date
(yyyydddhhmmss), 00 FUVA or 01 FUVB of TIME-TAG exposures, 02 FUVA or 03 FUVB of ACCUM ones, high
voltage level; external dark rates; readings: mnemonic of the telemetry."""

REPORT_ID = 6
"""Characters of the name of an SMS report that are its id; what follows is its version."""

JITTER = ("jit", "jif")
"""Suffixes of jitter files, which CalCOS does not read."""

STANDALONE = {
    "sms": "schedule",
    "cci": "cumulative image",
    "darkrates": "measurements",
    "readings": "telemetry",
}
"""Kind of dataset, by suffix, of the files that are one each by themselves."""


_PRODUCT = re.compile(r"x1d|x1dsum[1-4]?|(?:corrtag|flt|counts)(?:_[ab])?|fltsum|lampflash|trl")
"""Suffixes of the calibrated products that the archive hands out (COS Data Handbook, table 2.1.

CADC's list).
"""


@dataclass(frozen=True)
class FileName:
    """Parts of a file name.

    Attributes
    ----------
    stem
        Canonical name up to ``.fits``.
    rootname
        Lower case: of an exposure, 9 characters; of an association or product as it is named; the
        whole stem of a file by itself.
    suffix
        Kind of file, lower case.
    name
        Canonical name of the whole file.
    """

    stem: str
    rootname: str
    suffix: str
    name: str


def stem_of(name: str) -> str | None:
    """Return the canonical name up to ``.fits``, by which plain and gzipped twins are one.

    None for what is no file of COS.
    """
    parsed = _parse(name)
    return parsed.stem if parsed else None


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
    parsed = _parse(name)
    if parsed is None:
        raise PermanentError(
            f"{name} is not named <rootname>_<suffix>.fits[.gz] with a rootname of 9 characters"
        )
    return parsed


def _parse(name: str) -> FileName | None:
    for suffix, pattern in _STANDALONE.items():
        if match := pattern.fullmatch(name):
            # A mnemonic is upper case; other names count whatever their case, and versions of one
            # share its stem.
            stem = match["stem"] if suffix == "readings" else match["stem"].lower()
            return FileName(stem, stem.lower(), suffix, name)
    for pattern in _NAMES:
        if match := pattern.fullmatch(name.lower()):
            stem = f"{match['rootname']}_{match['suffix']}"
            return FileName(stem, match["rootname"], match["suffix"], match.string)
    return None


def is_product(name: FileName) -> bool:
    """Return whether a file is a calibrated product of COS.

    The header of a trailer does not say of which instrument it is.
    """
    return _PRODUCT.fullmatch(name.suffix) is not None and (
        name.suffix != "trl" or name.rootname.startswith("l")
    )
