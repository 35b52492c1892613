"""Report of the demonstration: how well the truth was recovered, and which pages to open."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.table import Table

from cosmo.client import Client
from services.monitor.response_models.monitors import MonitorSummary
from simulator.truth import TRUTH_NAME, target_displacement

__all__ = ["places_to_look", "recovered"]

Truth = dict[str, Any]

_ROUTINES: Final = {
    "fuv-standard": "a flux standard in the far ultraviolet: from photons through CalCOS to a "
    "spectrum",
    "nuv-standard": "one in the near ultraviolet, in three stripes",
    "fuv-science": "a quasar at two FP-POS",
}
"""What the visits of a routine show."""

_DARK_REGIONS: Final = ("inner", "all")
"""Regions of the FUV and the NUV that stand for the whole detector."""


def recovered(client: Client, truth: Truth) -> Table:
    """Compare what the pipeline measured with what was put in.

    Parameters
    ----------
    client
        Of the running COSMO.
    truth
        Content of the mission's truth file.
    """
    exposures = {found["rootname"]: found for found in truth["exposures"]}
    table = Table(
        "measured - true",
        "number",
        "median",
        "largest",
        title="measured minus true values",
        title_justify="left",
        box=None,
    )
    quantities = (
        ("lamp shift", "pixel", _lamp_shifts(client, exposures)),
        ("drift across dispersion", "pixel", _drifts_across(client, exposures)),
        ("wavelength of a line", "pixel", _wavelengths(client, exposures)),
        ("stim position", "pixel", _stim_positions(client, exposures)),
        ("dark rate", "%", _dark_rates(client, exposures)),
    )
    for name, unit, differences in quantities:
        if differences:
            numbers = (f"{median(differences):+.3f}", f"{max(map(abs, differences)):.3f}")
            table.add_row(f"{name} ({unit})", str(len(differences)), *numbers)
    return table


def _lamp_shifts(client: Client, exposures: Truth) -> list[float]:
    """Return the shift of each lamp flash from its template, in pixels."""
    differences = []
    for row in client.rows("lampflash", filetype="lampflash"):
        exposure = exposures.get(row["rootname"])
        channel = exposure["channels"].get(row["segment"]) if exposure else None
        if row["found"] and row["x_shift"] is not None and channel and channel["flashes"]:
            flash = channel["flashes"][row["flash"] - 1]
            differences.append(row["x_shift"] - (flash["shift1"] - channel["fp_shift"]))
    return differences


def _drifts_across(client: Client, exposures: Truth) -> list[float]:
    """Return the drift across dispersion since the first flash of an exposure, in pixels."""
    shifts: dict[tuple[str, str], dict[int, float]] = {}
    for row in client.rows("lampflash", filetype="lampflash"):
        if row["found"] and row["y_shift"] is not None:
            mine = shifts.setdefault((row["rootname"], row["segment"]), {})
            mine[row["flash"]] = row["y_shift"]
    differences = []
    for (rootname, segment), found in shifts.items():
        channel = exposures[rootname]["channels"].get(segment) if rootname in exposures else None
        if 1 in found and channel and channel["flashes"]:
            true = [flash["shift2"] for flash in channel["flashes"]]
            differences += [
                shift - found[1] - (true[number - 1] - true[0])
                for number, shift in found.items()
                if number > 1
            ]
    return differences


def _wavelengths(client: Client, exposures: Truth) -> list[float]:
    """Return how far lines of the lamp and of standards lie from their wavelengths, in pixels."""
    differences = []
    for row in client.rows("line_positions"):
        if row["rootname"] in exposures and row["measured"] is not None and row["dispersion"]:
            exposure, segment = exposures[row["rootname"]], row["segment"]
            true = 0.0 if row["source"] == "lamp" else target_displacement(exposure, segment)
            off = (row["measured"] - row["catalogue"]) / row["dispersion"]
            differences.append(off - true)
    return differences


def _stim_positions(client: Client, exposures: Truth) -> list[float]:
    """Return the mean place of both stims of each exposure along both axes, in raw pixels."""
    sums: dict[tuple[str, str, int, int], tuple[float, int]] = {}
    for row in client.rows("stims"):
        for stim, axis in product((0, 1), (0, 1)):
            place, counts = row[f"stim{stim + 1}_{'xy'[axis]}"], row[f"stim{stim + 1}_counts"]
            if place is not None and counts:
                key = row["rootname"], row["segment"], stim, axis
                total, number = sums.get(key, (0.0, 0))
                sums[key] = total + place * counts, number + counts
    return [
        total / number - exposures[rootname]["detectors"][segment]["stims"][stim][axis]
        for (rootname, segment, stim, axis), (total, number) in sums.items()
        if rootname in exposures
    ]


def _dark_rates(client: Client, exposures: Truth) -> list[float]:
    """Return the rate of each dark exposure, any pulse height, corrected for dead time: per cent
    above the true one.
    """
    sums: dict[tuple[str, str], tuple[int, float]] = {}
    for row in client.rows("darks"):
        if row["region"] in _DARK_REGIONS and row["rootname"] in exposures:
            counts, area = sums.get((row["rootname"], row["detector"]), (0, 0.0))
            sums[row["rootname"], row["detector"]] = (
                counts + row["all_counts"],
                area + row["exposure"] * row["npix"],
            )
    differences = []
    for (rootname, detector), (counts, area) in sums.items():
        true = exposures[rootname]["detectors"][detector]
        if area > 0.0:
            differences.append(
                100.0 * (counts / area / true["live_time"] / true["dark_rate"] - 1.0)
            )
    return differences


def places_to_look(url: str, truth: Truth, folder: Path, monitors: Iterable[MonitorSummary]) -> str:
    """List the pages to open, one a line.

    Parameters
    ----------
    url
        Of the pages.
    truth
        Content of the mission's truth file.
    folder
        Of the mission.
    monitors
        As the HTTP API lists them.
    """
    places = [(f"{url}/", "overview of datasets and failures")]
    for routine, what in _ROUTINES.items():
        names = [
            name
            for visit in truth["visits"]
            if visit["routine"] == routine
            for name in visit["associations"]
        ]
        found = {exposure["plan"]["association"] for exposure in truth["exposures"]}
        places.append((f"{url}/datasets/{next(name for name in names if name in found)}", what))
    places += [(f"{url}/monitors/{monitor.name}", monitor.title) for monitor in monitors]
    places.append(
        (
            f"{url}/api/v1/tables/lampflash?format=csv",
            "lamp flashes as a table; all other tables are available too",
        )
    )
    places.append((f"{url}/api/v1/openapi.json", "documentation of the HTTP API"))
    places.append((str(folder / TRUTH_NAME), "truth behind each simulated exposure"))
    return "\n".join(["where to look", *(f" {place}\n     {what}" for place, what in places)])
