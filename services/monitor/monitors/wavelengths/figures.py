"""Figures of wavelengths: residuals against wavelength and against date."""

import numpy as np

from services.monitor.figures import Figure, Mark, Panel
from services.monitor.figures.description import Layer, scatter
from services.monitor.framework.declaration import Columns
from services.monitor.framework.instrument_history import lifetime_marks
from services.monitor.library.exposure_values import notes_of, points_of
from services.monitor.library.groups import codes_of, grouped, phrases
from services.monitor.monitors.wavelengths.residuals import Lines, Spectra
from services.monitor.monitors.wavelengths.rules import OFF
from shared.cos.detector import FUV_SEGMENTS

__all__ = ["wavelength_figures"]

_RESIDUAL = "Measured - catalogue (pix)"
_VELOCITY = "Measured - catalogue (km/s)"


def wavelength_figures(lines: Lines, spectra: Spectra) -> list[Figure]:
    """Draw all figures of wavelengths."""
    single = dict(lines.columns)
    single["note"] = notes_of(single, "source", "segment")
    wavelength, mean = single["catalogue"], spectra.columns
    none = np.zeros(len(wavelength), dtype=bool)
    date = mean["mjd"]
    limits: list[Layer] = [Mark(text="limit", y=side * OFF.now) for side in (-1.0, 1.0)]
    of_line = (
        "Each point is a line in a segment or stripe of an exposure. Of those that enter no "
        "statistic, the series is named after the reason."
    )
    of_mean = (
        "Each point is the mean of the lines of a segment or stripe; crosses are above the limit. "
        "Dotted: limits, and lifetime positions of the FUV."
    )
    return [
        _figure(
            ("wavelength", "Residuals against wavelength", of_line + " Dotted: limits of a mean."),
            single,
            ("Wavelength (Angstrom)", wavelength),
            (_RESIDUAL, lines.residual),
            none,
            limits,
            lines.status,
        ),
        _figure(
            ("velocity", "Residuals as velocities", of_line),
            single,
            ("Wavelength (Angstrom)", wavelength),
            (_VELOCITY, lines.velocity),
            none,
            [],
            lines.status,
        ),
        _figure(
            ("date", "Mean residuals against date", of_mean),
            mean,
            (None, date),
            (_RESIDUAL, spectra.residual),
            spectra.off,
            limits,
            spectra.status,
        ),
        _figure(
            ("slope", "Change of the residual along the spectrum against date", of_mean),
            mean,
            (None, date),
            ("Slope (pix in 1000 pix)", spectra.slope),
            np.zeros(len(date), dtype=bool),
            [],
            spectra.status,
        ),
    ]


def _figure(
    named: tuple[str, str, str],
    columns: Columns,
    along: tuple[str | None, np.ndarray],
    drawn: tuple[str, np.ndarray],
    outlier: np.ndarray,
    marks: list[Layer],
    status: np.ndarray,
) -> Figure:
    """Draw a panel for each grating, against date where the abscissa has no label."""
    name, title, caption = named
    x_label, x = along
    y_label, y = drawn
    series = np.where(status == "", phrases("{} {}", columns["segment"], columns["source"]), status)
    points: dict[str, list[Layer]] = {}
    for (grating, word), mine in grouped(columns["opt_elem"], series):
        shown = {key: columns[key][mine] for key in ("mjd", "rootname", "note")}
        layers = scatter(word, points_of(shown, x[mine], y[mine], outlier=outlier[mine]))
        points.setdefault(grating, []).extend(layers)
    panels = []
    for (grating,), rows in grouped(columns["opt_elem"]):
        layers = points[grating]
        shown_marks = list(marks)
        if x_label is None and set(codes_of(columns["segment"][rows])[1]) & set(FUV_SEGMENTS):
            shown_marks += lifetime_marks(columns["mjd"][rows])
        panels.append(
            Panel(
                x_label=x_label or "Date",
                y_label=y_label,
                layers=[*layers, *shown_marks] if layers else [],
                title=grating,
                x_is_time=x_label is None,
            )
        )
    return Figure(
        name=name, title=title, caption=caption, panels=panels, nothing="no line was measured"
    )
