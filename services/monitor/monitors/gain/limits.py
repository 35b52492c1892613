"""Limits of pulse heights about the modal gain (PHAFILE).

The file, its checks and the difference to the active one.

Structure and use: CalCOS 3.6.2, ``timetag.filterPHA``: of each segment the lowest and the highest
pulse height that is kept at each pixel.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from services.monitor.framework.declaration import Columns, Finding, NewArtifact, Reference
from services.monitor.library.pulse_heights import LOST_HIGH, LOST_LOW
from services.monitor.library.reference_files import is_ready, primary_hdu, wrong_header
from services.monitor.monitors.gain.maps import GainMap, packed
from services.monitor.monitors.gain.rules import CHECKED
from shared.cos.detector import FUV_SEGMENTS, GAIN_SHAPE, X_BINNING, Y_BINNING

__all__ = ["LIMITS", "check", "limits_artifact", "limits_findings"]

_BELOW, _ABOVE = 7.0, 3.0
"""Limits of pulse heights lie so many bins below and above the modal gain (legacy gain monitor)."""

_HEIGHTS = 32
"""Pulse heights are below this."""

_SHAPE = (GAIN_SHAPE[0] * Y_BINNING, GAIN_SHAPE[1] * X_BINNING)

Limits = dict[str, tuple[np.ndarray, np.ndarray]]
"""Lowest and highest pulse height by superpixel, of each segment; shape (512, 2048)."""


def limits_artifact(maps: Sequence[GainMap], first: float, active: Columns) -> NewArtifact:
    """Return the PHAFILE: the lowest and the highest pulse height that is to be kept at each pixel.

    Parameters
    ----------
    maps
        Of FUVA and of FUVB, at the voltages in use: CalCOS wants the images of both.
    first
        MJD of the oldest gain.
    active
        Columns of `LIMITS`.
    """
    last = max(one.mjd for one in maps)
    primary = primary_hdu(
        "PHAFILE", "FUV", last, "Pulse height limits about the modal gain", oldest=first
    )
    primary.header.update(OBSSTART=first, OBSEND=last)
    hdus, limits = fits.HDUList([primary]), {one.segment: _limits_of(one) for one in maps}
    for one in maps:
        primary.header[f"DETHV{one.segment[-1]}"] = one.level
        for version, image in enumerate(limits[one.segment], start=1):
            pixels = np.repeat(np.repeat(image, Y_BINNING, axis=0), X_BINNING, axis=1)
            hdus.append(fits.ImageHDU(pixels, name=one.segment, ver=version))
    known = bool(len(active["name"]))
    detail: dict[str, Any] = {
        "hvlevels": {one.segment: one.level for one in maps},
        "wrong": check(hdus),
        "active": str(active["name"][0]) if known else None,
        "difference": _difference(limits, _read_columns(active)) if known else None,
    }
    detail["ready"] = is_ready(detail, 0)
    return NewArtifact(
        kind="PHAFILE", name="cosmo_phf.fits.gz", content=packed(hdus), detail=detail
    )


def _limits_of(one: GainMap) -> tuple[np.ndarray, np.ndarray]:
    gain = one.image("MOD_GAIN")
    # Where the gain is unknown, the limits are those of every pixel.
    low = np.where(np.isfinite(gain), np.maximum(np.floor(gain - _BELOW), LOST_LOW), LOST_LOW)
    high = np.where(np.isfinite(gain), np.minimum(np.ceil(gain + _ABOVE), LOST_HIGH), LOST_HIGH)
    return low.astype(np.uint8), high.astype(np.uint8)


def check(hdus: fits.HDUList) -> list[str]:
    """Say what is wrong with a PHAFILE that shall be delivered; nothing if it may be.

    Parameters
    ----------
    hdus
        HDUs of the file.
    """
    header = hdus[0].header
    wrong = list(wrong_header(header, "PHAFILE", ("FUV",)))
    wrong += [
        f"{name} is missing"
        for name in ("DETHVA", "DETHVB", "OBSSTART", "OBSEND")
        if name not in header
    ]
    there = {(hdu.name, hdu.ver): hdu for hdu in hdus[1:]}
    for segment in FUV_SEGMENTS:
        missing = [version for version in (1, 2) if (segment, version) not in there]
        wrong += [f"no image {version} of {segment}" for version in missing]
        if not missing:
            wrong += [
                f"{segment}: {reason}"
                for reason in _wrong_with(*(there[segment, one].data for one in (1, 2)))
            ]
    return wrong


def _wrong_with(low: np.ndarray, high: np.ndarray) -> Iterator[str]:
    if {low.shape, high.shape} != {_SHAPE} or {low.dtype, high.dtype} != {np.dtype(np.uint8)}:
        yield f"images are not of {_SHAPE[1]} by {_SHAPE[0]} pixels of 8 bits"
    elif (low > high).any():
        yield "a lowest pulse height is above the highest"
    elif high.max() >= _HEIGHTS:
        yield f"a pulse height is above {_HEIGHTS - 1}"


def _read_limits(paths: Sequence[Path]) -> Columns:
    """Return name of the first file, and its limits: of the pixels of a superpixel the widest."""
    columns: dict[str, np.ndarray] = {
        "name": np.array([path.name for path in paths[:1]], dtype=object)
    }
    for segment in FUV_SEGMENTS:
        for version in (1, 2):
            images = np.empty(len(paths[:1]), dtype=object)
            for place, path in enumerate(paths[:1]):
                with fits.open(path) as hdus:
                    images[place] = _by_superpixel(
                        hdus[segment, version].data, np.minimum if version == 1 else np.maximum
                    )
            columns[f"{segment} {version}"] = images
    return columns


def _by_superpixel(image: np.ndarray, widest: np.ufunc) -> np.ndarray:
    blocks = image.reshape(GAIN_SHAPE[0], Y_BINNING, GAIN_SHAPE[1], X_BINNING)
    found: np.ndarray = widest.reduce(widest.reduce(blocks, axis=3), axis=1)
    return found


LIMITS = Reference(keyword="PHAFILE", read=_read_limits)
"""The active PHAFILE: ``name``, and images by superpixel in ``FUVA 1`` (lowest), ``FUVA 2``
(highest) and so on.
"""


def _read_columns(active: Columns) -> Limits:
    return {
        segment: (active[f"{segment} 1"][0], active[f"{segment} 2"][0]) for segment in FUV_SEGMENTS
    }


def _difference(new: Limits, active: Limits) -> dict[str, dict[str, int]]:
    """Return how many superpixels of each segment keep pulse heights no longer (``narrowed``), or
    newly (``widened``).
    """
    found: dict[str, dict[str, int]] = {"narrowed": {}, "widened": {}}
    for segment, (low, high) in new.items():
        before_low, before_high = active[segment]
        found["narrowed"][segment] = int(
            np.count_nonzero((low > before_low) | (high < before_high))
        )
        found["widened"][segment] = int(np.count_nonzero((low < before_low) | (high > before_high)))
    return found


def limits_findings(artifact: NewArtifact, newest: float) -> Iterator[Finding]:
    """Apply the rule: the file may be delivered.

    That it cannot be compared is usual: CalCOS goes without one by default.

    Parameters
    ----------
    artifact
        The file.
    newest
        Time of the newest gain of all, MJD.
    """
    wrong = artifact.detail["wrong"]
    if wrong:
        message = f"{artifact.name} may not be delivered: {'; '.join(wrong)}"
        yield CHECKED.finding(message, newest, float(len(wrong)), configuration="PHAFILE")
