"""Calibration switches of COS headers."""

__all__ = ["SWITCHES"]

SWITCHES = (
    "FLATCORR",
    "DEADCORR",
    "DQICORR",
    "STATFLAG",
    "TEMPCORR",
    "RANDCORR",
    "GEOCORR",
    "DGEOCORR",
    "IGEOCORR",
    "XWLKCORR",
    "YWLKCORR",
    "PHACORR",
    "BRSTCORR",
    "BADTCORR",
    "HVDSCORR",
    "TRCECORR",
    "ALGNCORR",
    "DOPPCORR",
    "HELCORR",
    "X1DCORR",
    "BACKCORR",
    "WAVECORR",
    "FLUXCORR",
    "TDSCORR",
    "PHOTCORR",
)
"""Calibration switches of CalCOS 3.6.2.

All are PERFORM or OMIT but STATFLAG, which is true or false.
"""
