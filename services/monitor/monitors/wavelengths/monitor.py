"""The wavelength scale: residuals of lines, and zero points of dispersion relations."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np

from services.monitor.framework.declaration import (
    Inputs,
    Monitor,
    Quantity,
    Reference,
    RowQuery,
    RunOutput,
)
from services.monitor.framework.increments import by_files, file_ranges
from services.monitor.framework.rules import Finding
from services.monitor.framework.statistics import summarise
from services.monitor.library.exposure_values import finding_of, recent, take
from services.monitor.library.lamp_flashes import RANGES, configurations
from services.monitor.library.revised_tables import read_active
from services.monitor.library.shown_rows import shown
from services.monitor.monitors.wavelengths.figures import wavelength_figures
from services.monitor.monitors.wavelengths.residuals import Lines, Spectra, spectrum_values
from services.monitor.monitors.wavelengths.rules import OFF, RULES
from services.monitor.monitors.wavelengths.zero_points import (
    dispersion_files,
    zero_point_findings,
    zero_points,
)
from shared.database.models.science import LinePosition

__all__ = ["MONITOR"]

_EXPLANATION = """
Lines of known wavelength, of the lamp in its flashes and of standards in their spectra, show
whether the wavelengths that CalCOS assigns are right. The list of lines (cosmo_lines.fits) lies in
the folder of reference files; without it there is nothing to compare with. The residual of a line
is its measured wavelength less that of the list, in pixels and as a velocity; the mean over the
lines of a spectrum is by their errors and a scatter of 0.15 pixel, and its error grows with what
the lines scatter more. The slope is the change of the residual along the spectrum: a dispersion
that is off.

The shift of each exposure is measured on the lamp itself, so that its lines show errors of the
scale, while a zero point between lamp and target shows on standards alone.

A spectrum at no lifetime position (LIFE_ADJ -1) is kept and shown as such, and enters no statistic.
A median of a year above 3 pixels makes a table of dispersion relations (DISPTAB) with corrected
zero points, checked and compared with the one that CalCOS used; nothing is delivered from here.
"""

_COLUMNS = (
    "file_id",
    "rootname",
    "proposid",
    "detector",
    "segment",
    "opt_elem",
    "cenwave",
    "fppos",
    "life_adj",
    "aperture",
    "source",
    "catalogue",
    "measured",
    "error",
    "dispersion",
    "position",
    "disptab",
)


def _lines_query() -> RowQuery:
    """Return the query for the lines of all exposures."""
    columns = (getattr(LinePosition, name) for name in _COLUMNS)
    return shown(LinePosition, *columns, LinePosition.date.label("mjd")).where(
        LinePosition.date.is_not(None)
    )


def _findings(spectra: Spectra) -> Iterator[Finding]:
    columns = spectra.columns
    for index in np.flatnonzero(spectra.off & recent(columns["mjd"])).tolist():
        source, segment = columns["source"][index], columns["segment"][index]
        value = float(spectra.residual[index])
        message = (
            f"lines of {source} in {columns['rootname'][index]}, {segment} "
            f"{columns['opt_elem'][index]}/{columns['cenwave'][index]:.0f}, are off by "
            f"{value:.1f} pix in the mean of {spectra.number[index]:.0f}"
        )
        yield finding_of(OFF, columns, index, message, value, configuration=f"{segment} {source}")


def _statistics(spectra: Spectra) -> dict[str, Any]:
    """Return the statistics of each configuration and kind of source, and of what is left out."""
    found: dict[str, Any] = {}
    lamp = spectra.columns["source"] == "lamp"
    for label, chosen in (("lamp", lamp), ("targets", ~lamp)):
        rows = np.flatnonzero(chosen & (spectra.status == ""))
        mine = take(spectra.columns, rows)
        for name, places in configurations(mine, positions=True):
            found[f"{name} {label}: residual"] = summarise(
                mine["mjd"][places], spectra.residual[rows[places]]
            )
    for reason in sorted(set(spectra.status[spectra.status != ""].tolist())):
        left = spectra.status == reason
        found[f"left out, {reason}: residual"] = summarise(
            spectra.columns["mjd"][left], spectra.residual[left]
        )
    return found


def _compute(inputs: Inputs) -> RunOutput:
    rows = inputs.get("lines")
    if rows is None or not len(rows["mjd"]):
        return RunOutput(newest_mjd=None)
    lines = Lines.of(rows)
    if not len(lines.residual):
        return RunOutput(newest_mjd=None)
    spectra = Spectra.of(lines)
    points = zero_points(spectra)
    tables, faults = dispersion_files(points, inputs["DISPTAB"])
    return RunOutput(
        newest_mjd=float(lines.columns["mjd"][-1]),
        values=list(spectrum_values(spectra)),
        figures=wavelength_figures(lines, spectra),
        findings=[*_findings(spectra), *zero_point_findings(points), *faults],
        statistics=_statistics(spectra),
        artifacts=tables,
    )


MONITOR = Monitor(
    name="wavelength",
    title="Wavelength scale",
    explanation=_EXPLANATION.strip(),
    detector="FUV and NUV",
    version=1,
    tables=frozenset({"line_positions"}),
    inputs={RANGES: file_ranges({"line_positions"})},
    parts={"by_files": by_files(RANGES, {"lines": _lines_query()}, LinePosition.file_id)},
    references={"DISPTAB": Reference(keyword="DISPTAB", read=read_active)},
    quantities={
        "residual": Quantity(
            unit="pix", description="Mean of measured less catalogue wavelength of lines"
        ),
        "velocity": Quantity(unit="km / s", description="The same as a velocity"),
        "slope": Quantity(
            unit="pix", description="Change of the residual of lines in 1000 pix of the spectrum"
        ),
        "lines": Quantity(unit="", description="Lines that were measured"),
    },
    compute=_compute,
    cadence=timedelta(days=30),
    rules=RULES,
)
