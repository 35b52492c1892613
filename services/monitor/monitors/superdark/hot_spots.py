"""Hot spots in darks: where they are, from when to when, and how they go on from one period to the
next.

A superpixel is hot where the sum of the darks of a period has more counts there than its
surroundings can explain, by the Poisson distribution, at a stated rate of false alarms. Its times
are the run of exposures with the greatest likelihood ratio of a constant extra rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import poisson

from services.monitor.framework.rules import Rule, always
from services.monitor.monitors.superdark.maps import (
    Cells,
    DarkMap,
    expected_counts,
    stacked,
    whole_cells,
)

__all__ = ["FALSE_ALARMS", "HOT", "Sighting", "Spot", "sightings_of", "spots_of"]

FALSE_ALARMS = 1e-3
"""Superpixels of a detector that chance makes hot in one period, on average, at most."""

HOT = Rule(
    name="hot",
    severity=None,
    text="a superpixel counts {:.0%} more than its surroundings, and more than chance explains",
    thresholds=always(0.5, "COSMO: what is uneven is not hot"),
)

_EDGE = 1e-3
"""Chance at which a superpixel beside a hot one belongs to it."""

_LEAST_GAIN = 12.0
"""Logarithm of the likelihood ratio that a run of exposures needs: 4.9 sigma."""


@dataclass(frozen=True)
class Sighting:
    """A hot spot in one period.

    Attributes
    ----------
    detector
        FUVA, FUVB or NUV.
    x0, x1, y0, y1
        Its superpixels: up to but without x1 and y1.
    start, stop
        Start of the first and end of the last exposure that shows it, within this period or one
        beside it, MJD.
    counts, background, seconds
        Counts of it and of the superpixels about it in the exposures of this period that show it,
        those that the surroundings explain, and good time.
    sigma
        Excess of its brightest superpixel in this period, in roots of what was expected.
    """

    detector: str
    x0: int
    x1: int
    y0: int
    y1: int
    start: float
    stop: float
    counts: float
    background: float
    seconds: float
    sigma: float

    @property
    def box(self) -> Cells:
        """Its superpixels."""
        return Cells(self.x0, self.x1, self.y0, self.y1)


def sightings_of(period: Sequence[DarkMap], window: Sequence[DarkMap]) -> list[Sighting]:
    """Find the hot spots of a period.

    Parameters
    ----------
    period
        Darks of one detector within the period.
    window
        The same with those of the periods beside it, in the order of time.
    """
    area = whole_cells(period[0].detector)
    stack = stacked(period, area)
    expected = expected_counts(stack)
    boxes = _hot_boxes(stack, expected, area, float(HOT.at(np.array([period[0].mjd]))[0]))
    if not boxes:
        return []
    events = np.array([float(one.kept[1].sum()) for one in window])
    mine = np.isin([one.mjd for one in window], [one.mjd for one in period])
    found = []
    for box, sigma in boxes:
        # What surrounds it goes up and down with the whole detector.
        background = _inside(expected, box, area) * events / events[mine].sum()
        counts = np.array([one.counts_in(box) for one in window])
        # Its wings are cold in one period and hot in another: of its rate they are part in all.
        whole = _grown(box, area)
        more = _inside(expected, whole, area) / _inside(expected, box, area)
        for first, last in _runs(counts, background):
            run = np.zeros(len(window), dtype=bool)
            run[first : last + 1] = True
            if (here := run & mine).any():
                chosen = [window[place] for place in np.flatnonzero(here).tolist()]
                end = window[last].mjd + window[last].exposure / 86400.0
                found.append(
                    Sighting(
                        period[0].detector,
                        box.x0,
                        box.x1,
                        box.y0,
                        box.y1,
                        window[first].mjd,
                        end,
                        sum(one.counts_in(whole) for one in chosen),
                        float(background[here].sum() * more),
                        sum(one.exposure for one in chosen),
                        sigma,
                    )
                )
    return found


def _grown(box: Cells, area: Cells) -> Cells:
    """Return the rectangle with the superpixels about it, as far as they are in the area."""
    return Cells(
        max(box.x0 - 1, area.x0),
        min(box.x1 + 1, area.x1),
        max(box.y0 - 1, area.y0),
        min(box.y1 + 1, area.y1),
    )


def _inside(image: np.ndarray, box: Cells, area: Cells) -> float:
    """Return the sum of an image of an area in a rectangle."""
    return float(
        image[box.y0 - area.y0 : box.y1 - area.y0, box.x0 - area.x0 : box.x1 - area.x0].sum()
    )


def _hot_boxes(
    stack: np.ndarray, expected: np.ndarray, area: Cells, excess: float
) -> list[tuple[Cells, float]]:
    """Return the rectangles around hot superpixels that touch, each with the excess of its
    brightest one in sigma.
    """
    bright = np.argwhere((stack >= 3) & (stack > expected * (1.0 + excess)))
    counts, mean = stack[tuple(bright.T)], expected[tuple(bright.T)]
    chance = poisson.sf(counts - 1, mean)
    hot = {(int(y), int(x)) for y, x in bright[chance < FALSE_ALARMS / area.size]}
    warm = {(int(y), int(x)) for y, x in bright[chance < _EDGE]}
    boxes = []
    while hot:
        group, waiting = set[tuple[int, int]](), {hot.pop()}
        while waiting:
            y, x = waiting.pop()
            group.add((y, x))
            beside = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
            waiting |= (beside & warm) - group
        hot -= group
        ys, xs = np.array(sorted(group)).T
        sigma = (stack[ys, xs] - expected[ys, xs]) / np.sqrt(np.maximum(expected[ys, xs], 1e-9))
        box = Cells(
            area.x0 + int(xs.min()),
            area.x0 + int(xs.max()) + 1,
            area.y0 + int(ys.min()),
            area.y0 + int(ys.max()) + 1,
        )
        boxes.append((box, float(sigma.max())))
    return boxes


def _runs(counts: np.ndarray, background: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and last exposure of each time that a place was hot.

    The likeliest set of them.

    The likelihood ratio of an extra rate in the exposures i to j is, with their counts C and
    background B, C log(C / B) - (C - B); each run must be worth `_LEAST_GAIN`. Those that follow
    each other are one.
    """
    count = len(counts)
    sums, levels = (np.concatenate([[0.0], np.cumsum(values)]) for values in (counts, background))
    total, level = (
        np.maximum(values[None, :] - values[:, None], 1e-12) for values in (sums, levels)
    )
    gain = (
        np.where(total > level, total * np.log(total / level) - (total - level), 0.0) - _LEAST_GAIN
    )
    best, begin = np.zeros(count + 1), np.full(count + 1, -1)
    for end in range(1, count + 1):
        worth = best[:end] + gain[:end, end]
        first = int(worth.argmax())
        if worth[first] > best[end - 1]:
            best[end], begin[end] = worth[first], first
        else:
            best[end] = best[end - 1]
    runs: list[tuple[int, int]] = []
    end = count
    while end:
        if begin[end] < 0:
            end -= 1
            continue
        last = runs.pop()[1] if runs and runs[-1][0] == end else end - 1
        runs.append((int(begin[end]), last))
        end = int(begin[end])
    return runs


@dataclass(frozen=True)
class Spot:
    """A hot spot over all its time.

    Attributes
    ----------
    detector, x0, x1, y0, y1
        As of its sightings, together.
    start, stop
        Start of the first and end of the last exposure that shows it, MJD.
    after, before
        End of the last exposure before it came and start of the first one after it went, MJD; where
        there is none it was or is there already or still: -inf, inf.
    rate, rate_error
        Counts/s of the pulse heights that CalCOS keeps.
    sigma
        Excess of its brightest superpixel in a period.
    """

    detector: str
    x0: int
    x1: int
    y0: int
    y1: int
    start: float
    stop: float
    after: float
    before: float
    rate: float
    rate_error: float
    sigma: float

    @property
    def days(self) -> float:
        """For how long it was seen."""
        return self.stop - self.start


def spots_of(sightings: Sequence[Sighting], starts: np.ndarray, stops: np.ndarray) -> list[Spot]:
    """Join the sightings of one detector to spots: those that share superpixels and times.

    Parameters
    ----------
    sightings
        Of all periods.
    starts, stops
        Start and end of every dark of the detector, MJD, in ascending order, shape (n,).
    """
    groups: list[list[Sighting]] = []
    for sighting in sorted(sightings, key=lambda one: one.start):
        same = [group for group in groups if any(_same(sighting, other) for other in group)]
        joined = [sighting, *(one for group in same for one in group)]
        groups = [group for group in groups if group not in same] + [joined]
    return sorted(
        (_spot(group, starts, stops) for group in groups),
        key=lambda spot: (spot.start, spot.x0, spot.y0),
    )


def _same(a: Sighting, b: Sighting) -> bool:
    beside = a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1
    return beside and a.start <= b.stop and b.start <= a.stop


def _spot(group: Sequence[Sighting], starts: np.ndarray, stops: np.ndarray) -> Spot:
    start, stop = min(one.start for one in group), max(one.stop for one in group)
    counts, background, seconds = (
        sum(getattr(one, name) for one in group) for name in ("counts", "background", "seconds")
    )
    earlier, later = stops[stops <= start], starts[starts >= stop]
    return Spot(
        group[0].detector,
        min(one.x0 for one in group),
        max(one.x1 for one in group),
        min(one.y0 for one in group),
        max(one.y1 for one in group),
        start,
        stop,
        float(earlier[-1]) if len(earlier) else -np.inf,
        float(later[0]) if len(later) else np.inf,
        (counts - background) / seconds,
        float(np.sqrt(counts)) / seconds,
        max(one.sigma for one in group),
    )
