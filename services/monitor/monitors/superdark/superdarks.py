"""Superdarks: dark counts of many exposures by superpixel and pulse height, as FITS files."""

import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from services.monitor.framework.declaration import Columns
from services.monitor.framework.rules import Rule, always
from services.monitor.monitors.superdark.maps import Cells, DarkMap, inner_cells, sliced
from shared.cos.detector import X_BINNING, Y_BINNING

__all__ = ["ACTIVE", "INTERVAL_DAYS", "PERIOD_DAYS", "Superdark", "content_of", "superdarks_of"]

PERIOD_DAYS = 30.0
"""Length of the periods that hot spots are looked for in: the month of the dark monitor's rule."""

INTERVAL_DAYS = 90.0
"""Length of a superdark's interval: three periods, after which a feature counts as one of the
detector.
"""

ACTIVE = Rule(
    name="active",
    severity=None,
    text="a dark above {:g} times the median rate of its interval makes a superdark of its own "
    "kind",
    thresholds=always(
        1.5,
        "COSMO: between the quiet darks and those near the South Atlantic Anomaly, 1.1 to 2.1e-6",
    ),
)

_SLICES = range(1, 31)
"""Pulse heights of which a superdark has an image each (``acdc-hst``: from 1 up to but without 31).
"""


@dataclass(frozen=True)
class Superdark:
    """What a superdark is of.

    Attributes
    ----------
    hvlevel
        High-voltage level; NaN for NUV.
    interval
        Number of its interval: start over `INTERVAL_DAYS`.
    active
        Whether it is of the darks of raised rate.
    mjd
        Starts of its exposures, shape (n,).
    seconds
        Their good time together.
    rate
        Counts/s of any pulse height in the active area.
    """

    detector: str
    hvlevel: float
    interval: int
    active: bool
    mjd: np.ndarray
    seconds: float
    rate: float

    @property
    def start(self) -> float:
        """Start of its interval, MJD."""
        return self.interval * INTERVAL_DAYS

    @property
    def name(self) -> str:
        """Name of its file."""
        level = f"_{self.hvlevel:.0f}" if np.isfinite(self.hvlevel) else ""
        kind = "active" if self.active else "quiet"
        return f"superdark_{self.detector.lower()}{level}_{self.start:.0f}_{kind}.fits.gz"


def superdarks_of(darks: Columns) -> Iterator[Superdark]:
    """Yield the superdarks of all darks, in the order of time.

    Parameters
    ----------
    darks
        ``detector``, ``mjd``, ``exposure``, ``hvlevel`` and ``counts`` of each exposure.
    """
    interval = np.floor_divide(darks["mjd"], INTERVAL_DAYS)
    level = np.nan_to_num(darks["hvlevel"], nan=-1.0)
    keys = list(zip(interval.tolist(), darks["detector"].tolist(), level.tolist(), strict=True))
    places: dict[tuple[float, str, float], list[int]] = {}
    for place, key in enumerate(keys):
        if darks["exposure"][place] > 0:
            places.setdefault(key, []).append(place)
    for (number, detector, voltage), chosen in sorted(places.items()):
        rate = darks["counts"][chosen] / darks["exposure"][chosen]
        raised = rate > np.median(rate) * ACTIVE.at(darks["mjd"][chosen])
        for active in (False, True):
            mine = np.array(chosen)[raised == active]
            if len(mine):
                seconds = float(darks["exposure"][mine].sum())
                yield Superdark(
                    detector,
                    voltage if voltage >= 0 else np.nan,
                    int(number),
                    active,
                    darks["mjd"][mine],
                    seconds,
                    float(darks["counts"][mine].sum()) / seconds,
                )


def content_of(superdark: Superdark, maps: Sequence[DarkMap], sagged: np.ndarray | None) -> bytes:
    """Write a superdark as a gzipped FITS file, in the form of ``acdc-hst``.

    Parameters
    ----------
    superdark
        What it is of.
    maps
        Its exposures.
    sagged
        Superpixels that had sagged, shape (n, 2) as (x, y); None for NUV.
    """
    area = inner_cells(superdark.detector)
    counts = sliced(maps, area)
    primary = fits.PrimaryHDU()
    primary.header.update(
        TELESCOP="HST",
        INSTRUME="COS",
        DETECTOR=superdark.detector[:3],
        FILETYPE="SUPERDARK",
        SUPRDARK=True,
        SEGMENT="N/A" if superdark.detector == "NUV" else superdark.detector,
        EXPTIME=superdark.seconds,
        NFILES=len(maps),
        MJDSTART=min(one.mjd for one in maps),
        MJDEND=max(one.mjd for one in maps),
        ACTIVITY="ACTIVE" if superdark.active else "QUIET",
    )
    if np.isfinite(superdark.hvlevel):
        primary.header["HV"] = int(superdark.hvlevel)
    slices = (
        [(0, 32, counts.sum(axis=0))]
        if sagged is None
        else [(pha, pha + 1, counts[pha]) for pha in _SLICES]
    )
    hdus = fits.HDUList(
        [primary, *(_image(image, area, first, last) for first, last, image in slices)]
    )
    mask = np.zeros((area.y1 - area.y0, area.x1 - area.x0), dtype=np.uint8)
    if sagged is not None and len(sagged):
        x, y = sagged[:, 0] - area.x0, sagged[:, 1] - area.y0
        inside = (x >= 0) & (x < mask.shape[1]) & (y >= 0) & (y < mask.shape[0])
        mask[y[inside], x[inside]] = 1
    hdus.append(fits.ImageHDU(mask, name="DQ"))
    buffer = io.BytesIO()
    hdus.writeto(buffer)
    return gzip.compress(buffer.getvalue(), compresslevel=1, mtime=0)


def _image(image: np.ndarray, area: Cells, first: int, last: int) -> fits.ImageHDU:
    """Return the image of the counts of the pulse heights from first up to but without last."""
    small = image.max(initial=0) <= np.iinfo(np.int16).max
    hdu = fits.ImageHDU(image.astype(np.int16 if small else np.int32), name="SCI")
    hdu.header.update(
        BUNIT="count",
        PHASTART=first,
        PHAEND=last,
        XSTART=area.x0 * X_BINNING,
        XEND=area.x1 * X_BINNING,
        YSTART=area.y0 * Y_BINNING,
        YEND=area.y1 * Y_BINNING,
        XBINSIZE=X_BINNING,
        YBINSIZE=Y_BINNING,
    )
    return hdu
