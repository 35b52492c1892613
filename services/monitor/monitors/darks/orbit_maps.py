"""Maps of the dark rate by HST's place: median of cells, contour of the SAA, and files."""

import io
from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from services.monitor.figures import Heatmap, Outline
from services.monitor.figures.description import Layer, numbers
from services.monitor.monitors.darks.orbit_bins import Bins
from shared.cos.saa import saa_contour

__all__ = ["LATITUDES", "RateMap", "heatmap", "map_bytes", "outline", "rate_map"]

_CELLS = ((5.0, 2.5), (10.0, 5.0), (15.0, 10.0))
"""Sizes of cells in longitude and latitude, degrees: a map has the first that shows enough of its
bins.
"""

_LEAST_BINS = 3
"""Cells with fewer 25-s bins stay empty."""

_SHOWN = 0.9
"""Share of the bins that a map is to show."""

LATITUDES = (-35.0, 35.0)
"""HST's orbit is inclined by 28.5 degrees."""


@dataclass(frozen=True)
class RateMap:
    """Median rate by cell; arrays of shape (latitudes, longitudes).

    Attributes
    ----------
    cell
        Size of the cells in longitude and latitude, degrees.
    x_edges, y_edges
        Edges of the cells, degrees.
    rate, error
        Median and its error (1.2533 sigma / sqrt(n)), NaN where there are too few bins.
    count, seconds
        Bins and their time.
    """

    cell: tuple[float, float]
    x_edges: np.ndarray
    y_edges: np.ndarray
    rate: np.ndarray
    error: np.ndarray
    count: np.ndarray
    seconds: np.ndarray

    @property
    def cell_text(self) -> str:
        """Size of the cells for readers."""
        return f"{self.cell[0]:g} x {self.cell[1]:g} deg"


def rate_map(
    x: np.ndarray,
    y: np.ndarray,
    rate: np.ndarray,
    seconds: np.ndarray,
    y_range: tuple[float, float],
) -> RateMap:
    """Map the rates of bins, arrays of shape (n,), by the smallest cells of which enough bins can
    be shown.

    Parameters
    ----------
    x, y
        Longitude, from whatever, and latitude, degrees.
    rate, seconds
        Rates, and the time of each.
    y_range
        Latitudes of the map.
    """
    for size in _CELLS:
        x_edges = np.arange(0.0, 360.0 + size[0], size[0])
        y_edges = np.arange(y_range[0], y_range[1] + size[1], size[1])
        shape = (len(y_edges) - 1, len(x_edges) - 1)
        column = np.clip(x % 360.0 // size[0], 0, shape[1] - 1).astype(np.int64)
        row = np.clip((y - y_range[0]) // size[1], 0, shape[0] - 1).astype(np.int64)
        cell = row * shape[1] + column
        counts = np.bincount(cell, minlength=shape[0] * shape[1])
        if counts[counts >= _LEAST_BINS].sum() >= _SHOWN * len(rate):
            break
    ends = np.cumsum(counts)
    # Sorted by cell, then by rate within each.
    by_rate = np.argsort(rate)
    ranked = rate[by_rate][np.argsort(cell[by_rate].astype(np.int16), kind="stable")]
    enough = np.flatnonzero(counts >= _LEAST_BINS)
    middle = ends[enough] - counts[enough] + (counts[enough] - 1) / 2
    medians, errors = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    medians[enough] = (
        ranked[np.floor(middle).astype(int)] + ranked[np.ceil(middle).astype(int)]
    ) / 2
    mean = np.bincount(cell, rate, len(counts)) / np.maximum(counts, 1)
    squares = np.bincount(cell, (rate - mean[cell]) ** 2, len(counts))
    errors[enough] = 1.2533 * np.sqrt(squares[enough] / (counts[enough] - 1) / counts[enough])
    time = np.bincount(cell, np.nan_to_num(seconds), len(counts))
    return RateMap(
        size,
        x_edges,
        y_edges,
        medians.reshape(shape),
        errors.reshape(shape),
        counts.reshape(shape),
        time.reshape(shape),
    )


def heatmap(found: RateMap) -> Heatmap:
    """Return the layer of the median rates."""
    known = found.rate[np.isfinite(found.rate)]
    limits = (float(known.min()), float(np.percentile(known, 98))) if len(known) > 1 else None
    rows = [numbers(row) for row in found.rate]
    return Heatmap(
        label="counts / s / pix",
        x_edges=found.x_edges.tolist(),
        y_edges=found.y_edges.tolist(),
        z=rows,
        colour_range=limits,
    )


def outline(mjd: float) -> list[Layer]:
    """Return the contour of the SAA, parted where it crosses the zero meridian."""
    latitude, longitude = saa_contour(mjd).T
    x, y = np.append(longitude, longitude[0]), np.append(latitude, latitude[0])
    crossings = np.flatnonzero((x[:-1] < 0) != (x[1:] < 0))
    for place in crossings[::-1]:
        share = x[place] / (x[place] - x[place + 1])
        height = y[place] + share * (y[place + 1] - y[place])
        before, after = (360.0, 0.0) if x[place] < 0 else (0.0, 360.0)
        x = np.insert(x, place + 1, (before, np.nan, after))
        y = np.insert(y, place + 1, (height, np.nan, height))
    return [
        Outline(
            label="South Atlantic Anomaly", x=numbers(np.where(x < 0, x + 360.0, x)), y=numbers(y)
        )
    ]


def map_bytes(bins: Bins, found: RateMap, ratio: tuple[float, float]) -> bytes:
    """Write a map as a FITS file: rate, error, number of bins and seconds, with linear coordinates.

    Parameters
    ----------
    bins
        What it is of.
    found
        The map.
    ratio
        Rate at the edge of the SAA over that far off, with its error: in the header.
    """
    hdus = fits.HDUList([fits.PrimaryHDU()])
    header = hdus[0].header
    header.update(TELESCOP="HST", INSTRUME="COS", FILETYPE="DARK RATE MAP", SEGMENT=bins.segment)
    header["CELLLON"] = (found.cell[0], "[deg] size of the cells in longitude")
    header["CELLLAT"] = (found.cell[1], "[deg] size of the cells in latitude")
    if np.isfinite(bins.hvlevel):
        header["HVLEVEL"] = int(bins.hvlevel)
    if np.isfinite(ratio).all():
        header["EDGERAT"] = (ratio[0], "rate at the edge of the SAA over that far off")
        header["EDGERERR"] = (ratio[1], "one-sigma error of EDGERAT")
    images = {
        "RATE": found.rate,
        "ERROR": found.error,
        "COUNT": found.count,
        "SECONDS": found.seconds,
    }
    for name, image in images.items():
        hdu = fits.ImageHDU(image.astype(np.float32), name=name)
        hdu.header.update(
            CTYPE1="LON",
            CUNIT1="deg",
            CRPIX1=1.0,
            CRVAL1=found.cell[0] / 2,
            CDELT1=found.cell[0],
            CTYPE2="LAT",
            CUNIT2="deg",
            CRPIX2=1.0,
            CRVAL2=found.y_edges[0] + found.cell[1] / 2,
            CDELT2=found.cell[1],
        )
        hdus.append(hdu)
    buffer = io.BytesIO()
    hdus.writeto(buffer, checksum=True)
    return buffer.getvalue()
