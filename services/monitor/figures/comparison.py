"""Figures of recalibrations: two runs' spectra and their ratio, light curves; in Plotly's terms."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

__all__ = ["light_curve_figure", "ratio_figure", "spectra_figure"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73")
"""Colours that remain apart without colour vision (Okabe and Ito)."""

_DASHES, _SYMBOLS = ("solid", "dash"), ("circle", "square", "diamond")
"""What distinguishes runs, and segments, without any colour."""

_PANEL, _LEGEND_BELOW = 270, 62
"""Height of the axes, and of what lies between them and the legend, pixel."""

_BINS = 150
"""Points of a segment's ratio; each is a mean over neighbours."""


def _axis(title: str) -> dict[str, Any]:
    return {"title": {"text": title}, "exponentformat": "e"}


def _layout(x: str, y: str) -> dict[str, Any]:
    """Place the legend, of up to three lines on a phone, below the axis and its title.

    The buttons are at the top.
    """
    legend = {"orientation": "h", "y": -_LEGEND_BELOW / _PANEL, "yanchor": "top"}
    margin = {"l": 70, "r": 15, "t": 30, "b": _LEGEND_BELOW + 60}
    height = _PANEL + margin["t"] + margin["b"]
    return {
        "xaxis": _axis(x),
        "yaxis": _axis(y),
        "legend": legend,
        "margin": margin,
        "height": height,
    }


def _numbers(values: Iterable[float | None]) -> Any:
    return np.array([np.nan if value is None else value for value in values])


def _listed(values: Any) -> list[float | None]:
    return [None if not np.isfinite(value) else float(value) for value in values]


def spectra_figure(compared: Mapping[str, Any], names: tuple[str, str]) -> dict[str, Any]:
    """Return both spectra of each segment.

    Parameters
    ----------
    compared
        What `comparison.compare` found.
    names
        What the two runs are called.
    """
    data, used = [], []
    for segment in compared["segments"]:
        wavelength = _numbers(segment["wavelength"])
        order = np.argsort(wavelength)
        ratio = _numbers(segment["ratio"])
        for number, name in enumerate(names):
            # Points that either run excludes are left out of both.
            flux = np.where(np.isfinite(ratio), _numbers(segment["flux"][number]), np.nan)[order]
            error = _numbers(segment["error"][number])[order]
            # Noise at the ends of a spectrum is far larger than the light of the rest.
            calm = np.isfinite(flux) & (error > 0)
            used.append(
                flux[calm & (error <= 5 * np.median(error[calm]))] if calm.any() else flux[calm]
            )
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": f"{segment['segment']}, {name}",
                    "x": _listed(wavelength[order]),
                    "y": _listed(flux),
                    "line": {"width": 1, "color": _COLOURS[number], "dash": _DASHES[number]},
                }
            )
    layout = _layout("wavelength (Å)", "flux (erg/s/cm²/Å)")
    every = np.concatenate(used) if used else np.zeros(0)
    if every.size:
        low, high = np.percentile(every, (0.5, 99.5))
        margin = 0.15 * (high - low) or 1.0
        layout["yaxis"]["range"] = [float(low - margin), float(high + margin)]
    return {"data": data, "layout": layout}


def ratio_figure(compared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ratio of the second run's flux to the first one's, in bins, with errors."""
    data = []
    for number, segment in enumerate(compared["segments"]):
        wavelength, ratio, error = (
            _numbers(segment[name]) for name in ("wavelength", "ratio", "ratio_error")
        )
        good = np.isfinite(ratio) & np.isfinite(error) & (error > 0)
        if not good.any():
            continue
        order = np.argsort(wavelength[good])
        bins = [part for part in np.array_split(np.flatnonzero(good)[order], _BINS) if part.size]
        weights = [1.0 / error[part] ** 2 for part in bins]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": segment["segment"],
                "x": [float(wavelength[part].mean()) for part in bins],
                "y": [
                    float(np.average(ratio[part], weights=w))
                    for part, w in zip(bins, weights, strict=True)
                ],
                "error_y": {
                    "array": [float(1.0 / np.sqrt(w.sum())) for w in weights],
                    "thickness": 1,
                    "width": 0,
                },
                "marker": {
                    "size": 4,
                    "color": _COLOURS[number % 3],
                    "symbol": _SYMBOLS[number % 3],
                },
            }
        )
    return {"data": data, "layout": _layout("wavelength (Å)", "ratio of fluxes")}


def light_curve_figure(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rate of each segment against time, with errors, and the good times as bars."""
    segments = sorted(set(values["segment"].tolist()))
    data = []
    for number, name in enumerate(segments):
        rows = np.flatnonzero(values["segment"] == name)
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [float(values["mjd"][row]) for row in rows],
                "y": [float(values["net"][row]) for row in rows],
                "text": [str(values["part"][row]) for row in rows],
                "error_y": {
                    "array": [float(values["net_error"][row]) for row in rows],
                    "thickness": 1.5,
                },
                "error_x": {
                    "array": [float(values["exptime"][row]) / 172800.0 for row in rows],
                    "thickness": 1,
                },
                "marker": {
                    "size": 6,
                    "color": _COLOURS[number % 3],
                    "symbol": _SYMBOLS[number % 3],
                },
            }
        )
    layout = _layout("MJD", "rate (count/s)")
    layout["xaxis"]["tickformat"] = ".4f"
    layout["yaxis"]["rangemode"] = "tozero"
    return {"data": data, "layout": layout}
