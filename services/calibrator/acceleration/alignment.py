"""Alignment with the reference profile.

Events binned without a clearing pass, and flags of rows counted as booleans.

Replaces ``trace.rebinData`` and ``trace.rebinCounts`` (the compiled binning clears its image column
by column, against the grain of memory; the sums are the same, see :mod:`.images`) and
``trace.getGoodRows``, which turns 16.8 million flags into 64-bit integers to add them up; counting
the non-zero ones gives the same whole numbers. Saves 0.5 s and 130 MB for a segment.
"""

from typing import Any

import numpy as np
from calcos.calcosparam import SERIOUS_DQ_FLAGS
from calcos.trace import COLMIN
from numpy.typing import NDArray

from services.calibrator.acceleration.binning import bins_alike, can_bin, image, locate
from services.calibrator.acceleration.forms import is_array
from services.calibrator.acceleration.registry import Change, Function, Replacement

__all__ = ["REPLACEMENT"]


def _make_data(original: Function) -> Function:
    def rebin_data(events: Any, info: dict[str, Any]) -> NDArray[np.float32]:
        """Return the image of the events, weighted by epsilon."""
        if not can_bin(*(events.field(name) for name in ("xfull", "yfull", "dq", "epsilon"))):
            image_of_original: NDArray[np.float32] = original(events, info)
            return image_of_original
        located = _located(events, info)
        return image(located, located.sums(events.field("epsilon")), info["npix"])

    return rebin_data


def _make_counts(original: Function) -> Function:
    def rebin_counts(events: Any, info: dict[str, Any]) -> NDArray[np.float32]:
        """Return the image of the number of events."""
        if not can_bin(*(events.field(name) for name in ("xfull", "yfull", "dq"))):
            image_of_original: NDArray[np.float32] = original(events, info)
            return image_of_original
        located = _located(events, info)
        return image(located, located.counts(), info["npix"])

    return rebin_counts


def _located(events: Any, info: dict[str, Any]) -> Any:
    return locate(
        events.field("xfull"),
        events.field("yfull"),
        info["npix"],
        info["x_offset"],
        events.field("dq"),
        SERIOUS_DQ_FLAGS,
    )


def _make_good_rows(original: Function) -> Function:
    def get_good_rows(dq_array: NDArray[Any], dqexclude: int) -> tuple[Any, Any]:
        """Return the first and last row with enough good columns."""
        if not is_array(dq_array, "i2", 2):
            first, last = original(dq_array, dqexclude)
            return first, last
        bad = np.count_nonzero(np.bitwise_and(dq_array, dqexclude), axis=1)
        good = np.where(bad < dq_array.shape[1] - COLMIN)[0]
        return good[0], good[-1]

    return get_good_rows


REPLACEMENT = Replacement(
    "alignment",
    [
        Change(
            "calcos.trace:rebinData",
            "0af6f9a2cf92cad441c7de106283ab886fe26c14e123783c53b7b4cd3f886fc5",
            _make_data,
        ),
        Change(
            "calcos.trace:rebinCounts",
            "2eb279b27807fcfc06afd9e108689ceef1aff398f25a458d07149cab85fa5083",
            _make_counts,
        ),
        Change(
            "calcos.trace:getGoodRows",
            "1f8d2995dae0250e263ad3cfc0501445d0af6d04145533a8a98c59a4bece4e16",
            _make_good_rows,
        ),
    ],
    probe=bins_alike,
)
