"""Reference files: which ones a raw header asks for, and where they are.

CalCOS reports a missing or wrong reference with an empty message, or half a run later; so they are checked before.
"""

import os
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits
from isal import igzip

from services.calibrator.headers import Exposure
from shared.errors import PermanentError
from shared.store import sha256_of

__all__ = ["Reference", "ReferenceFolder"]

FILETYPES = {
    "FLATFILE": "FLAT FIELD REFERENCE IMAGE",
    "DEADTAB": "DEADTIME REFERENCE TABLE",
    "BPIXTAB": "DATA QUALITY INITIALIZATION TABLE",
    "GSAGTAB": "GAIN SAG REFERENCE TABLE",
    "SPOTTAB": "TRANSIENT BAD PIXEL REFERENCE TABLE",
    "HVTAB": "FUV HIGH VOLTAGE HISTORY",
    "BRFTAB": "BASELINE REFERENCE FRAME TABLE",
    "GEOFILE": "GEOMETRIC DISTORTION REFERENCE IMAGE",
    "DGEOFILE": "DELTA GEOMETRIC CORRECTION REFERENCE IMAGE",
    "XWLKFILE": "X WALK CORRECTION LOOKUP REFERENCE IMAGE",
    "YWLKFILE": "Y WALK CORRECTION LOOKUP REFERENCE IMAGE",
    "PHATAB": "PULSE HEIGHT PARAMETERS REFERENCE TABLE",
    "PHAFILE": "PULSE HEIGHT THRESHOLD REFERENCE IMAGE",
    "BADTTAB": "BAD TIME INTERVALS TABLE",
    "BRSTTAB": "BURST PARAMETERS TABLE",
    "HVDSTAB": "HV SENSITIVITY TABLE TO CORRECT EPSILON BASED ON EXPOSURE HV",
    "TRACETAB": "1D SPECTRAL TRACE TABLE",
    "PROFTAB": "2D SPECTRUM PROFILE TABLE",
    "TWOZXTAB": "TWO-ZONE SPECTRAL EXTRACTION PARAMETERS TABLE",
    "XTRACTAB": "1-D EXTRACTION PARAMETERS TABLE",
    "LAMPTAB": "TEMPLATE CAL LAMP SPECTRA TABLE",
    "DISPTAB": "DISPERSION RELATION REFERENCE TABLE",
    "FLUXTAB": "PHOTOMETRIC SENSITIVITY REFERENCE TABLE",
    "TDSTAB": "TIME DEPENDENT SENSITIVITY TABLE",
    "SPWCSTAB": "SPECTROSCOPIC WCS PARAMETERS TABLE",
    "WCPTAB": "WAVECAL PARAMETERS REFERENCE TABLE",
}
"""Reference keywords that CalCOS 3.6.2 reads, with the FILETYPE that it demands of their files."""

_UNUSED = ("", "N/A")


@dataclass(frozen=True)
class Reference:
    """A reference file that a run uses: keyword, name and SHA-256."""

    keyword: str
    name: str
    sha256: str


class ReferenceFolder:
    """Reference files in a folder, plain or gzipped; gzipped ones are unpacked once.

    Parameters
    ----------
    folder
        Folder with the files; None where none is set.
    cache
        Folder that unpacked files live in; it is what ``lref`` points to.
    """

    def __init__(self, folder: Path | None, cache: Path) -> None:
        self._folder = folder
        self.cache = cache.resolve()
        self._checksums: dict[tuple[str, int, int], str] = {}

    def resolve(self, exposures: Iterable[Exposure]) -> list[Reference]:
        """Find, unpack and check every reference file that the headers name.

        Parameters
        ----------
        exposures
            Raw files.

        Raises
        ------
        PermanentError
            If a file is missing, unreadable or of another type; the message names the keyword and the file.
        """
        wanted: dict[tuple[str, str], Exposure] = {}
        for exposure in exposures:
            for keyword in FILETYPES:
                value = str(exposure.header.get(keyword, "")).strip()
                if value not in _UNUSED:
                    wanted.setdefault((keyword, value.rsplit("$", 1)[-1]), exposure)
        return [self._reference(keyword, name, exposure) for (keyword, name), exposure in sorted(wanted.items())]

    def _reference(self, keyword: str, name: str, exposure: Exposure) -> Reference:
        path = self._unpacked(keyword, name, exposure)
        try:
            filetype = str(fits.getheader(path).get("FILETYPE", "ANY")).strip()
        except OSError as error:
            raise PermanentError(f"{keyword} of {exposure.path.name}: {name} is no FITS file ({error})") from error
        if filetype not in (FILETYPES[keyword], "ANY"):
            raise PermanentError(
                f"{keyword} of {exposure.path.name}: {name} is a {filetype}, where a {FILETYPES[keyword]} belongs"
            )
        return Reference(keyword, name, self._checksum(path))

    def _checksum(self, path: Path) -> str:
        status = path.stat()
        key = (path.name, status.st_size, status.st_mtime_ns)
        if key not in self._checksums:
            self._checksums[key] = sha256_of(path)
        return self._checksums[key]

    def _unpacked(self, keyword: str, name: str, exposure: Exposure) -> Path:
        """Plain file in the cache, made or renewed from the folder."""
        if self._folder is None:
            raise PermanentError(
                "no folder of reference files is set; give --references or COSMO_CALIBRATOR__REFERENCES"
            )
        plain, zipped = self._folder / name, self._folder / f"{name}.gz"
        origin = plain if plain.is_file() else zipped
        if not origin.is_file():
            raise PermanentError(
                f"{keyword} of {exposure.path.name} names {name}, "
                f"which is not in {self._folder}; put it there and requeue"
            )
        target = self.cache / name
        modified = origin.stat().st_mtime_ns
        if target.is_file() and target.stat().st_mtime_ns == modified:
            return target
        self.cache.mkdir(parents=True, exist_ok=True)
        staged = self.cache / f".{name}.{uuid.uuid4().hex}"
        try:
            opener = igzip.open if origin is zipped else Path.open
            with opener(origin, "rb") as stream, staged.open("wb") as out:
                shutil.copyfileobj(stream, out, 1 << 20)
        except (OSError, EOFError) as error:
            staged.unlink(missing_ok=True)
            raise PermanentError(f"{keyword}: {origin.name} cannot be unpacked ({error}); fetch it again") from error
        os.utime(staged, ns=(modified, modified))
        staged.replace(target)
        return target
