"""Common parts of the declarations of both monitors of shifts."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np
from sqlalchemy import and_, exists, select
from sqlalchemy.orm import aliased

from services.monitor.framework.declaration import (
    Columns,
    Inputs,
    Monitor,
    Quantity,
    Reference,
    RowQuery,
    RunOutput,
    Values,
)
from services.monitor.framework.increments import file_ranges
from services.monitor.framework.rules import Rule
from services.monitor.library.exposure_values import take, values_of
from services.monitor.library.groups import codes_of
from services.monitor.library.lamp_flashes import RANGES, flashes_by_files
from services.monitor.library.revised_tables import REVISION_RULES, read_active
from services.monitor.library.shown_rows import shown
from services.monitor.monitors.osm_shifts.differences import difference_values, differences_of
from services.monitor.monitors.osm_shifts.figures import shift_figures
from services.monitor.monitors.osm_shifts.findings import (
    outliers_file,
    shift_findings,
    shift_statistics,
)
from services.monitor.monitors.osm_shifts.search_boxes import read_boxes
from services.monitor.monitors.osm_shifts.shifts import (
    ROLLING_DAYS,
    RollingMean,
    Shifts,
    rolling_means,
    shift_values,
)
from services.monitor.monitors.osm_shifts.zero_points import (
    box_points,
    table_artifacts,
    zero_point_findings,
    zero_points,
)
from shared.database.models.operations import File
from shared.database.models.science import Header, Lampflash

__all__ = ["shift_monitor"]

_EXPLANATION = """
The mechanisms that turn the gratings into place (OSM1, OSM2) stop each time at a slightly other
angle. CalCOS compares the lamp's spectrum of each flash with a template and notes how far it is
off, along dispersion (SHIFT_DISP) and across it (SHIFT_XDISP). SHIFT_DISP contains what FP-POS
commands, FP_PIXEL_SHIFT of the lamp template table (LAMPTAB); the shift without it shows where the
mechanism stopped.
"""

_LEFT_OUT = """
A flash that was copied from another segment, because its own has no lines, one that was not found,
one at no lifetime position (LIFE_ADJ -1) and one whose template is not at hand are kept and shown
as such, and enter no statistic. A lifetime position that is not listed is called unknown. An
exposure of which there is no flash at all counts 0 flashes.

Errors are those of the place of so many counts in a line of the width of a resolution element, with
the scatter of what CalCOS finds in bright simulated flashes: 0.12 pixel (FUV) and 0.03 pixel (NUV)
along dispersion, 0.06 and 0.09 across.
"""

_FILES = """
Where the median of a year is off, there are two ways to put it right, and a file for each: a
LAMPTAB whose templates are moved along with their FP_PIXEL_SHIFT, so that wavelengths stay and what
is left of the shift goes to 0, and a WCPTAB whose SEARCH_OFFSET is that median, so that CalCOS
looks about it. Each is the table of these exposures with other numbers in the rows that need it,
checked and compared with it. One of the two is right to deliver, not both. Nothing is delivered
from here.
"""

_EMPTY = "empty"


def _empty_tables(detector: str) -> RowQuery:
    """Return the query for the exposures of a detector whose table of flashes is empty."""
    table = aliased(File)
    flash = exists(select(Lampflash.id).where(Lampflash.file_id == table.id))
    same = and_(table.rootname == Header.rootname, table.suffix == "lampflash", table.shown, ~flash)
    return (
        shown(
            Header,
            table.id.label("file_id"),
            Header.rootname,
            Header.expstart.label("mjd"),
            Header.life_adj.label("life_adj"),
        )
        .join(table, same)
        .where(Header.detector == detector, Header.expstart.is_not(None))
        .order_by(Header.expstart, table.id)
    )


def _number_values(shifts: Shifts, empty: Columns) -> Iterator[Values]:
    """Yield how many flashes each segment of an exposure has; 0 of a table without any."""
    columns = shifts.columns
    # Flashes of a segment of an exposure follow each other.
    segment, _ = codes_of(columns["segment"])
    first = np.flatnonzero(
        (np.diff(columns["file_id"], prepend=-1.0) != 0) | (np.diff(segment, prepend=-1) != 0)
    )
    number = np.diff(np.append(first, len(segment)))
    yield values_of("flashes", take(columns, first), number.astype(float))
    yield values_of("flashes", empty, np.zeros(len(empty["mjd"])))


def _mean_values(means: Sequence[RollingMean]) -> Iterator[Values]:
    for one in means:
        columns = {**one.columns, "segment": np.full(len(one.mean), None, dtype=object)}
        yield values_of("rolling_mean", columns, one.mean, one.error, region=one.name)


def _compute(name: str, detector: str, inputs: Inputs) -> RunOutput:
    empty = inputs[_EMPTY]
    flashes = inputs.get("flashes")
    if flashes is None or not (flashes["detector"] == detector).any():
        return RunOutput(newest_mjd=None)
    shifts = Shifts.of(detector, flashes, inputs["boxes"])
    differences = differences_of(shifts)
    means = rolling_means(shifts)
    points = {"LAMPTAB": zero_points(shifts), "WCPTAB": box_points(shifts)}
    tables, faults = table_artifacts(detector, points, inputs)
    return RunOutput(
        newest_mjd=float(shifts.columns["mjd"][-1]),
        values=[
            *shift_values(shifts),
            *(found for one in differences for found in difference_values(one)),
            *_mean_values(means),
            *_number_values(shifts, empty),
        ],
        figures=shift_figures(shifts, differences, means),
        findings=[
            *shift_findings(shifts, differences),
            *zero_point_findings(points["LAMPTAB"], points["WCPTAB"]),
            *faults,
        ],
        statistics=shift_statistics(shifts, differences),
        artifacts=[outliers_file(name, shifts, differences), *tables],
    )


_QUANTITIES = {
    "shift_disp": Quantity(
        unit="pix", description="SHIFT_DISP of each flash, with what FP-POS commands"
    ),
    "shift": Quantity(unit="pix", description="SHIFT_DISP less FP_PIXEL_SHIFT"),
    "shift_xdisp": Quantity(unit="pix", description="SHIFT_XDISP of each flash"),
    "difference": Quantity(
        unit="pix", description="SHIFT_DISP of one segment less that of another at the same flash"
    ),
    "difference_corrected": Quantity(
        unit="pix", description="The same of shifts less FP_PIXEL_SHIFT"
    ),
    "difference_xdisp": Quantity(unit="pix", description="The same of SHIFT_XDISP"),
    "rolling_mean": Quantity(
        unit="pix",
        description=f"Mean of the shifts of the {ROLLING_DAYS:.0f} days up to the exposure, of a "
        "grating, and a lifetime position of the FUV",
    ),
    "flashes": Quantity(unit="", description="Lamp flashes of an exposure in a segment"),
}


def shift_monitor(detector: str, rules: Sequence[Rule], explanation: str) -> Monitor:
    """Declare the monitor of the shifts of a detector.

    Parameters
    ----------
    detector
        FUV or NUV.
    rules
        What flashes are held to.
    explanation
        Paragraph about the detector.
    """
    name = f"{detector.lower()}-osm-shift"
    return Monitor(
        name=name,
        title=f"Shifts of {detector} spectra",
        explanation="\n\n".join(
            text.strip() for text in (_EXPLANATION, explanation, _LEFT_OUT, _FILES)
        ),
        detector=detector,
        version=2,
        tables=frozenset({"lampflash"}),
        inputs={
            RANGES: file_ranges({"lampflash"}),
            _EMPTY: _empty_tables(detector),
        },
        parts={"by_files": flashes_by_files(detector)},
        references={
            "boxes": Reference(keyword="WCPTAB", read=read_boxes),
            "WCPTAB": Reference(keyword="WCPTAB", read=read_active),
            "LAMPTAB": Reference(keyword="LAMPTAB", read=read_active),
        },
        quantities=_QUANTITIES,
        compute=lambda inputs: _compute(name, detector, inputs),
        cadence=timedelta(days=7),
        rules=(*rules, *REVISION_RULES),
    )
