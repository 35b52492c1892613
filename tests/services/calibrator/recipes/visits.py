"""Visits that single clauses of a recipe are tried on, and what their products hold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from services.calibrator.run.references import ReferenceFolder
from simulator.files.support import GuideStars, support_file
from simulator.nominal import nominal_state
from simulator.orbit import Orbit
from simulator.plan import ExposurePlan
from simulator.references.catalogue import Catalogue
from simulator.references.context import REVISED, write_contexts
from simulator.sky import sun_altitude
from simulator.verify.cases import Case
from simulator.verify.running import simulate_case
from tests.services.calibrator.recipes.running import recalibrate, small_visit
from tests.simulated_references import write_references

__all__ = ["BAD_TIME", "FIRST", "SECOND", "Visit", "events", "header", "nuv_visit", "spectra"]

FIRST, SECOND = "lrnd01a1q", "lrnd01a2q"
BAD_TIME = (20.0, 30.0)
"""Seconds since the start of either exposure that the bad-time table names."""

_DAY = 86400.0
_SUNSET = 35.0
"""Seconds since the start of the first exposure."""


@dataclass(frozen=True)
class Visit:
    """Simulated exposures with their references."""

    case: Case
    raw: Mapping[str, Path]
    references: ReferenceFolder
    label: str

    def run(self, recipe: Any, folder: Path) -> Path:
        """Run a recipe; returns the folder of its products."""
        return recalibrate(recipe, dict(self.raw), self.references, self.label, folder)[1]


def _sunset(start: float) -> float:
    """Return MJD at which the Sun next goes below the limb of the Earth."""
    times = start + np.arange(0.0, 6000.0) / _DAY
    altitude = sun_altitude(Orbit(), times)
    down = np.flatnonzero((altitude[:-1] >= 0) & (altitude[1:] < 0))
    return float(times[down[0]])


def nuv_visit(folder: Path) -> Visit:
    """Return two exposures of a minute, with a bad time in each, sunset in the first, and where HST
    was.

    Parameters
    ----------
    folder
        Empty folder.
    """
    case = small_visit("NUV G230L/2950 TAGFLASH")
    begin = _sunset(case.members[0].start) - _SUNSET / _DAY
    members = tuple(
        replace(plan, start=begin + number * 200.0 / _DAY)
        for number, plan in enumerate(case.members)
    )
    case = replace(case, members=members)
    bad = [(plan.start + BAD_TIME[0] / _DAY, plan.start + BAD_TIME[1] / _DAY) for plan in members]
    catalogue = Catalogue(bad)
    simulate_case(case, folder / "raw", catalogue)
    for plan in members:
        write_support(plan, case, folder / "raw")
        for current in (catalogue, catalogue.revise(REVISED)):
            write_references(current, folder / "references", current.select(plan).values())
    write_contexts(folder / "crds", Catalogue())
    raw = {path.name: path for path in (folder / "raw").glob("*.fits*")}
    references = ReferenceFolder(folder / "references", folder / "cache", "3.6.2", folder / "crds")
    return Visit(case, raw, references, "lrnd01010")


def write_support(plan: ExposurePlan, case: Case, folder: Path) -> None:
    """Write where HST was."""
    state = nominal_state(plan.start, case.shifts)
    support_file(plan, Orbit(), state, GuideStars()).writeto(folder / f"{plan.rootname}_spt.fits")


def header(products: Path, name: str, extension: int = 1) -> fits.Header:
    """Return the header of a product."""
    return fits.getheader(products / f"{name}.fits.gz", extension)


@lru_cache(maxsize=8)
def events(products: Path, name: str) -> Any:
    """Return the events of a corrtag file."""
    return fits.getdata(products / f"{name}.fits.gz", "EVENTS")


@lru_cache(maxsize=16)
def spectra(products: Path, name: str) -> dict[str, Any]:
    """Return the rows of extracted spectra by segment or stripe."""
    table = fits.getdata(products / f"{name}.fits.gz", 1)
    return {str(row["SEGMENT"]).strip(): row for row in table}
