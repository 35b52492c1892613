"""Figures of lamps: brightness against date and hours, hours against date, template scales."""

from collections.abc import Sequence

import numpy as np

from services.monitor.figures import Figure, Line, Mark, Panel
from services.monitor.figures.description import Layer, numbers, scatter
from services.monitor.library.exposure_values import points_of
from services.monitor.library.groups import grouped, phrases
from services.monitor.monitors.lamps.brightness import Brightness
from services.monitor.monitors.lamps.rules import LOW
from services.monitor.monitors.lamps.usage import Usage

__all__ = ["lamp_figures"]

_DRAWN = ("mjd", "rootname", "note")
_RELATIVE = "Rate over that of the first year"
_LEFT_OUT = "Of flashes that enter no statistic, the series is named after the reason."


def lamp_figures(lamps: Brightness, usages: Sequence[Usage]) -> list[Figure]:
    """Draw all figures of the lamps.

    Parameters
    ----------
    lamps
        Flashes.
    usages
        Hours by lamp and current.
    """
    dates = lamps.columns["mjd"]
    limit = [Mark(text=f"{LOW.now:g}", y=LOW.now)]
    return [
        _figure(
            lamps,
            ("rate", "Brightness against date", f"{_RELATIVE} of its group. {_LEFT_OUT}"),
            (None, dates),
            (_RELATIVE, lamps.relative),
            limit,
        ),
        _figure(
            lamps,
            ("rate-hours", "Brightness against lamp-on hours", f"The same. {_LEFT_OUT}"),
            ("Hours that the lamp had burnt at this current", lamps.hours),
            (_RELATIVE, lamps.relative),
            limit,
        ),
        _hours_figure(usages),
        _figure(
            lamps,
            (
                "template",
                "Brightness over the template",
                "Factor of the template of LAMPTAB that fits the spectrum of each flash best.",
            ),
            (None, dates),
            ("Template scale (1 / s)", lamps.columns["template_scale"]),
            [],
        ),
    ]


def _figure(
    lamps: Brightness,
    named: tuple[str, str, str],
    along: tuple[str | None, np.ndarray],
    drawn: tuple[str, np.ndarray],
    marks: Sequence[Layer],
) -> Figure:
    """Draw a panel for each lamp and current, against date where the abscissa has no label."""
    name, title, caption = named
    x_label, x = along
    y_label, y = drawn
    columns = lamps.columns
    setting = phrases("{} {}", columns["opt_elem"], columns["segment"])
    series = np.where(lamps.status == "", setting, lamps.status)
    layers: dict[str, list[Layer]] = {}
    for (lamp, current, word), rows in grouped(columns["lampused"], columns["lampset"], series):
        shown = {one: columns[one][rows] for one in _DRAWN}
        points = points_of(shown, x[rows], y[rows], outlier=lamps.outlier[rows])
        layers.setdefault(f"{lamp} {current}", []).extend(scatter(word, points))
    panels = [
        Panel(
            x_label=x_label or "Date",
            y_label=y_label,
            layers=[*mine, *marks] if mine else [],
            title=lamp,
            x_is_time=x_label is None,
        )
        for lamp, mine in layers.items()
    ]
    return Figure(
        name=name,
        title=title,
        caption=f"Each point is a flash in a segment; crosses are outliers. {caption}",
        panels=panels,
        nothing="nothing is known of it yet",
    )


def _hours_figure(usages: Sequence[Usage]) -> Figure:
    layers: list[Layer] = [
        Line(
            label=usage.name,
            x=numbers(usage.columns["mjd"], None),
            y=numbers(usage.hours),
            steps=True,
        )
        for usage in usages
    ]
    panel = Panel(x_label="Date", y_label="Lamp-on time (h)", layers=layers, x_is_time=True)
    return Figure(
        name="hours",
        title="Lamp-on hours",
        caption="Sum of the flashes of all exposures and of the time of wavecal exposures, by lamp "
        "and current.",
        panels=[panel],
        nothing="no header names a lamp that was on",
    )
