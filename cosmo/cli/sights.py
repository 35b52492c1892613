"""What the demonstration points at: how well the truth came back, and which pages to look at."""

from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.table import Table

from cosmo.client import Client
from simulator.truth import TRUTH_NAME

__all__ = ["recovered", "sights"]

Truth = dict[str, Any]

_ROUTINES: Final = {
    "fuv-standard": "a flux standard in the far ultraviolet: from photons through CalCOS to a spectrum",
    "nuv-standard": "one in the near ultraviolet, in three stripes",
    "fuv-science": "a quasar at two FP-POS",
}
"""What the visits of a routine show."""


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
        "measured - true", "number", "median", "largest", title="what came back", title_justify="left", box=None
    )
    for name, unit, differences in (("lamp shift", "pixel", _lamp_shifts(client, exposures)),):
        sizes = sorted(abs(value) for value in differences)
        if sizes:
            table.add_row(f"{name} ({unit})", str(len(sizes)), f"{median(differences):+.3f}", f"{sizes[-1]:.3f}")
    return table


def _lamp_shifts(client: Client, exposures: Truth) -> list[float]:
    """Shift of each lamp flash from its template, in pixels."""
    differences = []
    for row in client.table("lampflash", filetype="lampflash"):
        exposure = exposures.get(row["rootname"])
        channel = exposure["channels"].get(row["segment"]) if exposure else None
        if row["found"] and row["x_shift"] is not None and channel and channel["flashes"]:
            flash = channel["flashes"][row["flash"] - 1]
            differences.append(row["x_shift"] - (flash["shift1"] - channel["fp_shift"]))
    return differences


def sights(url: str, truth: Truth, folder: Path) -> str:
    """Tell what to look at, one place a line.

    Parameters
    ----------
    url
        Of the pages.
    truth
        Content of the mission's truth file.
    folder
        Of the mission.
    """
    places = [(f"{url}/", "what there is, and what failed")]
    for routine, what in _ROUTINES.items():
        names = [name for visit in truth["visits"] if visit["routine"] == routine for name in visit["associations"]]
        found = {exposure["plan"]["association"] for exposure in truth["exposures"]}
        places.append((f"{url}/datasets/{next(name for name in names if name in found)}", what))
    places.append((f"{url}/api/v1/tables/lampflash?format=csv", "lamp flashes as a table; every table is there"))
    places.append((f"{url}/api/v1/openapi.json", "what else the HTTP API answers"))
    places.append((str(folder / TRUTH_NAME), "what was put into each exposure"))
    return "\n".join(["what to look at", *(f" {place}\n     {what}" for place, what in places)])
