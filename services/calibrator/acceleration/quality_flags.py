"""Quality flags of images.

Whole runs of columns shifted at once, and shifted images combined in place.

Replaces ``timetag.traceShiftDQ`` and ``timetag.blurDQ``, which run twice for each segment. The
first moves each of 16,384 columns by itself; neighbouring columns nearly always move by the same
whole number of pixels, so that runs of equal columns are moved together by the same slices. The
second copies the whole image three times for each of its shifts; here the same ranges are combined
without copies, and what a shift leaves uncovered gets the out-of-bounds flag just the same. Only
integers are involved. Saves 1.2 s for a segment.
"""

from typing import Any

import numpy as np
from calcos import cosutil
from calcos.calcosparam import DQ_PIXEL_OUT_OF_BOUNDS
from numpy.typing import NDArray

from services.calibrator.acceleration.forms import is_array
from services.calibrator.acceleration.registry import Change, Function, Replacement

__all__ = ["REPLACEMENT"]

_FAR = 1 << 20
"""More than any trace is off, pixels; not-a-number is not below it."""
_UNEQUAL = "Input and output arrays have different sizes"


def _make_trace_shift(original: Function) -> Function:
    def trace_shift_dq(dq_array: NDArray[Any], traceprofile: NDArray[Any], wca_row: Any) -> Any:
        """Shift flags down by the trace, column by column, except in the wavecal aperture."""
        wca_0, slope, height = wca_row["B_SPEC"][0], wca_row["SLOPE"][0], wca_row["HEIGHT"][0]
        if not (
            is_array(dq_array, "i2", 2)
            and _follows(traceprofile, dq_array.shape[1])
            and _is_slope(slope)
        ):
            return original(dq_array, traceprofile, wca_row)
        columns, profile = dq_array.shape[1], traceprofile
        # A Python integer times a NumPy scalar has the scalar's precision; rint rounds as round()
        # does.
        rise = np.rint(np.arange(columns).astype(np.asarray(slope).dtype) * slope).astype(np.int64)
        shift = np.rint(profile[:columns]).astype(np.int64)
        starts = np.flatnonzero(np.r_[True, (np.diff(rise) != 0) | (np.diff(shift) != 0)])
        shifted = np.zeros(dq_array.shape, dtype=dq_array.dtype.newbyteorder("="))
        for first, stop in zip(starts.tolist(), [*starts[1:].tolist(), columns], strict=True):
            _shift_run(
                shifted[:, first:stop],
                dq_array[:, first:stop],
                wca_0 + int(rise[first]),
                height,
                int(shift[first]),
            )
        return shifted

    return trace_shift_dq


def _follows(profile: Any, columns: int) -> bool:
    """Return whether a trace has a number of pixels for each column."""
    floats = is_array(profile, "f4") or is_array(profile, "f8")
    return floats and profile.size >= columns and bool(np.all(np.abs(profile) < _FAR))


def _is_slope(value: Any) -> bool:
    """Return whether a value is a slope, of less than one row in a column, in single or double
    precision.
    """
    return type(value) in (np.float32, np.float64) and bool(abs(value) < 1)


def _shift_run(
    out: NDArray[Any], flags: NDArray[Any], wca_center: Any, wca_height: Any, shift: int
) -> None:
    """Shift columns that all move by the same number of rows."""
    rows, columns = flags.shape
    start, stop = wca_center - wca_height // 2, wca_center + wca_height // 2
    out[int(start) : int(stop + 1)] = flags[int(start) : int(stop + 1)]
    below_in = max(0, shift), min(start + shift - 1, start - 1)
    below_out = max(0, -shift), min(start - shift - 1, start - 1)
    above_in = max(stop + 1, stop + 1 + shift), min(rows + shift - 1, rows - 1)
    above_out = max(stop + 1, stop + 1 - shift), min(rows - shift - 1, rows - 1)
    for (in_first, in_last), (out_first, out_last) in (
        (below_in, below_out),
        (above_in, above_out),
    ):
        if in_last - in_first != out_last - out_first:
            for _ in range(columns):
                cosutil.printWarning(_UNEQUAL)
        out[int(out_first) : int(out_last + 1)] = flags[int(in_first) : int(in_last + 1)]


def _make_blur(original: Function) -> Function:
    def blur_dq(
        trace_dq: NDArray[Any],
        minmax_shift_dict: dict[tuple[Any, Any], list[Any]],
        minmax_doppler: tuple[Any, Any],
        doppler_boundary: Any,
        widen: Any,
    ) -> Any:
        """Combine flags over the ranges of the wavecal and Doppler shifts."""
        min_doppler, max_doppler = minmax_doppler
        regions = minmax_shift_dict
        first = next(iter(minmax_shift_dict))
        if doppler_boundary > 0.0:
            shifts = minmax_shift_dict[first]
            regions = {(first[0], doppler_boundary): shifts, (doppler_boundary, first[1]): shifts}
        _, _, min_shift2, max_shift2 = minmax_shift_dict[first]
        limits_y = max_shift2 + widen, min_shift2 - widen
        limits_x = {}
        for region in sorted(regions):
            lower, upper = region
            min_shift1, max_shift1 = regions[region][:2]
            if doppler_boundary > 0 and (lower + upper) // 2 < doppler_boundary:
                limits = max_shift1 + max_doppler + widen, min_shift1 + min_doppler - widen
            else:
                limits = np.float64(max_shift1) + widen, np.float64(min_shift1) - widen
            limits_x[region] = limits
        inside = (
            is_array(trace_dq, "i2", 2)
            and _within(limits_y, trace_dq.shape[0])
            and all(_within(limits, trace_dq.shape[1]) for limits in limits_x.values())
        )
        if not inside or any(int(limit) < 0 for region in regions for limit in region):
            return original(trace_dq, minmax_shift_dict, minmax_doppler, doppler_boundary, widen)
        if not doppler_boundary > 0.0:
            cosutil.printWarning("Running blurDQ when doppler boundary <= 0.0")
        blurred = np.zeros(trace_dq.shape, dtype=trace_dq.dtype.newbyteorder("="))
        for y_shift in _whole_shifts(*limits_y):
            for (lower, upper), limits in limits_x.items():
                for x_shift in _whole_shifts(*limits):
                    cosutil.printMsg(f"Shifting to {x_shift}, {y_shift}")
                    _combine(blurred, trace_dq, slice(int(lower), int(upper)), y_shift, x_shift)
        return blurred

    return blur_dq


def _whole_shifts(*limits: Any) -> range:
    whole = [round(limit) for limit in limits]
    return range(min(whole), max(whole) + 1)


def _within(limits: tuple[Any, ...], size: int) -> bool:
    """Return whether shifts are numbers that leave something of an image.

    Beyond its size the original cuts it amiss.
    """
    return all(bool(abs(limit) < size) for limit in limits)


def _combine(
    blurred: NDArray[Any], flags: NDArray[Any], region: slice, y_shift: int, x_shift: int
) -> None:
    """Combine the rows of a region with the flags shifted down and to the left.

    Uncovered pixels are out of bounds.
    """
    rows, columns = flags.shape
    first_row, stop_row, _ = region.indices(rows)
    # Rows and columns that have a shifted counterpart.
    row0, row1 = max(first_row, -y_shift), min(stop_row, rows - y_shift)
    column0, column1 = max(0, -x_shift), min(columns, columns - x_shift)
    if row0 >= row1 or column0 >= column1:
        blurred[first_row:stop_row] |= DQ_PIXEL_OUT_OF_BOUNDS
        return
    blurred[first_row:row0] |= DQ_PIXEL_OUT_OF_BOUNDS
    blurred[row1:stop_row] |= DQ_PIXEL_OUT_OF_BOUNDS
    blurred[row0:row1, :column0] |= DQ_PIXEL_OUT_OF_BOUNDS
    blurred[row0:row1, column1:] |= DQ_PIXEL_OUT_OF_BOUNDS
    blurred[row0:row1, column0:column1] |= flags[
        row0 + y_shift : row1 + y_shift, column0 + x_shift : column1 + x_shift
    ]


REPLACEMENT = Replacement(
    "quality_flags",
    [
        Change(
            "calcos.timetag:traceShiftDQ",
            "788ae3509102643ad3180d9c5fda853980aaf4a41d36ef17c68e4293a8b39f3d",
            _make_trace_shift,
        ),
        Change(
            "calcos.timetag:blurDQ",
            "8bc61c67b2a63c415c186ccbc7ae9dbdea1639a57685f382dd7b8c67677cb94d",
            _make_blur,
        ),
    ],
    {
        "calcos.timetag:arrayShift": "281b92cb39399e38315b96148e8b87fb6b3061ed0e1b453faabba175bcdd6bf8"
    },
)
