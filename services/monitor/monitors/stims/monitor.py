"""Stim pulses: where the electronics put two fixed points of each FUV segment, and how it stretches
between them.
"""

from datetime import timedelta

import numpy as np
from sqlalchemy import Double, cast, func, or_

from services.monitor.figures import Figure, Mark, Outline, Panel
from services.monitor.figures.description import Layer, scatter
from services.monitor.framework.declaration import (
    Columns,
    Inputs,
    Monitor,
    Quantity,
    RowQuery,
    RunOutput,
)
from services.monitor.framework.increments import by_files, file_ranges
from services.monitor.framework.statistics import summarise
from services.monitor.library.exposure_values import (
    points_of,
    setting_columns,
    take,
    voltage_changed,
)
from services.monitor.library.shown_rows import shown
from services.monitor.monitors.stims.positions import (
    COORDINATES,
    RULES,
    StimHistory,
    histories_of,
    reference,
    search_range,
    stim_findings,
    stim_values,
)
from shared.database.models.science import ExposureQuality, Header, Stim, Support

__all__ = ["MONITOR"]

_EXPLANATION = """
Electronics inject two pulses at fixed places into each FUV segment. Where they appear shows how the
read-out stretches and shifts with temperature; CalCOS maps every event by them.

Events inside the box of each stim are averaged over steps of up to 120 s. The stretch is the
distance between the two, the midpoint the mean of both; slope and offset are those of the thermal
map, corrected = offset + slope * raw, that puts them to their reference positions. The rate is that
of both stims together, halved; over half of STIMRATE, which is for both, it gives the live time,
which is compared with that of the header (LIVETM), that CalCOS derives from the rate of all events.

Reference positions (of calibrated headers) and boxes are the same for all exposures: no BRFTAB is
read.

A step whose stim was to give ten counts or more and gave none is missing one. A segment without
events, or whose high voltage is low, shows no stims, and is left out.
"""


def _steps() -> RowQuery:
    aggregates = []
    for name in COORDINATES:
        coordinate = getattr(Stim, name)
        aggregates += [
            func.avg(coordinate, type_=Double).label(name),
            func.stddev_samp(coordinate, type_=Double).label(f"{name}_scatter"),
        ]
    missing = or_(Stim.stim1_x.is_(None), Stim.stim2_x.is_(None))
    for axis in "xy":
        first, second = getattr(Stim, f"stim1_{axis}"), getattr(Stim, f"stim2_{axis}")
        aggregates += [
            func.avg(second - first, type_=Double).label(f"stretch_{axis}"),
            func.stddev_samp(second - first, type_=Double).label(f"stretch_{axis}_scatter"),
        ]
    for name in (
        "stimrate",
        "stima_lx",
        "stimb_lx",
        "neventsa",
        "neventsb",
        "livetm_a",
        "livetm_b",
    ):
        aggregates.append(cast(func.max(getattr(ExposureQuality, name)), Double).label(name))
    for name in ("hvlevela", "hvlevelb", "life_adj"):
        aggregates.append(cast(func.max(getattr(Header, name)), Double).label(name))
    return (
        shown(
            Stim,
            Stim.file_id,
            Stim.rootname,
            Stim.segment,
            func.min(Stim.abs_time, type_=Double).label("mjd"),
            func.max(Stim.step).label("step"),
            func.count().label("steps"),
            func.count(Stim.stim1_x).label("stim1_steps"),
            func.count(Stim.stim2_x).label("stim2_steps"),
            func.sum(Stim.counts).label("counts"),
            cast(func.min(Stim.time).filter(missing), Double).label("missing_from"),
            cast(func.max(Stim.time).filter(missing), Double).label("missing_to"),
            func.count(ExposureQuality.id).label("quality_rows"),
            *aggregates,
            *setting_columns(grouped=True),
        )
        .outerjoin(ExposureQuality, ExposureQuality.file_id == Stim.file_id)
        .outerjoin(Header, Header.file_id == Stim.file_id)
        .group_by(Stim.file_id, Stim.rootname, Stim.segment)
        .order_by(Stim.file_id, Stim.rootname, Stim.segment)
    )


def _warmth() -> RowQuery:
    """Return the query for the temperatures of both amplifiers, deg C, by exposure."""
    return shown(
        Support,
        Support.rootname,
        func.avg(Support.ldcampat, type_=Double).label("a"),
        func.avg(Support.ldcampbt, type_=Double).label("b"),
    ).group_by(Support.rootname)


def _with_temperatures(columns: Columns, warmth: Columns) -> Columns:
    """Return the columns with the temperatures of their exposures, in order of time."""
    row = {name: number for number, name in enumerate(warmth["rootname"])}
    rows = np.array([row.get(name, len(row)) for name in columns["rootname"]], dtype=int)
    known = {f"temperature_{side}": np.append(warmth[side], np.nan)[rows] for side in "ab"}
    return take({**columns, **known}, np.argsort(columns["mjd"], kind="stable"))


def _positions_figure(segments: list[StimHistory]) -> Figure:
    panels = []
    for segment in segments:
        for stim in ("stim1", "stim2"):
            outlier = segment.outlier[f"{stim}_x"] | segment.outlier[f"{stim}_y"]
            x, y = segment.columns[f"{stim}_x"], segment.columns[f"{stim}_y"]
            left, right = search_range(segment.name, f"{stim}_x")
            low, high = search_range(segment.name, f"{stim}_y")
            box = Outline(
                label="search box",
                x=[left, right, right, left, left],
                y=[low, low, high, high, low],
            )
            layers: list[Layer] = [
                *scatter("exposures", points_of(segment.columns, x, y, outlier=outlier)),
                box,
            ]
            panels.append(
                Panel(
                    x_label="RAWX (pix)",
                    y_label="RAWY (pix)",
                    layers=layers,
                    title=f"{segment.name} {stim}",
                )
            )
    caption = (
        "Mean position of each stim by exposure, with the box that it is looked for in; "
        "crosses are outliers."
    )
    return Figure(
        name="positions", title="Positions of the stims", caption=caption, panels=panels, columns=2
    )


def _derived_reference(segment: str, quantity: str, axis: str) -> float:
    first, second = reference(segment, f"stim1_{axis}"), reference(segment, f"stim2_{axis}")
    return second - first if quantity == "stretch" else (first + second) / 2


def _history_figure(segment: StimHistory) -> Figure:
    panels = []
    for name in COORDINATES:
        center = reference(segment.name, name)
        moved = segment.columns[name] - center
        points = points_of(
            segment.columns, segment.columns["mjd"], moved, outlier=segment.outlier[name]
        )
        layers = [*scatter("exposures", points), Mark(text=f"reference, {center:g}", y=0.0)]
        panels.append(
            Panel(
                x_label="Date",
                y_label=f"{name} less {center:g} (pix)",
                layers=layers,
                title=name,
                x_is_time=True,
            )
        )
    caption = "Mean of each coordinate by exposure, less its reference; crosses are outliers."
    title = f"Coordinates against date, {segment.name}"
    return Figure(
        name=f"history-{segment.name.lower()}",
        title=title,
        caption=caption,
        panels=panels,
        columns=2,
        share_x=True,
    )


def _stretch_figure(segments: list[StimHistory], name: str, x_label: str, title: str) -> Figure:
    panels = []
    for quantity in ("stretch", "midpoint"):
        for axis in "xy":
            for segment in segments:
                outlier = segment.outlier[f"stim1_{axis}"] | segment.outlier[f"stim2_{axis}"]
                normal = _derived_reference(segment.name, quantity, axis)
                moved = segment.derived(quantity, axis) - normal
                points = points_of(segment.columns, segment.columns[name], moved, outlier=outlier)
                layers = scatter("exposures", points)
                y_label = f"{quantity} in {axis} less {normal:g} (pix)"
                panels.append(
                    Panel(
                        x_label=x_label,
                        y_label=y_label,
                        layers=layers,
                        title=segment.name,
                        x_is_time=name == "mjd",
                    )
                )
    caption = (
        "Distance from the first to the second stim, and the mean of both, by exposure, less what "
        "the reference "
        "positions give; crosses are outliers."
    )
    figure_name = f"stretch-{x_label.split()[0].lower()}"
    return Figure(
        name=figure_name, title=title, caption=caption, panels=panels, columns=len(segments)
    )


def _pairs_figure(segments: list[StimHistory]) -> Figure:
    panels = []
    for segment in segments:
        for axis in "xy":
            first, second = f"stim1_{axis}", f"stim2_{axis}"
            outlier = segment.outlier[first] | segment.outlier[second]
            origin = reference(segment.name, first), reference(segment.name, second)
            moved = segment.columns[first] - origin[0], segment.columns[second] - origin[1]
            layers = scatter("exposures", points_of(segment.columns, *moved, outlier=outlier))
            panels.append(
                Panel(
                    x_label=f"{first} less {origin[0]:g} (pix)",
                    y_label=f"{second} less {origin[1]:g} (pix)",
                    layers=layers,
                    title=f"{segment.name} {axis}",
                )
            )
    caption = (
        "One stim against the other: along the diagonal the detector shifts, across it it "
        "stretches."
    )
    return Figure(
        name="pairs", title="First stim against second", caption=caption, panels=panels, columns=2
    )


def _compute(inputs: Inputs) -> RunOutput:
    columns = inputs.get("steps")
    if columns is None or not len(columns["mjd"]):
        return RunOutput(newest_mjd=None)
    columns = _with_temperatures(columns, inputs["warmth"])
    segments = list(histories_of(columns))
    values = [found for segment in segments for found in stim_values(segment)]
    figures = [_history_figure(segment) for segment in segments]
    if segments:
        figures = [
            _positions_figure(segments),
            *figures,
            _stretch_figure(segments, "mjd", "Date", "Stretch and midpoint against date"),
            _pairs_figure(segments),
            _stretch_figure(
                segments,
                "temperature",
                "Temperature (deg C)",
                "Stretch and midpoint against temperature",
            ),
        ]
    changed = {segment.name: voltage_changed(segment.columns) for segment in segments}
    statistics = {
        " ".join((found.segment[0], found.quantity, found.region[0] or "")).strip(): summarise(
            found.mjd, found.value, changed[found.segment[0]]
        )
        for found in values
        if len(found.mjd)
    }
    findings = [found for segment in segments for found in stim_findings(segment)]
    return RunOutput(
        newest_mjd=float(columns["mjd"].max()),
        values=values,
        figures=figures,
        findings=findings,
        statistics=statistics,
    )


MONITOR = Monitor(
    name="stims",
    title="Stim pulses",
    explanation=_EXPLANATION.strip(),
    detector="FUV",
    version=6,
    tables=frozenset({"stims"}),
    inputs={"ranges": file_ranges({"stims", "quality", "headers"}), "warmth": _warmth()},
    parts={"by_files": by_files("ranges", {"steps": _steps()}, Stim.file_id)},
    quantities={
        "position": Quantity(
            unit="pix", description="Mean RAWX or RAWY of a stim over an exposure, by coordinate"
        ),
        "scatter": Quantity(
            unit="pix", description="Standard deviation of that over the steps of the exposure"
        ),
        "stretch": Quantity(unit="pix", description="Second stim minus first, by axis"),
        "midpoint": Quantity(unit="pix", description="Mean of both stims, by axis"),
        "slope": Quantity(unit="", description="Slope of the thermal map, by axis"),
        "offset": Quantity(unit="pix", description="Offset of the thermal map, by axis"),
        "missing": Quantity(
            unit="", description="Fraction of the steps in which a stim was not found"
        ),
        "stim_rate": Quantity(unit="count / s", description="Mean count rate of the two stims"),
        "live_time": Quantity(
            unit="", description="That rate over the commanded one, half of STIMRATE"
        ),
    },
    compute=_compute,
    cadence=timedelta(days=7),
    rules=RULES,
)
