"""Comparison of lamp shifts that CalCOS measured with those that were put in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from simulator.instrument.lamp import lamp_spectrum
from simulator.instrument.modes import GRATINGS, setting
from simulator.verify.result import Result

__all__ = ["flash_results", "row_rounding", "wavecal_results"]

_LIMIT = 0.1
_NUV_COLUMNS = np.arange(1024.0)


def row_rounding(plan: dict[str, Any], channel: str, shift1: float) -> float:
    """Return the pixels that CalCOS moves the lamp's spectrum by when it straightens the stripes of
    the NUV.

    Parameters
    ----------
    plan
        Plan of the exposure, from its truth.
    channel
        Stripe or segment.
    shift1
        Shift along dispersion, pixels: which rows a line falls on depends on its column.

    Notes
    -----
    Cross-dispersion profiles come from ``collapseFromEvents`` (``ccos.c`` of CalCOS 3.6.2), which
    adds each event to the row ``NINT(y - slope * x)``. Rows of the NUV are whole numbers, so the
    tilt of -0.002 (real headers: SP_SLP of -0.0021 to -0.0031) is rounded for all events of a line
    alike, and a stripe that lives of a few lines is off by their mean. FUV rows carry the fractions
    of ``RANDCORR``, over which this averages out; images have no tilt.
    """
    if plan["opt_elem"] not in GRATINGS or plan["detector"] == "FUV":
        return 0.0
    mode = setting(plan["opt_elem"], plan["cenwave"], channel)
    tilt = -mode.lamp_slope * _NUV_COLUMNS
    return float(
        np.average(np.rint(tilt) - tilt, weights=lamp_spectrum(mode, _NUV_COLUMNS - shift1))
    )


def _shift_results(
    root: str, name: str, expected: tuple[float, float], found: tuple[float, float]
) -> Iterator[Result]:
    for axis, (injected, value) in enumerate(zip(expected, found, strict=True), 1):
        yield Result(root, f"shift{axis}", name, injected, value, 0.0, _LIMIT, "pixel")


def flash_results(path: Path, truth: dict[str, Any]) -> Iterator[Result]:
    """Yield the shifts of each lamp flash.

    Channels without lamp lines copy those of others and are left out.
    """
    plan = truth["plan"]
    with fits.open(path) as hdus:
        rows = hdus[1].data
        for channel, content in truth["channels"].items():
            names = (channel, "N/A") if plan["opt_elem"].startswith("MIRROR") else (channel,)
            mine = [row for row in rows if str(row["SEGMENT"]).strip() in names]
            for number, (row, flash) in enumerate(zip(mine, content["flashes"], strict=False), 1):
                expected = (
                    flash["shift1"],
                    flash["shift2"] + row_rounding(plan, channel, flash["shift1"]),
                )
                found = float(row["SHIFT_DISP"]), float(row["SHIFT_XDISP"])
                yield from _shift_results(
                    plan["rootname"], f"{channel} flash {number}", expected, found
                )


def wavecal_results(path: Path, truth: dict[str, Any]) -> Iterator[Result]:
    """Yield the shifts of a wavecal exposure, from its header, where all stripes of the NUV have
    their mean across dispersion.
    """
    plan, header = truth["plan"], fits.getheader(path, 1)
    lit = {
        channel: content["flashes"][0]
        for channel, content in truth["channels"].items()
        if content["flashes"]
    }
    across = {
        name: flash["shift2"] + row_rounding(plan, name, flash["shift1"])
        for name, flash in lit.items()
    }
    if plan["detector"] == "NUV":
        across = dict.fromkeys(across, float(np.mean(list(across.values()))))
    for channel, flash in lit.items():
        found = header[f"SHIFT1{channel[-1]}"], header[f"SHIFT2{channel[-1]}"]
        yield from _shift_results(
            plan["rootname"], channel, (flash["shift1"], across[channel]), found
        )
