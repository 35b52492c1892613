"""Exposures of the real association, as small as a test can do with."""

import shutil
from pathlib import Path

from astropy.io import fits

__all__ = ["put_exposure"]


def put_exposure(
    data_dir: Path,
    folder: Path,
    rootname: str,
    *,
    association: bool = False,
    light: bool = True,
) -> None:
    """Put an exposure of the real association into a source.

    Parameters
    ----------
    data_dir, folder
        The real data, and the source.
    rootname
        Of the exposure.
    association
        Whether it stays a member of the association.
    light
        Whether nearly every calibration step is switched off, so that CalCOS takes half of its
        time.
    """
    folder.mkdir(exist_ok=True)
    raw = data_dir / "ldfd01010" / "raw"
    with fits.open(raw / f"{rootname}_rawtag_a.fits.gz") as hdus:
        header = hdus[0].header
        if light:
            performed = [keyword for keyword, value in header.items() if value == "PERFORM"]
            for keyword in set(performed) - {"PHACORR"}:
                header[keyword] = "OMIT"
        if not association:
            header["ASN_ID"] = header["ASN_TAB"] = "NONE"
        hdus.writeto(folder / f"{rootname}_rawtag_a.fits")
    shutil.copyfile(raw / f"{rootname}_spt.fits.gz", folder / f"{rootname}_spt.fits.gz")
