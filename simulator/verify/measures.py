"""Comparison of products of CalCOS with the truth of their exposures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from simulator.forward.fuv import dark_share
from simulator.forward.photons import flux_of
from simulator.instrument import fuv, nuv
from simulator.instrument.modes import setting
from simulator.plan import Spectrum
from simulator.references.detector import PHA_LIMITS
from simulator.verify.images import image_results
from simulator.verify.lamps import flash_results, wavecal_results
from simulator.verify.result import FLUX_LIMIT, LINE_LIMIT, Result

__all__ = ["compare"]

Floats = NDArray[np.float64]

_STIM_LIMIT = 0.05
_DARK_SIGMAS = 2.0
_LIVE_LIMIT = 1e-4
_LINE_WINDOW = 24
_OVERSAMPLING = 31
_FEWEST_PIXELS = 100
_FEWEST_COUNTS = 50.0
_LOST_TIME = 64 | 2048  # data quality of bursts and bad times (COS Data Handbook, table 2.18)
_EDGE = 20


def compare(products: Path, rootname: str, truth: dict[str, Any]) -> list[Result]:
    """Compare everything that an exposure yields.

    Parameters
    ----------
    products
        Folder of CalCOS's products.
    rootname
        Exposure.
    truth
        Its truth.
    """
    results: list[Result] = []
    for path in sorted(products.glob(f"{rootname}_corrtag*.fits")):
        results += _detector_results(path, truth)
    spectrum, exptype = products / f"{rootname}_x1d.fits", truth["plan"]["exptype"]
    if spectrum.exists() and exptype.startswith("EXTERNAL"):
        results += _spectrum_results(spectrum, truth)
    if spectrum.exists() and exptype == "WAVECAL":
        results += wavecal_results(spectrum, truth)
    if truth["plan"]["opt_elem"].startswith("MIRROR") and exptype.startswith("EXTERNAL"):
        results += image_results(products / f"{rootname}_flt.fits", truth)
    flashes = products / f"{rootname}_lampflash.fits"
    if flashes.exists():
        results += flash_results(flashes, truth)
    return results


def _detector_results(path: Path, truth: dict[str, Any]) -> Iterator[Result]:
    with fits.open(path) as hdus:
        primary, header, events = hdus[0].header, hdus["EVENTS"].header, hdus["EVENTS"].data
        detector = primary["SEGMENT"] if primary["DETECTOR"] == "FUV" else "NUV"
        letter = detector[-1] if detector != "NUV" else ""
        content, root = truth["detectors"][detector], truth["plan"]["rootname"]
        if len(events) == 0:
            return
        live = header[f"LIVETM_{letter}" if letter else "LIVETM"]
        yield Result(root, "live time", detector, content["live_time"], live, 0.0, _LIVE_LIMIT, "")
        if detector != "NUV" and primary["TEMPCORR"] == "COMPLETE":
            yield from _stim_results(root, detector, content, header)
        if truth["plan"]["exptype"] == "DARK":
            yield _dark_result(root, detector, content, header, events)


def _stim_results(
    root: str, detector: str, content: dict[str, Any], header: fits.Header
) -> Iterator[Result]:
    """Yield the places of the stims, where there are counts enough to tell."""
    for side, place, sigmas in zip("LR", content["stims"], content["stim_sigmas"], strict=True):
        for axis, expected, sigma in zip("XY", place, sigmas, strict=True):
            error = sigma / np.sqrt(content["stim_counts"])
            if error < _STIM_LIMIT / 3:
                found = header[f"STIM{detector[-1]}_{side}{axis}"]
                yield Result(
                    root,
                    "stim",
                    f"{detector} {side}{axis}",
                    expected,
                    found,
                    error,
                    _STIM_LIMIT,
                    "pixel",
                )


def _dark_result(
    root: str, detector: str, content: dict[str, Any], header: fits.Header, events: Any
) -> Result:
    """Return the rate in the active area, of pulse heights within the limits, corrected for dead
    time.
    """
    exptime = header["EXPTIME"] if detector == "NUV" else header[f"EXPTIME{detector[-1]}"]
    in_good_time = (events["DQ"] & _LOST_TIME) == 0
    if detector == "NUV":
        count, pixels, expected = int(in_good_time.sum()), nuv.SIZE**2, content["dark_rate"]
    else:
        area = fuv.SEGMENTS[detector].active
        x, y, pulse = (events[name].astype(np.float64) for name in ("XCORR", "YCORR", "PHA"))
        inner = (
            (x > area.left + 100)
            & (x < area.right - 100)
            & (y > area.low + 30)
            & (y < area.high - 30)
        )
        low, high = PHA_LIMITS
        count = int((in_good_time & inner & (pulse >= low) & (pulse <= high)).sum())
        pixels = (area.right - area.left - 200) * (area.high - area.low - 60)
        expected = content["dark_rate"] * float(dark_share(low, high, content["modal_gain"]))
    rate = count / content["live_time"] / exptime / pixels
    error = rate / np.sqrt(max(count, 1))
    return Result(
        root, "dark rate", detector, expected, rate, error, _DARK_SIGMAS * error, "count/s/pixel"
    )


def _spectrum_results(path: Path, truth: dict[str, Any]) -> Iterator[Result]:
    plan = truth["plan"]
    spectrum = Spectrum(**plan["target"]["spectrum"])
    root = plan["rootname"]
    with fits.open(path) as hdus:
        for row in hdus[1].data:
            channel = str(row["SEGMENT"]).strip()
            wavelength, flux, net = (
                row[name].astype(np.float64) for name in ("WAVELENGTH", "FLUX", "NET")
            )
            gross = row["GCOUNTS"].astype(np.float64)
            good = row["DQ_WGT"] > 0
            lit = np.flatnonzero(good)
            good[lit[:_EDGE]] = good[lit[-_EDGE:]] = (
                False  # lines beyond the edge spread into these
            )
            counted = good & (flux != 0)
            if counted.sum() < _FEWEST_PIXELS:
                continue
            # Where nothing was counted the sensitivity follows from the neighbours; to leave it out
            # would be a bias.
            sensitivity = np.interp(wavelength, wavelength[counted], net[counted] / flux[counted])
            expected = _pixel_means(spectrum, wavelength) * sensitivity
            ratio = float(net[good].sum() / expected[good].sum())
            error = float(np.sqrt(gross[good].sum()) / gross[good].sum())
            yield Result(root, "flux", channel, 1.0, ratio, error, FLUX_LIMIT, "")
            if spectrum.line_spacing > 0:
                mode = setting(plan["opt_elem"], plan["cenwave"], channel)
                scale = float(mode.dispersion(8192.0 if channel.startswith("FUV") else 512.0))
                offset, scatter = _line_offset(
                    wavelength, net * row["EXPTIME"], good, spectrum.line_spacing, scale
                )
                if not np.isnan(offset):
                    yield Result(root, "lines", channel, 0.0, offset, scatter, LINE_LIMIT, "pixel")


def _pixel_means(spectrum: Spectrum, wavelength: Floats) -> Floats:
    """Return the flux averaged over each pixel, as lines may be narrower than one."""
    places = (np.arange(_OVERSAMPLING) + 0.5) / _OVERSAMPLING - 0.5
    fine = wavelength[:, None] + places * np.gradient(wavelength)[:, None]
    return np.asarray(flux_of(spectrum, fine).mean(axis=1))


def _line_offset(
    wavelength: Floats, counts: Floats, good: NDArray[np.bool_], spacing: float, scale: float
) -> tuple[float, float]:
    """Return the mean offset of emission lines from multiples of `spacing` in pixels, and its
    error.

    NaN without lines.
    """
    centres = (
        np.arange(np.ceil(wavelength.min() / spacing), np.floor(wavelength.max() / spacing) + 1)
        * spacing
    )
    offsets, weights = [], []
    for centre in centres:
        middle = int(np.argmin(np.abs(wavelength - centre)))
        inside = slice(middle - _LINE_WINDOW, middle + _LINE_WINDOW + 1)
        if (
            middle < 2 * _LINE_WINDOW
            or middle + 2 * _LINE_WINDOW >= wavelength.size
            or not good[inside].all()
        ):
            continue
        offset, weight = _centroid((wavelength[inside] - centre) / scale, counts[inside])
        if weight < _FEWEST_COUNTS:
            continue
        offsets.append(offset)
        weights.append(weight)
    if not offsets:
        return float("nan"), float("nan")
    values, shares = np.array(offsets), np.array(weights)
    mean = float((values * shares).sum() / shares.sum())
    return mean, float(values.std() / np.sqrt(len(values)))


def _centroid(x: Floats, counts: Floats) -> tuple[float, float]:
    """Return the centroid of a line over the continuum at the ends of its window, re-centred twice.

    And its strength.
    """
    continuum = np.median(np.concatenate([counts[:8], counts[-8:]]))
    centre, strength = 0.0, 0.0
    for _ in range(4):
        near = np.abs(x - centre) < _LINE_WINDOW / 2
        excess = counts[near] - continuum
        strength = float(excess.sum())
        centre = float((x[near] * excess).sum() / strength) if strength > 0 else 0.0
    return centre, strength
