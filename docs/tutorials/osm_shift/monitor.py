"""Shifts of spectra along the dispersion."""

from datetime import timedelta

import numpy as np

from services.monitor.figures import Figure, Panel
from services.monitor.figures.description import scatter
from services.monitor.framework.declaration import (
    Columns,
    Inputs,
    Monitor,
    Quantity,
    RowQuery,
    RunOutput,
)
from services.monitor.framework.rules import Rule, always
from services.monitor.framework.statistics import summarise
from services.monitor.library.exposure_values import finding_of, points_of, recent, values_of
from services.monitor.library.shown_rows import shown
from shared.database.models.monitoring import Severity
from shared.database.models.science import Lampflash

__all__ = ["MONITOR"]

_FAR = Rule(
    name="far",
    severity=Severity.WARN,
    text="spectrum shifted by more than {:g} pixel",
    thresholds=always(30.0, "chosen for the tutorial"),
)

_EXPLANATION = """
How far the spectrum of the lamp is from where its template has it, along the dispersion, at the
first flash of each exposure. The offset that FP-POS commands is taken out.

The mechanisms that turn the gratings into place (OSM) stop each time at another place, and where
they do changes over the years. CalCOS corrects for the shift.
"""


def _shifts() -> RowQuery:
    """Return the query for the shifts of the first flashes, in the order of time."""
    return (
        shown(
            Lampflash,
            Lampflash.file_id,
            Lampflash.rootname,
            Lampflash.segment,
            Lampflash.date.label("mjd"),
            Lampflash.opt_elem,
            Lampflash.cenwave,
            Lampflash.x_shift,
        )
        .where(
            Lampflash.filetype == "lampflash",  # and not an acquisition
            Lampflash.flash == 1,
            Lampflash.x_shift.is_not(None),
        )
        .order_by(Lampflash.date, Lampflash.id)
    )


def _figure(columns: Columns, outlier: np.ndarray) -> Figure:
    points = points_of(columns, columns["mjd"], columns["x_shift"], outlier=outlier)
    panel = Panel(
        x_label="Date",
        y_label="Shift (pixel)",
        layers=scatter("first flashes", points),
        x_is_time=True,
    )
    return Figure(
        name="shift",
        title="Shift against date",
        caption="Each point is a segment of an exposure; crosses are outliers.",
        panels=[panel],
    )


def _compute(inputs: Inputs) -> RunOutput:
    columns = inputs["shifts"]
    if not len(columns["mjd"]):
        return RunOutput(newest_mjd=None)
    shift = columns["x_shift"]
    outlier = np.abs(shift) > _FAR.at(columns["mjd"])
    return RunOutput(
        newest_mjd=float(columns["mjd"].max()),
        values=[values_of("shift", columns, shift, outlier=outlier)],
        figures=[_figure(columns, outlier)],
        findings=[
            finding_of(
                _FAR,
                columns,
                index,
                f"{columns['rootname'][index]} is shifted by {shift[index]:.1f} pixel",
                shift[index],
            )
            for index in np.flatnonzero(outlier & recent(columns["mjd"]))
        ],
        statistics={"shift": summarise(columns["mjd"], shift)},
    )


MONITOR = Monitor(
    name="osm-shift",
    title="Shift of spectra",
    explanation=_EXPLANATION.strip(),
    detector="FUV and NUV",
    version=1,  # raise it whenever the same inputs would give something else
    tables=frozenset({"lampflash"}),
    inputs={"shifts": _shifts()},
    quantities={"shift": Quantity(unit="pix", description="Shift along the dispersion")},
    compute=_compute,
    cadence=timedelta(days=7),
    rules=(_FAR,),
)
