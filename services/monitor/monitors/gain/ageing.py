"""Figures of the gain against what superpixels have given: counts and charge since 2010."""

from collections.abc import Iterator, Sequence

import numpy as np

from services.monitor.figures import Figure, Line, Mark, Panel
from services.monitor.figures.description import Layer, PointColumns, numbers, scatter
from services.monitor.monitors.gain.pixels import REFERENCE_LEVEL
from services.monitor.monitors.gain.regions import ROWS, in_spectrum, within
from services.monitor.monitors.gain.rules import SAGGED
from services.monitor.monitors.gain.sums import Total
from shared.cos.detector import GAIN_SHAPE

__all__ = ["ageing_figures"]

_GROUPS, _LEAST = 25, 20
"""Most medians of a lifetime position, and superpixels that one needs."""

_DIGITS = 3
"""Decimals of points, in decades and bins."""


def ageing_figures(totals: Sequence[Total]) -> Iterator[Figure]:
    """Yield the gain against accumulated counts and charge, a figure for each segment.

    Parameters
    ----------
    totals
        Of each segment.
    """
    caption = (
        "Newest gain of each superpixel where spectra fall, scaled to high-voltage level 178, "
        "against what it has "
        "given since 2010 at all voltages, in the exposures where its pulse heights had a peak: a "
        "lower limit. Above "
        f"20,000 superpixels, how many there are. Lines: medians of {_GROUPS} groups of "
        "superpixels, as many in each, "
        "in the rows of each lifetime position."
    )
    for one in totals:
        panels = [
            _panel(
                one, np.log10(np.where(image > 0, image, np.nan)), f"log10 of accumulated {what}"
            )
            for image, what in ((one.counts, "counts"), (one.charge, "charge (C)"))
        ]
        if not all(panel.empty for panel in panels):
            title = f"Gain against accumulated counts and charge, {one.segment}"
            yield Figure(
                name=f"ageing-{one.segment.lower()}", title=title, caption=caption, panels=panels
            )


def _panel(one: Total, given: np.ndarray, label: str) -> Panel:
    known = np.isfinite(one.last) & np.isfinite(given) & in_spectrum(one.segment, _rows())[:, None]
    # Thousands of points: no more digits than can be seen.
    points = PointColumns(x=given[known].round(_DIGITS), y=one.last[known].round(_DIGITS))
    layers: list[Layer] = scatter("superpixels", points)
    for position, rows in ROWS[one.segment].items():
        mine = known & within(_rows(), rows)[:, None]
        x, y = _medians(given[mine], one.last[mine])
        if len(x):
            layers.append(Line(label=f"LP{position}", x=numbers(x), y=numbers(y)))
    if layers:
        layers.append(Mark(text="sagged at HV 178", y=SAGGED.now))
    return Panel(
        x_label=label,
        y_label=f"Modal gain at HV {REFERENCE_LEVEL:.0f} (bins)",
        layers=layers,
        title=one.segment,
    )


def _rows() -> np.ndarray:
    return np.arange(GAIN_SHAPE[0])


def _medians(given: np.ndarray, gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the medians of both in groups of as many superpixels, in ascending order of what they
    gave.
    """
    groups = min(_GROUPS, len(given) // _LEAST)
    parts = np.array_split(np.argsort(given, kind="stable"), groups) if groups else []
    x, y = (np.array([np.median(values[part]) for part in parts]) for values in (given, gain))
    return x, y
