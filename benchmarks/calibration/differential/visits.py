"""Small simulated visits of many modes, that random forms are tried on."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from astropy.io import fits

from services.calibrator.run.workspace import fix_seed
from simulator.plan import ExposurePlan, Flash
from simulator.references.catalogue import Catalogue
from simulator.verify.cases import CASES, Case
from simulator.verify.running import run_calcos, simulate_case, unpack

__all__ = ["FUV", "NUV", "Visit", "prepare"]

_SEED = 1
_SECONDS = 16.0
_FLASHES = (Flash(0.0, 5.0), Flash(_SECONDS - 6.0, _SECONDS - 1.0))

NUV: Mapping[str, tuple[str, int]] = {
    "NUV TAGFLASH": ("NUV G230L/2950 TAGFLASH", 2),
    "NUV ACCUM": ("NUV G185M/1921 ACCUM, GO wavecal", 1),
    "NUV auto wavecal": ("NUV G225M/2306 BOA, auto wavecal", 1),
    "NUV image": ("NUV imaging MIRRORA, TAGFLASH", 1),
    "NUV corrected": ("NUV G185M/1850 TAGFLASH", 1),
}
"""Visits that CalCOS takes seconds for: the case that each is made from, and how many exposures of
it there are.
"""

FUV: Mapping[str, tuple[str, int]] = {
    "FUV TWOZONE": ("FUV G130M/1291 LP3 TAGFLASH TWOZONE, FP-POS 3 and 4", 1),
    "FUV BOXCAR": ("FUV G130M/1327 LP1 TAGFLASH BOXCAR", 1),
    "FUV pair": ("FUV G140L/1280 LP2 TAGFLASH", 2),
    "FUV ACCUM": ("FUV G130M/1309 ACCUM, auto wavecal", 1),
    "FUV split": ("FUV G160M/1577 LP6, split wavecals", 1),
    "FUV corrected": ("FUV G130M/1291 LP3 TAGFLASH TWOZONE, FP-POS 3 and 4", 1),
    "FUV dark": ("FUV dark with a burst", 1),
}
"""Those that take it a minute."""


@dataclass(frozen=True)
class Visit:
    """Files of a visit, plain, with a fixed RANDSEED.

    Attributes
    ----------
    name
        Of `NUV` or `FUV`.
    raw, references
        Folders.
    """

    name: str
    raw: Path
    references: Path

    def copy(self, folder: Path) -> "Visit":
        """Link the files into another folder, where each may be replaced."""
        for source, name in ((self.raw, "raw"), (self.references, "references")):
            (folder / name).mkdir(parents=True)
            for path in source.iterdir():
                os.link(path, folder / name / path.name)
        return Visit(self.name, folder / "raw", folder / "references")

    @property
    def inputs(self) -> list[Path]:
        """Raw or corrected files."""
        return [
            path
            for path in sorted(self.raw.glob("*.fits"))
            if "_raw" in path.name or "_corrtag" in path.name
        ]

    @property
    def association(self) -> Path | None:
        """The association table, if there is one."""
        return next(iter(sorted(self.raw.glob("*_asn.fits"))), None)


def prepare(name: str, folder: Path) -> Visit:
    """Write the files of a visit, or take those that are there."""
    place = folder / name.replace(" ", "_")
    visit = Visit(name, place / "raw", place / "references")
    if (place / "done").exists():
        return visit
    shutil.rmtree(place, ignore_errors=True)
    base, repeats = {**NUV, **FUV}[name]
    case = _short(CASES[base], repeats, name)
    catalogue = Catalogue()
    simulate_case(case, visit.raw, catalogue)
    keys = [key for plan in case.members for key in catalogue.select(plan).values()]
    unpack(place / "packed", catalogue.write(place / "packed", keys), visit.references)
    shutil.rmtree(place / "packed")
    for path in visit.inputs:
        fix_seed(path, _SEED)
    if "corrected" in name:
        _correct(visit, place)
    (place / "done").touch()
    return visit


def _short(case: Case, repeats: int, name: str) -> Case:
    members = list(case.members)
    if repeats > 1 or ("TWOZONE" in case.name and repeats == 1):
        first = members[0]
        root = "" if "corrected" in name else f"{first.rootname[:6]}010"
        members = [
            replace(
                first,
                rootname=f"{first.rootname[:7]}{number}q",
                start=first.start + number * 0.002,
                association=root,
                member_type="EXP-FP" if root else "",
                linenum=f"01.{number + 1:03d}",
            )
            for number in range(repeats)
        ]
    return replace(case, members=tuple(_cut(plan, name) for plan in members))


def _cut(plan: ExposurePlan, name: str) -> ExposurePlan:
    plan = replace(plan, exptime=_SECONDS, flashes=_FLASHES if plan.flashes else (), faults=())
    if plan.detector == "FUV" and name != "FUV pair":
        plan = replace(plan, segment="FUVA", hv_level_b=0)
    return plan


def _correct(visit: Visit, place: Path) -> None:
    """Put the corrected events of a plain run in place of the raw ones."""
    products = place / "products"
    run_calcos([visit.inputs[0]], visit.references, products)
    for path in [*visit.raw.glob("*_raw*"), *visit.raw.glob("*_asn*")]:
        path.unlink()
    for path in products.glob("*_corrtag*.fits"):
        shutil.move(path, visit.raw / path.name)
    shutil.rmtree(products)
    for path in visit.inputs:
        fits.setval(path, "RANDSEED", value=_SEED)
