"""Names of COS files: ``<rootname>_<suffix>.fits[.gz]``.

Source: COS Data Handbook, section 2.2 and Table 2.1.
"""

import re
from dataclasses import dataclass

from shared.errors import PermanentError

__all__ = ["FileName", "is_association", "parse_name", "stem_of"]

_NAME = re.compile(r"^(?P<stem>(?P<rootname>[A-Za-z0-9]{9})_(?P<suffix>[A-Za-z0-9_]+))\.fits(?:\.gz)?$")


@dataclass(frozen=True)
class FileName:
    """Parts of a file name; the rootname is lower case, 9 characters."""

    stem: str
    rootname: str
    suffix: str


def stem_of(name: str) -> str | None:
    """Name up to ``.fits``, by which plain and gzipped twins are one; None for what is not a FITS file."""
    for ending in (".fits.gz", ".fits"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
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
        If it is not the name of a COS dataset's file.
    """
    match = _NAME.match(name)
    if match is None:
        raise PermanentError(f"{name} is not named <rootname>_<suffix>.fits[.gz] with a rootname of 9 characters")
    return FileName(match["stem"], match["rootname"].lower(), match["suffix"].lower())


def is_association(rootname: str) -> bool:
    """Whether a rootname is an association's: it ends in ``0``."""
    return rootname.endswith("0")
