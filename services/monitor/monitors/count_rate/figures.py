"""Figures of the monitor of count rates."""

from collections.abc import Mapping, Sequence

import numpy as np

from services.monitor.figures import Figure, Line, Mark, Panel
from services.monitor.figures.description import Layer, numbers, scatter
from services.monitor.framework.declaration import Columns
from services.monitor.framework.rules import Rule
from services.monitor.library.exposure_values import points_of, take
from services.monitor.monitors.count_rate.event_rates import (
    LIMITS,
    LOCAL_LIMITS,
    SEGMENTS,
    SHUT_OFF,
    STRIPE_LIMIT,
    of_lamps,
)

__all__ = [
    "highest_rates",
    "histogram_of_rates",
    "history_of_rates",
    "local_rates",
    "peaks_by_second",
]

_BRIGHTEST = 20


def _history(
    columns: Columns,
    label: str,
    rate: np.ndarray,
    outlier: np.ndarray,
    limits: Sequence[Mapping[str, Rule]],
    apart: np.ndarray | None = None,
) -> list[Panel]:
    """Return the panel of each segment with its rates against time, and the limits that concern it.

    Lamps may be set apart.
    """
    panels = []
    lamps = np.zeros(len(rate), dtype=bool) if apart is None else apart
    for segment in SEGMENTS:
        seen = (columns["segment"] == segment) & (rate > 0)
        if not seen.any():
            continue
        layers: list[Layer] = []
        for name, chosen in ((segment, seen & ~lamps), (f"{segment}, lamps", seen & lamps)):
            mine = take(columns, chosen)
            layers += scatter(
                name, points_of(mine, mine["mjd"], rate[chosen], outlier=outlier[chosen])
            )
        kinds = ("NUV", "TIME") if segment == "NUV" else ("FUV",)
        layers += [
            Mark(text=rule.name, y=rule.now)
            for some in limits
            for kind, rule in some.items()
            if kind.split("_")[0] in kinds
        ]
        panels.append(
            Panel(
                x_label="Date",
                y_label=label,
                layers=layers,
                title=segment,
                x_is_time=True,
                y_log=True,
            )
        )
    return panels


def history_of_rates(columns: Columns, outlier: np.ndarray) -> Figure:
    """Draw the global rates against time."""
    panels = _history(
        columns, "Global rate (counts / s)", columns["rate"], outlier, (LIMITS, SHUT_OFF)
    )
    caption = (
        "Global rate of each exposure; crosses are outliers. Dotted: the limits for predictable "
        "sources, and the rate "
        "at which the instrument switches the detector off."
    )
    return Figure(
        name="history", title="Global count rates", caption=caption, panels=panels, share_x=True
    )


def local_rates(columns: Columns, rate: np.ndarray, outlier: np.ndarray) -> Figure:
    """Draw the rates of the brightest places against time.

    Parameters
    ----------
    columns
        Rows of the query.
    rate
        The rates, counts / s / pix, NaN where there is none to show; shape (n,).
    outlier
        Which of them a rule hit.
    """
    label = "Local rate (counts / s / pix)"
    panels = _history(columns, label, rate, outlier, (LOCAL_LIMITS,), of_lamps(columns))
    caption = (
        "Rate of the brightest place of each exposure outside lamp flashes: 2 by 2 pixels of the "
        "FUV, a pixel of the "
        "NUV. Crosses are above half their limit by 5 sigma; dotted: the limits. Exposures to "
        "lamps, which are not compared with them, are apart."
    )
    return Figure(
        name="local",
        title="Brightest places",
        caption=caption,
        panels=panels,
        share_x=True,
        nothing="no place has 25 counts",
    )


def peaks_by_second(columns: Columns, outliers: Mapping[str, np.ndarray]) -> Figure:
    """Draw the brightest seconds, and the brightest stripes of NUV spectra, against time.

    Parameters
    ----------
    columns
        Rows of the query.
    outliers
        Which rates a rule hit, by quantity.
    """
    label = "Brightest second (counts)"
    panels = _history(columns, label, columns["second"], outliers["second"], (LIMITS, SHUT_OFF))
    if (columns["stripe"] > 0).any():
        mine = points_of(columns, columns["mjd"], columns["stripe"], outlier=outliers["stripe"])
        layers: list[Layer] = [
            *scatter("brightest stripe", mine),
            Mark(text=STRIPE_LIMIT.name, y=STRIPE_LIMIT.now),
        ]
        panels.append(
            Panel(
                x_label="Date",
                y_label="Stripe (counts / s)",
                layers=layers,
                title="NUV stripes",
                x_is_time=True,
                y_log=True,
            )
        )
    caption = (
        "Counts of the brightest second of each TIME-TAG exposure without a lamp flash, and rate "
        "of the brightest "
        "stripe of each NUV spectrum; crosses are outliers. Dotted: the limits for predictable "
        "sources, and the rate "
        "at which the instrument switches the detector off."
    )
    return Figure(
        name="peaks",
        title="Brightest seconds and stripes",
        caption=caption,
        panels=panels,
        share_x=True,
        nothing="no events yet",
    )


def highest_rates(columns: Columns, fraction: np.ndarray, shares: Sequence[Rule]) -> Figure:
    """List the exposures that are nearest to any of their limits.

    Parameters are as of `histogram_of_rates`.
    """
    order = np.argsort(-np.nan_to_num(fraction))[:_BRIGHTEST]
    ranks, mine = np.arange(1.0, len(order) + 1), take(columns, order)
    layers: list[Layer] = []
    for segment in SEGMENTS:
        same = mine["segment"] == segment
        points = points_of(take(mine, same), ranks[same], fraction[order][same])
        layers += scatter(segment, points)
    layers += [Mark(text=f"{rule.now:.0%}", y=rule.now) for rule in shares]
    panel = Panel(x_label="Rank", y_label="Rate over its limit", layers=layers)
    caption = (
        "The twenty exposures that came closest to any of their limits, or exceeded it most, ever."
    )
    return Figure(name="brightest", title="The highest rates", caption=caption, panels=[panel])


def histogram_of_rates(fraction: np.ndarray, columns: Columns, shares: Sequence[Rule]) -> Figure:
    """Draw how many exposures have which fraction of their limit.

    Parameters
    ----------
    fraction
        Rates over their limits, shape (n,).
    columns
        Rows of the query.
    shares
        Rules whose thresholds are drawn.
    """
    layers: list[Layer] = []
    edges = np.linspace(-6.0, 1.0, 71)
    for segment in SEGMENTS:
        known = fraction[(columns["segment"] == segment) & (fraction > 0)]
        if len(known):
            counts, _ = np.histogram(np.log10(known), edges)
            layers.append(Line(label=segment, x=numbers(edges[:-1]), y=numbers(counts), steps=True))
    layers += [Mark(text=f"{rule.now:.0%}", x=float(np.log10(rule.now))) for rule in shares]
    panel = Panel(x_label="log10 of rate over limit", y_label="Exposures", layers=layers)
    return Figure(
        name="histogram",
        title="Rates over their limits",
        caption="How many exposures are near their limit.",
        panels=[panel],
    )
