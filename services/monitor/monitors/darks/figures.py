"""Figures of the dark monitors: rates against date, and against what they may follow."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from services.monitor.figures import Figure, Panel
from services.monitor.figures.description import Layer, Line, PointColumns, numbers, scatter
from services.monitor.framework.instrument_history import Dated, annotation_marks, lifetime_marks
from services.monitor.library.exposure_values import points_of
from services.monitor.monitors.darks.rates import DarkRates
from services.monitor.monitors.darks.rules import yearly
from shared.cos.dates import decimal_year
from shared.cos.solar_flux import monthly_flux, smoothed_flux

__all__ = ["conditions_figure", "rate_figure", "temperature_figure"]

_RATE = "Dark rate (counts / s / pix)"
_FLUX = "F10.7 (sfu)"

_MONTH_DAYS = 31.0
"""A month's flux is shown where its middle is not farther from the darks."""

_MARGIN = 0.05
"""Room above and below the points of a panel, as a share of their range."""

_STEPS = 25
"""Points of a curve."""


def rate_figure(
    rates: Sequence[DarkRates],
    regions: Sequence[str],
    expected: Mapping[str, Sequence[Dated]],
    *,
    temperature: bool = False,
) -> Figure:
    """Return the figure of rate against date, with the solar flux below.

    A column for each segment, a row for each region.

    Parameters
    ----------
    rates
        Rates by segment and region.
    regions
        Regions with a row, in its order.
    expected
        Expected rates by segment, counts / (s pix); NaN where none is published.
    temperature
        Whether there is a panel of the temperature too.
    """
    mjd = np.concatenate([group.values.mjd for group in rates])
    moves = any(group.segment != "NUV" for group in rates)
    marks = [*lifetime_marks(mjd), *annotation_marks("FUV", mjd)] if moves else []
    panels = []
    for region in regions:
        row = [group for group in rates if group.region == region]
        for group in row:
            layers = scatter(group.segment, _points(group, group.values.mjd, coloured=False))
            layers += _expected_line(group, expected[group.segment]) if region == regions[0] else []
            panels.append(
                Panel(
                    x_label="Date",
                    y_label=_RATE,
                    layers=[*layers, *marks],
                    title=group.name,
                    x_is_time=True,
                    y_range=_rate_range(row),
                )
            )
    if temperature:
        layers = [
            layer for group in rates if group.region == regions[0] for layer in _temperatures(group)
        ]
        panels.append(
            Panel(
                x_label="Date",
                y_label="Temperature (deg C)",
                layers=layers,
                title="temperature",
                x_is_time=True,
            )
        )
    columns = len({group.segment for group in rates})
    panels += [
        Panel(
            x_label="Date",
            y_label=_FLUX,
            layers=_fluxes(mjd),
            title="solar radio flux",
            x_is_time=True,
        )
        for _ in range(columns)
    ]
    caption = (
        "Each point is one dark exposure outside the South Atlantic Anomaly, with its Poisson "
        "error; crosses are "
        "outliers. Dashed: the expected rate, where one was published for the time. Dotted: moves "
        "to new lifetime "
        "positions and other events. Below: the Sun's flux at 10.7 cm, means of months and of four "
        "of them."
    )
    return Figure(
        name="rate",
        title="Dark rate against date",
        caption=caption,
        panels=panels,
        columns=columns,
        share_x=True,
    )


def _rate_range(row: Sequence[DarkRates]) -> tuple[float, float]:
    """Return the range of the vertical axis that segments of a region share."""
    rate = np.concatenate([group.values.value for group in row])
    error = np.nan_to_num(np.concatenate([group.values.error for group in row]))
    low, high = float((rate - error).min()), float((rate + error).max())
    margin = _MARGIN * ((high - low) or 1.0)
    return low - margin, high + margin


def _points(group: DarkRates, x: np.ndarray, *, coloured: bool = True) -> PointColumns:
    values = group.values
    columns = vars(values) | {"temperature": group.temperature, "proposid": group.proposid}
    colour, outlier = (decimal_year(values.mjd), None) if coloured else (None, values.outlier)
    return points_of(columns, x, values.value, values.error, colour=colour, outlier=outlier)


def _expected_line(group: DarkRates, expected: Sequence[Dated]) -> list[Layer]:
    """Return the line of the expected rates over the time of the darks, with gaps where there is
    none.
    """
    mjd = group.values.mjd
    dates = np.clip([*(item.mjd for item in expected), np.inf], mjd.min(), mjd.max())
    held = dates[:-1] < dates[1:]
    rate = np.array([item.value for item in expected])[held]
    if not np.isfinite(rate).any():
        return []
    x = np.column_stack([dates[:-1], dates[1:]])[held].ravel()
    return [
        Line(
            label=f"{group.segment} expected",
            x=numbers(x, None),
            y=numbers(np.repeat(rate, 2)),
            dashed=True,
        )
    ]


def _temperatures(group: DarkRates) -> list[Layer]:
    columns = points_of(vars(group.values), group.values.mjd, group.temperature)
    return scatter(f"{group.segment} temperature", columns)


def _fluxes(mjd: np.ndarray) -> list[Layer]:
    """Return the solar flux of the months that darks are of."""
    months, flux = monthly_flux()
    near = (months > mjd.min() - _MONTH_DAYS) & (months < mjd.max() + _MONTH_DAYS)
    if not near.any():
        return []
    smooth = Line(
        label="mean of 4 months",
        x=numbers(months[near], None),
        y=numbers(smoothed_flux(months[near])),
    )
    return [*scatter("mean of a month", PointColumns(x=months[near], y=flux[near])), smooth]


def temperature_figure(rates: Sequence[DarkRates]) -> Figure:
    """Return the figure of rate against temperature, coloured by date, with the exponential of each
    year.
    """
    caption = (
        "One point an exposure, coloured by its date: a trend along one colour is one with "
        "temperature. Lines: "
        "exponentials fitted to the darks of each year."
    )
    panels = _against("Temperature (deg C)", rates, lambda group: group.temperature)
    for panel, group in zip(panels, rates, strict=True):
        panel.layers += _curves(group)
    return Figure(
        name="temperature", title="Dark rate against temperature", caption=caption, panels=panels
    )


def _curves(group: DarkRates) -> list[Layer]:
    layers: list[Layer] = []
    years = np.floor(decimal_year(group.values.mjd))
    for year, fit in yearly(group).items():
        heat = group.temperature[(years == year) & np.isfinite(group.temperature)]
        x = np.linspace(heat.min(), heat.max(), _STEPS)
        label = f"{year}: {100 * np.expm1(fit.per_degree):+.1f} % / deg C"
        layers.append(
            Line(label=label, x=numbers(x), y=numbers(fit.at(x, np.full(_STEPS, fit.mjd))))
        )
    return layers


def conditions_figure(rates: Sequence[DarkRates]) -> Figure:
    """Return figure of rate against temperature, high voltage and solar flux, coloured by date."""
    panels = [
        *_against("Temperature (deg C)", rates, lambda group: group.temperature),
        *_against("High-voltage level", rates, lambda group: group.values.hvlevel),
        *_against(_FLUX, rates, lambda group: smoothed_flux(group.values.mjd)),
    ]
    caption = (
        "One point an exposure, coloured by its date: a trend along one colour is one with "
        "temperature or voltage. The "
        "Sun's flux at 10.7 cm is a mean of four months; the rate of quiet years is on its left."
    )
    title = "Dark rate against temperature, voltage and solar flux"
    return Figure(
        name="temperature",
        title=title,
        caption=caption,
        panels=panels,
        columns=max(1, min(2, len(rates))),
    )


def _against(
    label: str, rates: Sequence[DarkRates], abscissa: Callable[[DarkRates], np.ndarray]
) -> list[Panel]:
    panels = []
    for group in rates:
        x = abscissa(group)
        known = np.isfinite(x).any()
        layers = scatter(group.segment, _points(group, x), "year") if known else []
        panels.append(Panel(x_label=label, y_label=_RATE, layers=layers, title=group.name))
    return panels
