"""Residuals of lines, and their mean and slope in each spectrum."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from astropy.constants import c

from services.monitor.framework.declaration import Columns, Values
from services.monitor.library.exposure_values import notes_of, take, values_of
from services.monitor.library.groups import codes_of
from services.monitor.monitors.wavelengths.rules import OFF

__all__ = ["Lines", "Spectra", "spectrum_values"]

LIGHT = c.to_value("km/s")
"""Velocity of light, km/s."""

_FLOOR = 0.15
"""Scatter of the positions of bright lines, pix: CalCOS rounds events to whole pixels."""
_LEAST_FOR_SLOPE = 4
_SLOPE_PIXELS = 1000.0
"""Pixels that the slope is for."""


@dataclass(frozen=True)
class Lines:
    """Lines of all spectra, in the order of time; arrays of shape (n,).

    Attributes
    ----------
    columns
        As they were measured.
    residual, error
        Measured less catalogue wavelength, and its one-sigma error, pix.
    velocity
        The same as a velocity, km/s.
    status
        Why they enter no statistic; empty where they do.
    """

    columns: Columns
    residual: np.ndarray
    error: np.ndarray
    velocity: np.ndarray
    status: np.ndarray

    @classmethod
    def of(cls, found: Columns) -> "Lines":
        """Compare lines with their list."""
        known = np.isfinite(found["measured"] - found["catalogue"])
        rows = np.flatnonzero(known & (np.abs(found["dispersion"]) > 0))
        segment, _ = codes_of(found["segment"][rows])
        source, _ = codes_of(found["source"][rows])
        keys = (found["catalogue"][rows], segment, source, found["file_id"][rows])
        columns = take(found, rows[np.lexsort((*keys, found["mjd"][rows]))])
        off = columns["measured"] - columns["catalogue"]
        return cls(
            columns=columns,
            residual=off / columns["dispersion"],
            error=np.abs(columns["error"] / columns["dispersion"]),
            velocity=off / columns["catalogue"] * LIGHT,
            status=np.where(columns["life_adj"] == -1.0, "engineering position", "").astype(object),
        )


@dataclass(frozen=True)
class Spectra:
    """Means of the lines of each source in each segment of a file; arrays of shape (n,).

    Attributes
    ----------
    columns
        Of the first line of each; ``note`` is what points say.
    residual, error
        Mean residual by the weights of its lines, and its one-sigma error, pix.
    velocity, velocity_error
        The same in km/s.
    slope, slope_error
        Change of the residual in 1000 pix; NaN with fewer than 4 lines.
    number
        Lines.
    status
        Why it enters no statistic; empty where it does.
    """

    columns: Columns
    residual: np.ndarray
    error: np.ndarray
    velocity: np.ndarray
    velocity_error: np.ndarray
    slope: np.ndarray
    slope_error: np.ndarray
    number: np.ndarray
    status: np.ndarray

    @classmethod
    def of(cls, lines: Lines) -> "Spectra":
        """Take the means of lines."""
        columns = lines.columns
        segment, _ = codes_of(columns["segment"])
        source, _ = codes_of(columns["source"])
        place = np.stack([columns["file_id"], segment, source])
        begin = np.flatnonzero(np.any(np.diff(place, axis=1, prepend=-1.0) != 0, axis=0))
        weight = 1.0 / (lines.error**2 + _FLOOR**2)

        def sums(values: np.ndarray) -> np.ndarray:
            found: np.ndarray = np.add.reduceat(weight * values, begin)
            return found

        number = np.diff(np.append(begin, len(segment)))
        total = sums(np.ones(len(weight)))
        mean = sums(lines.residual) / total
        x = columns["position"] - np.repeat(sums(columns["position"]) / total, number)
        spread = sums(x**2)
        enough = (number >= _LEAST_FOR_SLOPE) & (spread > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(enough, sums(x * lines.residual) / spread, np.nan)
        fitted = np.repeat(mean, number) + x * np.repeat(np.nan_to_num(slope), number)
        squares = sums((lines.residual - fitted) ** 2)
        freedom = np.maximum(number - np.where(enough, 2, 1), 1)
        wide = np.sqrt(np.maximum(squares / freedom, 1.0))
        error = wide / np.sqrt(total)
        with np.errstate(divide="ignore"):
            slope_error = np.where(enough, wide / np.sqrt(spread), np.nan)
        first = take(columns, begin)
        per_pixel = LIGHT * first["dispersion"] / first["catalogue"]
        first["note"] = notes_of(first, "source", "segment")
        return cls(
            columns=first,
            residual=mean,
            error=error,
            velocity=sums(lines.velocity) / total,
            velocity_error=error * np.abs(per_pixel),
            slope=slope * _SLOPE_PIXELS,
            slope_error=slope_error * _SLOPE_PIXELS,
            number=number.astype(float),
            status=lines.status[begin],
        )

    @property
    def off(self) -> np.ndarray:
        """Which have a mean residual above the limit."""
        far = np.abs(self.residual) > OFF.at(self.columns["mjd"])
        found: np.ndarray = far & (self.status == "")
        return found


def spectrum_values(spectra: Spectra) -> Iterator[Values]:
    """Yield the means of every spectrum; the region is the source, and why it is left out."""
    why = np.where(spectra.status == "", "", ", " + spectra.status)
    region = spectra.columns["source"] + why
    measured = {
        "residual": (spectra.residual, spectra.error),
        "velocity": (spectra.velocity, spectra.velocity_error),
        "slope": (spectra.slope, spectra.slope_error),
        "lines": (spectra.number, None),
    }
    for quantity, (value, error) in measured.items():
        yield values_of(quantity, spectra.columns, value, error, region=region, outlier=spectra.off)
