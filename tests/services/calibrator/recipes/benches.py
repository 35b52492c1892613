"""Small visits of many modes, and a real exposure, that recipes are tried on."""

import shutil
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from astropy.io import fits

from services.calibrator.run.references import ReferenceFolder
from shared.cos.references import FILETYPES
from simulator.plan import ExposurePlan
from simulator.references.catalogue import Catalogue
from simulator.references.context import REVISED, write_contexts
from simulator.verify.cases import CASES, Case
from tests.services.calibrator.recipes.running import recalibrate, simulated, small_visit
from tests.simulated_references import write_references

__all__ = ["LAMP", "REAL", "TURNS", "Bench", "Mode", "mode_of", "real_bench", "simulated_bench"]

LAMP = "lrnd02a1q"
"""Wavecal of another dataset, in the mode of the visit."""

_SECONDS = 60.0
_PAIR = "NUV G230L/2950 TAGFLASH"
_LONE_SEGMENT = "FUV G140L/1105 LP2, segment A only"
_BOTH_SEGMENTS = "FUV G130M/1291 LP3 TAGFLASH TWOZONE, FP-POS 3 and 4"
_BOXCAR = "FUV G130M/1327 LP1 TAGFLASH BOXCAR"
_SPLIT = "FUV G160M/1577 LP6, split wavecals"
_BOA = "FUV G160M/1623 LP4 BOA, auto wavecal"
_FUV_ACCUM = "FUV G130M/1309 ACCUM, auto wavecal"
_NUV_ACCUM = "NUV G185M/1921 ACCUM, GO wavecal"
_IMAGE = "NUV imaging MIRRORA, TAGFLASH"
REAL = "first exposure of ldfd01010"
_HALVES = {_BOXCAR: "FUVB", _SPLIT: "FUVA", _BOA: "FUVA", _FUV_ACCUM: "FUVA"}
"""Segment that is left of both, since CalCOS takes as long for each."""

TURNS = (
    _PAIR,
    _LONE_SEGMENT,
    _NUV_ACCUM,
    _PAIR,
    _SPLIT,
    _IMAGE,
    _NUV_ACCUM,
    _PAIR,
    _BOTH_SEGMENTS,
    _NUV_ACCUM,
    _PAIR,
    _LONE_SEGMENT,
    _BOA,
    _NUV_ACCUM,
    _IMAGE,
    _FUV_ACCUM,
    _PAIR,
    _NUV_ACCUM,
    _BOXCAR,
    REAL,
)
"""Visits in turn: those that take CalCOS a second or two come more often."""


@dataclass(frozen=True)
class Mode:
    """What the writer of a recipe knows of a visit.

    Attributes
    ----------
    science, wavecals
        Rootnames of its exposures.
    segments
        FUVA and FUVB, or none for the NUV.
    algorithm
        XTRCTALG in force.
    seconds
        Exposure time of its first exposure.
    raw
        Names of its raw science files.
    references
        Reference keyword to the file that the headers name.
    """

    science: tuple[str, ...]
    wavecals: tuple[str, ...]
    segments: tuple[str, ...]
    algorithm: str
    seconds: float
    raw: tuple[str, ...]
    references: dict[str, str]

    @property
    def rootnames(self) -> tuple[str, ...]:
        """All its exposures."""
        return *self.science, *self.wavecals


@dataclass(frozen=True)
class Bench:
    """A visit that recipes are tried on."""

    mode: Mode
    raw: dict[str, Path]
    references: ReferenceFolder
    label: str
    folder: Path
    lamp: dict[str, Path] = field(default_factory=dict)

    @cached_property
    def corrtags(self) -> dict[str, Path]:
        """Calibrated events of the default run."""
        _, products = recalibrate(
            {}, self.raw, self.references, self.label, self.folder / "default"
        )
        return {path.name.removesuffix(".gz"): path for path in products.glob("*_corrtag*.fits.gz")}


def _case(name: str) -> Case:
    if name in (_PAIR, _LONE_SEGMENT, _BOXCAR):
        case = small_visit(name)
    elif name == _BOTH_SEGMENTS:  # one exposure without an association
        (first, _) = small_visit(name).members
        case = replace(CASES[name], members=(replace(first, association="", member_type=""),))
    else:
        case = CASES[name]
    return replace(
        case, members=tuple(_short(plan, _HALVES.get(name, plan.segment)) for plan in case.members)
    )


def _short(plan: ExposurePlan, segment: str) -> ExposurePlan:
    seconds = plan.exptime if plan.flashes else min(plan.exptime, _SECONDS)
    level_a, level_b = plan.hv_level_a * (segment != "FUVB"), plan.hv_level_b * (segment != "FUVA")
    return replace(plan, exptime=seconds, segment=segment, hv_level_a=level_a, hv_level_b=level_b)


def _lamp(case: Case, folder: Path) -> dict[str, Path]:
    first = case.members[0]
    lamp = replace(
        first,
        rootname=LAMP,
        exptype="WAVECAL",
        aperture="WCA",
        flashes=(),
        association="",
        member_type="",
        target=replace(first.target, name="WAVE", spectrum=None),
    )
    raw, _, _ = simulated(replace(case, members=(lamp,)), folder)
    return {name: path for name, path in raw.items() if name.startswith(LAMP)}


def mode_of(raw: dict[str, Path]) -> Mode:
    """Read what the writer of a recipe knows off raw files."""
    headers = {name: fits.getheader(path) for name, path in sorted(raw.items()) if "_raw" in name}
    wavecals = {name[:9] for name, header in headers.items() if header["EXPTYPE"] == "WAVECAL"}
    science = [name for name in headers if name[:9] not in wavecals]
    first = headers[science[0]]
    return Mode(
        tuple(sorted({name[:9] for name in science})),
        tuple(sorted(wavecals)),
        tuple(sorted({str(headers[name]["SEGMENT"]) for name in science} & {"FUVA", "FUVB"})),
        str(first.get("XTRCTALG", "BOXCAR")).strip(),
        float(fits.getval(raw[science[0]], "EXPTIME", 1)),
        tuple(name.removesuffix(".gz") for name in science),
        {keyword: str(first.get(keyword, "N/A")).removeprefix("lref$") for keyword in FILETYPES},
    )


def real_bench(raw: dict[str, Path], references: ReferenceFolder, folder: Path) -> Bench:
    """Take the first exposure of the real association."""
    return Bench(mode_of(raw), raw, references, "ldfd01010", folder)


def simulated_bench(name: str, folder: Path) -> Bench:
    """Simulate a visit with its references, those of the next context of CRDS, and a wavecal.

    Parameters
    ----------
    name
        One of `TURNS`.
    folder
        Empty folder.
    """
    case = _case(name)
    raw, _, label = simulated(case, folder)
    lamp = {} if case.members[0].opt_elem.startswith("MIRROR") else _lamp(case, folder / "lamp")
    write_contexts(folder / "crds", Catalogue())
    revised = Catalogue().revise(REVISED)
    for member in case.members:
        write_references(revised, folder / "references", revised.select(member).values())
    if lamp:
        for path in (folder / "lamp" / "references").iterdir():
            shutil.copyfile(path, folder / "references" / path.name)
    references = ReferenceFolder(folder / "references", folder / "cache", "3.6.2", folder / "crds")
    return Bench(mode_of(raw), raw, references, label, folder, lamp)
