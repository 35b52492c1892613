"""Where a run is not what its headers say.

CalCOS 3.6.2 flags events in a copy that it throws away when it filters by PHAFILE and when it finds small bursts: the
tallies in the headers are right, the events go on into the spectrum.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits

__all__ = ["product_warnings"]

_BURST, _PULSE_HEIGHT = 64, 512
"""Data quality flags of events (COS Data Handbook, table 2.19)."""

_FELL_BACK = "initial reference file aperture center"
"""What CalCOS prints when it aligns a spectrum by its tables because it could not measure where it is."""


def product_warnings(outdir: Path, log: str) -> Iterator[str]:
    """Compare the tallies of headers with the flags of events, and look for alignment that fell back.

    Parameters
    ----------
    outdir
        Folder that CalCOS wrote to; whatever is damaged in it is not judged here.
    log
        What CalCOS printed.
    """
    if fell_back := log.count(_FELL_BACK):
        yield (
            f"ALGNCORR could not measure where {fell_back} of the spectra lie and aligned them by the centre that the "
            "extraction table gives; see the trailer"
        )
    for path in sorted(outdir.glob("*_corrtag*.fits")):
        try:
            with fits.open(path) as hdus:
                primary, header, quality = hdus[0].header, hdus[1].header, np.asarray(hdus[1].data["DQ"])
        except (OSError, KeyError, TypeError, ValueError):
            continue
        yield from _tallies(path.name, primary, header, quality)


def _tallies(name: str, primary: fits.Header, header: fits.Header, quality: np.ndarray) -> Iterator[str]:
    side = str(primary.get("SEGMENT", "")).strip()[-1:]
    for tally, flag, what in ((f"NPHA_{side}", _PULSE_HEIGHT, "pulse height"), (f"NBRST_{side}", _BURST, "bursts")):
        counted, flagged = int(header.get(tally, 0)), int(np.count_nonzero(quality & flag))
        if counted > 0 and flagged == 0:
            yield (
                f"{name}: {tally} counts {counted} events rejected for {what}, and none of them is flagged: CalCOS "
                "extracts them all the same"
            )
