"""Comparison of calibrated images with the truth of their exposures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from simulator.forward.imaging import TARGET_PLACE
from simulator.instrument.modes import CROSS_SCALE
from simulator.verify.result import FLUX_LIMIT, LINE_LIMIT, Result

__all__ = ["image_results"]

_APERTURE, _SKY = 45.0, 80.0


def image_results(path: Path, truth: dict[str, Any]) -> Iterator[Result]:
    """Count rate and place of the target.

    Parameters
    ----------
    path
        ``flt`` file.
    truth
        Truth of the exposure.
    """
    plan, root = truth["plan"], truth["plan"]["rootname"]
    with fits.open(path) as hdus:
        image, exptime = hdus["SCI"].data.astype(np.float64), hdus["SCI"].header["EXPTIME"]
        offset = hdus["SCI"].header.get("X_OFFSET", 0)
    moved = (
        np.zeros(2)
        if plan["flashes"]
        else np.array([truth["channels"]["NUVA"][f"shift{axis}"] for axis in (1, 2)])
    )
    place = np.array(TARGET_PLACE) + np.array(truth["target_offset"]) * CROSS_SCALE["NUV"] + moved
    y, x = np.indices(image.shape)
    distance = np.hypot(x - offset - place[0], y - place[1])
    inside, sky = distance < _APERTURE, (distance >= _APERTURE) & (distance < _SKY)
    star = np.where(inside, image - image[sky].mean(), 0.0)
    rate = float(star.sum())
    error = float(np.sqrt(image[inside].sum() / exptime))
    yield Result(
        root,
        "count rate",
        "NUV",
        truth["image_rate"],
        rate,
        error,
        FLUX_LIMIT * truth["image_rate"],
        "count/s",
    )
    for axis, grid, expected in (("x", x - offset, place[0]), ("y", y, place[1])):
        centroid = float((star * grid).sum() / rate)
        yield Result(root, "image", axis, float(expected), centroid, 0.0, LINE_LIMIT, "pixel")
