"""Exposures of the real association, as small as a test can do with."""

import shutil
from pathlib import Path

from astropy.io import fits

__all__ = ["put_exposure"]


def _light(source: Path, target: Path, association: bool) -> None:
    """Copy a raw file with nearly every calibration step switched off, so that CalCOS takes half of
    its time.
    """
    with fits.open(source) as hdus:
        header = hdus[0].header
        for keyword in [
            keyword
            for keyword, value in header.items()
            if value == "PERFORM" and keyword != "PHACORR"
        ]:
            header[keyword] = "OMIT"
        if not association:
            header["ASN_ID"] = header["ASN_TAB"] = "NONE"
        hdus.writeto(target)


def put_exposure(data_dir: Path, folder: Path, rootname: str, *, association: bool = False) -> None:
    """Put an exposure of the real association into a source."""
    folder.mkdir(exist_ok=True)
    raw = data_dir / "ldfd01010" / "raw"
    _light(raw / f"{rootname}_rawtag_a.fits.gz", folder / f"{rootname}_rawtag_a.fits", association)
    shutil.copyfile(raw / f"{rootname}_spt.fits.gz", folder / f"{rootname}_spt.fits.gz")
