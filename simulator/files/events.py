"""Writer of ``rawtag`` files."""

import numpy as np
from astropy.io import fits

from simulator.forward.recording import Recording

__all__ = ["event_hdus"]


def event_hdus(
    recording: Recording, exptime: float, is_fuv: bool
) -> tuple[fits.BinTableHDU, fits.BinTableHDU]:
    """Return EVENTS and GTI extensions of a raw TIME-TAG file.

    Parameters
    ----------
    recording
        What the detector recorded.
    exptime
        Seconds; the one good-time interval is from 0 to there.
    is_fuv
        Whether there are pulse heights.
    """
    columns = [
        fits.Column("TIME", "1E", unit="seconds", array=recording.time),
        fits.Column("RAWX", "1I", unit="pixels", array=recording.x),
        fits.Column("RAWY", "1I", unit="pixels", array=recording.y),
    ]
    if is_fuv:
        columns.append(fits.Column("PHA", "1B", array=recording.pulse_height))
    events = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    events.header["EXTVER"] = 1
    intervals = [
        fits.Column("START", "1D", unit="seconds", array=np.array([0.0])),
        fits.Column("STOP", "1D", unit="seconds", array=np.array([exptime])),
    ]
    good = fits.BinTableHDU.from_columns(intervals, name="GTI")
    good.header["EXTVER"] = 1
    return events, good
