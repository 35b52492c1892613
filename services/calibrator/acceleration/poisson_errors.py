"""Poisson errors of images: computed once for each value instead of once for each pixel.

Replaces ``cosutil.errFrequentist``, which evaluates inverse chi-square functions for every pixel of
an image. The result is identical because the function works on each element by itself, so equal bit
patterns have equal errors: the original is called with the distinct patterns (0.0 and -0.0, and the
various NaN, stay apart) and its answers are spread over the image. Images hold small whole numbers
of counts, 99 % of them zero: this saves 5 s and a gigabyte for a segment of the FUV detector.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.calibrator.acceleration.registry import Change, Function, Replacement

__all__ = ["REPLACEMENT"]

_BITS = {4: np.uint32, 8: np.uint64}


def _make(original: Function) -> Function:
    def err_frequentist(counts: Any) -> Any:
        """Return the error estimates below and above, float32, for counts (any shape, not
        necessarily whole).
        """
        if not (
            type(counts) is np.ndarray
            and counts.dtype.kind == "f"
            and counts.dtype.itemsize in _BITS
        ):
            return original(counts)
        if counts.ndim == 0 or counts.size == 0:
            return original(counts)
        flat = np.ascontiguousarray(counts).reshape(-1)
        bits: NDArray[Any] = flat.view(_BITS[counts.dtype.itemsize])
        occupied = np.flatnonzero(bits)
        patterns, which = np.unique(bits[occupied], return_inverse=True)
        # Positive zero leads, whether or not it occurs: it is what the rest of the image is filled
        # with.
        values = np.concatenate([np.zeros(1, dtype=bits.dtype), patterns]).view(flat.dtype)
        lower, upper = original(values)
        return tuple(
            _spread(error, occupied, which, flat.size).reshape(counts.shape)
            for error in (lower, upper)
        )

    return err_frequentist


def _spread(
    error: NDArray[Any], occupied: NDArray[Any], which: NDArray[Any], size: int
) -> NDArray[Any]:
    image = np.full(size, error[0], dtype=error.dtype)
    image[occupied] = error[1:][which]
    return image


REPLACEMENT = Replacement(
    "poisson_errors",
    [
        Change(
            "calcos.cosutil:errFrequentist",
            "36d4dc9bc7693459c3c2c18ce9f0ac8e7b92cabde8b7dc45c55855c5bad11d26",
            _make,
        )
    ],
)
