"""Low response: what was put into sums of darks comes out, with its flag, where chance cannot
explain it.
"""

import numpy as np
import pytest

from services.monitor.monitors.superdark.deliveries import bad_rows
from services.monitor.monitors.superdark.hot_spots import FALSE_ALARMS
from services.monitor.monitors.superdark.low_response import (
    low_response,
    needed_counts,
    stacks_by_year,
    stacks_of,
)
from services.monitor.monitors.superdark.maps import (
    Cells,
    DarkMap,
    expected_counts,
    inner_cells,
    whole_cells,
)
from shared.cos.superpixels import pack_counts

_MJD = 58000.0


def _columns(*pixels: tuple[str, int, int]) -> dict[str, np.ndarray]:
    """Return the superpixels that sagged, as the monitor reads them."""
    names = ("segment", "x", "y")
    found = {
        name: np.array([pixel[place] for pixel in pixels], dtype=object)
        for place, name in enumerate(names)
    }
    return found | {"x": found["x"].astype(float), "y": found["y"].astype(float)}


def _found(stack: np.ndarray, area: Cells) -> list[tuple[int, int, int, int]]:
    return sorted(
        (box.y0, box.x0, box.x1, flag)
        for box, flag in low_response(stack, expected_counts(stack), area, _MJD)
    )


def test_low_response_where_there_is_any() -> None:
    area = whole_cells("NUV")
    generator = np.random.default_rng(4)
    mean = np.full((512, 128), 160.0)
    mean[100:103, 20:30] = 56.0
    mean[300, 60] = 10.0
    stack = generator.poisson(mean).astype(float)
    assert _found(stack, area) == [
        (100, 20, 30, 1024),
        (101, 20, 30, 1024),
        (102, 20, 30, 1024),
        (300, 60, 61, 16),
    ]
    thin = generator.poisson(mean / 100).astype(float)
    assert _found(thin, area) == []


@pytest.mark.parametrize("fraction", [0.5, 0.2])
def test_the_needed_counts_leave_no_room_for_chance(fraction: float) -> None:
    """Drawn: sums with a quarter of the counts that are needed have low superpixels by chance,
    others have none.
    """
    cells, generator = inner_cells("FUVA").size, np.random.default_rng(6)
    needed = needed_counts(fraction, cells)
    assert np.count_nonzero(generator.poisson(needed, (20, cells)) < fraction * needed) == 0
    assert (
        np.count_nonzero(generator.poisson(needed / 4, (20, cells)) < fraction * needed / 4)
        > 1000 * FALSE_ALARMS
    )


def test_all_low_superpixels_of_a_deep_sum_are_found_but_for_those_that_sagged() -> None:
    """And none of one that is not deep: what a segment has after a year."""
    area, generator = inner_cells("FUVA"), np.random.default_rng(8)
    shape = (area.y1 - area.y0, area.x1 - area.x0)
    needed = needed_counts(0.5, area.size)
    response = np.ones(shape)
    dead = generator.integers(5, np.array(shape) - 5, (20, 2))
    response[tuple(dead.T)] = 0.1
    weak = generator.integers(5, np.array(shape) - 5, (20, 2))
    response[tuple(weak.T)] = np.minimum(response[tuple(weak.T)], 0.33)
    response[60:62, 800:830] = 0.3
    sagged = _columns(
        *(("FUVA", area.x0 + x, area.y0 + y) for y in (60, 61) for x in range(800, 830))
    )
    dark = DarkMap(
        "FUVA", _MJD, 1330.0, 167.0, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    )
    deep = generator.poisson(3.0 * needed * response).astype(float)
    rows = bad_rows([], {"FUVA": [dark]}, {"FUVA": deep}, sagged)
    flags = {
        (row.box[0] // 8 + step - area.x0, row.box[1] // 2 - area.y0): row[7]
        for row in rows
        for step in range(row.box[2] // 8)
    }
    truth = {
        (int(x), int(y)): 16 if response[y, x] < 0.2 else 1024
        for y, x in [*dead.tolist(), *weak.tolist()]
    }
    assert flags == {
        pixel: flag
        for pixel, flag in truth.items()
        if not (59 <= pixel[1] <= 62 and 799 <= pixel[0] <= 830)
    }
    year = generator.poisson(0.1 * needed * response).astype(float)
    assert bad_rows([], {"FUVA": [dark]}, {"FUVA": year}, sagged) == []


def test_years_of_darks_are_summed_by_segment() -> None:
    area = inner_cells("FUVB")
    cell = ((area.y0 + 3) * 2048 + area.x0 + 7) * 32
    heights = np.array([1, 2, 23, 24])
    content = pack_counts(cell + heights, np.array([50, 3, 4, 60])).hex()
    (years,) = stacks_by_year().values()
    names = np.array(["FUVA", "FUVB", "FUVB", "NUV"], dtype=object)
    digests = np.array(["a 1/3", "b 2/3", "c 3/3", "d"], dtype=object)
    periods = {
        "detector": names,
        "period": np.array([1900.0, 1900.0, 1920.0, 1900.0]),
        "inputs": digests,
    }
    assert dict(years.digests({"periods": periods})) == {
        "FUVA 158": "a",
        "FUVB 158": "b",
        "FUVB 160": "c",
    }
    texts = {"detector": "FUVB", "content": content}
    year = {name: np.array([text, text], dtype=object) for name, text in texts.items()}
    year |= {
        name: np.full(2, value)
        for name, value in (("mjd", _MJD), ("exposure", 1330.0), ("hvlevel", 167.0))
    }
    found = years.find("FUVB 158", {"year": year})["stacks"]
    twice = {name: np.concatenate([values, values]) for name, values in found.items()}
    (stack,) = stacks_of({"stacks": twice}).values()
    # Pulse heights that CalCOS leaves out count for nothing.
    assert stack[3, 7] == stack.sum() == 4 * 7
