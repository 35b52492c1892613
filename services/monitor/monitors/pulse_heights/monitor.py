"""Pulse heights: the gain of each FUV segment, seen in how much charge its events have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta

import numpy as np
from sqlalchemy import Double, case, cast, or_

from services.monitor.figures import Figure, Mark, Panel
from services.monitor.figures.description import Layer, Line, numbers, scatter
from services.monitor.framework.declaration import (
    Columns,
    Inputs,
    Monitor,
    Quantity,
    RowQuery,
    RunOutput,
    Values,
)
from services.monitor.framework.increments import by_files, file_ranges
from services.monitor.framework.instrument_history import configuration_marks, lifetime_marks
from services.monitor.framework.rules import Finding, Rule, always
from services.monitor.framework.statistics import robust_sigma, summarise
from services.monitor.library.exposure_values import (
    points_of,
    setting_columns,
    take,
    values_of,
    voltage_changed,
)
from services.monitor.library.pulse_heights import LOST_HIGH, LOST_LOW, Shape, shape_of
from services.monitor.library.running_lines import away_within_settings
from services.monitor.library.shown_rows import shown
from shared.cos.dates import decimal_year
from shared.cos.detector import FUV_SEGMENTS
from shared.cos.instrument_history import Segment
from shared.database.models.monitoring import Severity
from shared.database.models.science import (
    PULSE_HEIGHTS,
    ExposureQuality,
    Header,
    PulseHeights,
)

__all__ = ["MONITOR"]

_LATEST = 5
"""Exposures whose median is compared with the limits."""

_CURRENT_DAYS = 180.0
"""A lifetime position without exposures for as long before the newest is no longer in use."""

_CHARGE = "inference from the range of pulse heights that CalCOS keeps"
_PEAK_LOW = Rule(
    name="peak",
    severity=Severity.ALERT,
    text=f"median peak of the last {_LATEST} exposures below pulse height {{:g}}",
    thresholds=always(5.0, _CHARGE),
)
_PEAK_HIGH = Rule(
    name="peak",
    severity=Severity.ALERT,
    text=f"median peak of the last {_LATEST} exposures above pulse height {{:g}}",
    thresholds=always(20.0, _CHARGE),
)
_LOST = Rule(
    name="lost-low",
    severity=Severity.WARN,
    text=f"median fraction below pulse height {LOST_LOW} of the last {_LATEST} exposures above "
    f"{{:.0%}}",
    thresholds=always(0.1, "inference: the loss that a user would notice in the flux"),
)
_OFF = Rule(
    name="outlier",
    severity=None,
    text="peak off the line through exposures of the same configuration by {:g} sigma",
    thresholds=always(5.0, "inference: as of the regions of the gain monitor"),
)

_OUTLIER_FLOOR = 0.005
"""Scatter of the peaks of a setting that is always believed, as a fraction of the peak."""

_SETTING = ("hvlevel", "life_adj", "aperture", "opt_elem", "cenwave")
"""What decides where light of the target, or of the lamp, falls, and with which gain: exposures
that share it have one peak, but for its decline."""

_MOST_EPOCHS = 7
"""As many as there are distinct colours."""

_EXPLANATION = """
Each event's charge is digitised to a pulse height from 0 to 31. The histogram of an exposure peaks
where the gain of the detector is; it falls as spectra extract charge, and rises with the high
voltage. Events below 2 are lost to the data.

Histograms are of the events in the active area, without the stims, in good time; those of ACCUM
exposures have four of their 128 bins in one. Darks, which have no such peak, are left out. The peak
is that of a normal distribution above the background, whose shapes are those of events beside
spectra; both are fitted together. Where nearly all is background, no peak is stated: its error
would be above a bin, or chance could make it. Exposures with fewer than 500 events are not
measured. The rejected fraction is that of NPHA to NEVENTS in the header of the exposure.

Outliers are found by comparison with exposures of the same segment, voltage, lifetime position,
aperture, grating and central wavelength, whose light falls on the same places: they lie 5 sigma off
the line of median slope through the 23 about them. The gain does not change within an exposure; a
step of the voltage in the middle of one moves its peak by a part of the step.
"""


def _histograms() -> RowQuery:
    def of_segment(a: object, b: object) -> object:
        return case((PulseHeights.segment == "FUVA", a), else_=b)

    rejected = of_segment(ExposureQuality.npha_a, ExposureQuality.npha_b)
    events = of_segment(ExposureQuality.neventsa, ExposureQuality.neventsb)
    return (
        shown(
            PulseHeights,
            PulseHeights.file_id,
            PulseHeights.rootname,
            PulseHeights.segment,
            PulseHeights.expstart.label("mjd"),
            PulseHeights.exptime,
            PulseHeights.hvlevel.label("hvlevel"),
            PulseHeights.life_adj.label("life_adj"),
            *setting_columns(),
            Header.propaper.label("aperture"),
            cast(rejected, Double).label("rejected"),
            cast(events, Double).label("events"),
            *(
                cast(getattr(PulseHeights, f"pha_{height}"), Double).label(f"pha_{height}")
                for height in range(PULSE_HEIGHTS)
            ),
        )
        .outerjoin(ExposureQuality, ExposureQuality.file_id == PulseHeights.file_id)
        .outerjoin(Header, Header.file_id == PulseHeights.file_id)
        .where(
            PulseHeights.expstart.is_not(None),
            or_(Header.exptype.is_(None), Header.exptype != "DARK"),
        )
        .order_by(PulseHeights.file_id, PulseHeights.id)
    )


@dataclass(frozen=True)
class _Exposures:
    """Exposures of a segment in order of time."""

    segment: Segment
    columns: Columns
    histograms: np.ndarray
    shape: Shape
    outlier: np.ndarray

    @property
    def rejected(self) -> np.ndarray:
        """Fraction of the events that CalCOS rejected for their pulse height, NaN where unknown."""
        with np.errstate(divide="ignore", invalid="ignore"):
            share = self.columns["rejected"] / self.columns["events"]
        return np.where(self.columns["events"] > 0, share, np.nan)


def _measure(_: str, inputs: Inputs) -> Mapping[str, Columns]:
    """Measure the histograms of a part, which takes far longer than to read them."""
    columns = inputs["histograms"]
    return {"histograms": {**columns, **vars(shape_of(_stacked(columns)))}}


def _stacked(columns: Columns) -> np.ndarray:
    """Return the histograms of shape (n, 32)."""
    return np.stack(
        [np.nan_to_num(columns[f"pha_{height}"]) for height in range(PULSE_HEIGHTS)], axis=1
    )


def _exposures(columns: Columns) -> Iterator[_Exposures]:
    for segment in FUV_SEGMENTS:
        mine = take(columns, columns["segment"] == segment)
        if not len(mine["mjd"]):
            continue
        shape = Shape(**{name.name: mine[name.name] for name in fields(Shape)})
        yield _Exposures(segment, mine, _stacked(mine), shape, _outliers(mine, shape))


def _outliers(columns: Columns, shape: Shape) -> np.ndarray:
    """Return which exposures have their peak off those of the same setting."""
    away = away_within_settings(columns, shape.peak, _SETTING)
    # The scatter of a few would often be far too small.
    scatter = np.maximum(
        np.fmax(shape.peak_error, robust_sigma(away[np.isfinite(away)])),
        _OUTLIER_FLOOR * shape.peak,
    )
    found: np.ndarray = np.abs(away) > _OFF.at(columns["mjd"]) * scatter
    return found


def _values(group: _Exposures) -> list[Values]:
    shape, columns = group.shape, group.columns
    return [
        values_of("peak", columns, shape.peak, shape.peak_error, outlier=group.outlier),
        values_of("mean", columns, shape.mean, shape.mean_error),
        values_of("width", columns, shape.width, shape.width_error),
        values_of("lost_low", columns, shape.low, shape.fraction_error(shape.low)),
        values_of("lost_high", columns, shape.high, shape.fraction_error(shape.high)),
        values_of("ends", columns, shape.ends, shape.fraction_error(shape.ends)),
        values_of("rejected", columns, group.rejected),
    ]


def _findings(group: _Exposures, newest: float) -> Iterator[Finding]:
    measured = np.isfinite(group.shape.peak)
    positions = group.columns["life_adj"]
    for position in np.unique(positions[measured & (positions > 0)]):
        latest = np.flatnonzero(measured & (positions == position))[-_LATEST:]
        if len(latest) < _LATEST or group.columns["mjd"][latest[-1]] < newest - _CURRENT_DAYS:
            continue
        name = f"{group.segment} LP{position:.0f}"
        peak, low = (
            float(np.median(group.shape.peak[latest])),
            float(np.median(group.shape.low[latest])),
        )
        last = float(group.columns["mjd"][latest[-1]])
        rule = _PEAK_LOW if peak < _PEAK_LOW.now else _PEAK_HIGH if peak > _PEAK_HIGH.now else None
        if rule:
            message = (
                f"the last {_LATEST} exposures of {name} have their peak at pulse height {peak:.1f}"
            )
            yield rule.finding(message, last, peak, configuration=name)
        if low > _LOST.now:
            message = (
                f"the last {_LATEST} exposures of {name} lose {low:.0%} of their events to "
                "low pulse heights"
            )
            yield _LOST.finding(message, last, low, configuration=name)


def _epochs_figure(groups: list[_Exposures]) -> Figure:
    panels = []
    for group in groups:
        years = np.floor(decimal_year(group.columns["mjd"]))
        every = np.unique(years)
        chosen = every[np.unique(np.linspace(0, len(every) - 1, _MOST_EPOCHS).round().astype(int))]
        layers: list[Layer] = []
        for year in chosen:
            mine = (years == year) & (group.columns["exptime"] > 0)
            seconds = group.columns["exptime"][mine].sum()
            if seconds > 0:
                rate = group.histograms[mine].sum(axis=0) / seconds
                # Steps go on from a bin's left side; the last one needs its right side too.
                x = np.arange(PULSE_HEIGHTS + 1) - 0.5
                layers.append(
                    Line(
                        label=f"{year:.0f}",
                        x=numbers(x),
                        y=numbers(np.append(rate, rate[-1])),
                        steps=True,
                    )
                )
        panels.append(
            Panel(
                x_label="Pulse height",
                y_label="Counts / s / bin",
                layers=layers,
                title=group.segment,
            )
        )
    caption = "Sum of the histograms of a year over the sum of their exposure times."
    return Figure(
        name="epochs",
        title="Pulse heights by year",
        caption=caption,
        panels=panels,
        columns=len(panels),
    )


def _peak_figure(groups: list[_Exposures]) -> Figure:
    panels = []
    for group in groups:
        mjd = group.columns["mjd"]
        layers = scatter(
            "peak",
            points_of(
                group.columns, mjd, group.shape.peak, group.shape.peak_error, outlier=group.outlier
            ),
        )
        layers += configuration_marks(group.segment, mjd, group.columns["hvlevel"])
        layers += [Mark(text="limit", y=_PEAK_LOW.now), Mark(text="limit", y=_PEAK_HIGH.now)]
        panels.append(
            Panel(
                x_label="Date",
                y_label="Peak (pulse height)",
                layers=layers,
                title=group.segment,
                x_is_time=True,
            )
        )
    caption = (
        "Each point is an exposure; crosses are outliers. Dotted: moves to new lifetime positions, "
        "steps of the high voltage, and the limits."
    )
    return Figure(
        name="peak",
        title="Peak of the pulse heights against date",
        caption=caption,
        panels=panels,
        share_x=True,
    )


def _lost_figure(groups: list[_Exposures]) -> Figure:
    panels = []
    for group in groups:
        mjd = group.columns["mjd"]
        ends = {f"below {LOST_LOW}": group.shape.low, f"above {LOST_HIGH}": group.shape.high}
        for title, shares, limits in (
            ("outside", ends, [Mark(text="limit of the lowest", y=_LOST.now)]),
            ("rejected", {"rejected by CalCOS": group.rejected}, []),
        ):
            layers: list[Layer] = [*lifetime_marks(mjd), *limits]
            for name, share in shares.items():
                layers += scatter(name, points_of(group.columns, mjd, share))
            name = f"{group.segment}, {title}"
            panels.append(
                Panel(
                    x_label="Date",
                    y_label="Fraction of the events",
                    layers=layers,
                    title=name,
                    x_is_time=True,
                )
            )
    caption = (
        "Events with too low and too high pulse heights, and those that CalCOS rejected for either."
    )
    return Figure(
        name="lost",
        title="Events lost to their pulse heights",
        caption=caption,
        panels=panels,
        columns=2,
        share_x=True,
    )


def _compute(inputs: Inputs) -> RunOutput:
    columns = inputs.get("histograms", {"mjd": np.zeros(0)})
    columns = take(columns, np.argsort(columns["mjd"], kind="stable"))
    if not len(columns["mjd"]):
        return RunOutput(newest_mjd=None)
    newest = float(columns["mjd"].max())
    groups = list(_exposures(columns))
    statistics = {}
    for group in groups:
        changed = voltage_changed(group.columns)
        for found in _values(group):
            statistics[f"{group.segment} {found.quantity}"] = summarise(
                found.mjd, found.value, changed
            )
    return RunOutput(
        newest_mjd=newest,
        values=[found for group in groups for found in _values(group)],
        figures=[_epochs_figure(groups), _peak_figure(groups), _lost_figure(groups)],
        findings=[finding for group in groups for finding in _findings(group, newest)],
        statistics=statistics,
    )


MONITOR = Monitor(
    name="phd",
    title="Pulse heights",
    explanation=_EXPLANATION.strip(),
    detector="FUV",
    version=8,
    tables=frozenset({"phd"}),
    inputs={"ranges": file_ranges({"phd", "quality", "headers"})},
    parts={
        "by_files": replace(
            by_files("ranges", {"histograms": _histograms()}, PulseHeights.file_id), find=_measure
        )
    },
    quantities={
        "peak": Quantity(unit="", description="Centre of the peak of the pulse heights"),
        "mean": Quantity(unit="", description="Mean pulse height"),
        "width": Quantity(unit="", description="Standard deviation of the pulse heights"),
        "lost_low": Quantity(
            unit="", description="Fraction of the events with pulse heights below 2"
        ),
        "lost_high": Quantity(
            unit="", description="Fraction of the events with pulse heights above 23"
        ),
        "ends": Quantity(unit="", description="Fraction of the events with pulse heights 0 or 31"),
        "rejected": Quantity(
            unit="",
            description="Fraction of the events that CalCOS rejected for their pulse height",
        ),
    },
    compute=_compute,
    cadence=timedelta(days=7),
    rules=(_PEAK_LOW, _PEAK_HIGH, _LOST, _OFF),
)
