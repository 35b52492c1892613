"""Datasets to calibrate: simulated ones of every mode and fault, and the real association."""

import gzip
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from services.calibrator.run.workspace import fix_seed
from simulator.plan import Fault, FaultKind
from simulator.references.catalogue import Catalogue
from simulator.verify.cases import CASES
from simulator.verify.cases import Case as Simulated
from simulator.verify.running import simulate_case

__all__ = ["REAL", "SIMULATED", "Dataset", "prepare"]

REAL = "real"
"""Name of the real association ``ldfd01010``: four FUV exposures, segment A."""

_SEED = 1
_DAY = 86400.0
_FUV = CASES["FUV G130M/1291 LP3 TAGFLASH TWOZONE, FP-POS 3 and 4"]
_NUV = CASES["NUV imaging MIRRORA, TAGFLASH"].members[0]
_BURST = Fault(FaultKind.BURST, 300.0, 330.0, 20_000.0)
_BAD_TIME = Fault(FaultKind.BAD_TIME, 300.0, 330.0, 500.0)


@dataclass(frozen=True)
class Dataset:
    """Files of a dataset, plain, with a fixed RANDSEED.

    Attributes
    ----------
    name
        Of the dataset.
    raw
        Folder of the raw files.
    references
        Folder of the reference files.
    """

    name: str
    raw: Path
    references: Path

    @property
    def target(self) -> Path:
        """Association table, or the raw file of the first segment."""
        tables = sorted(self.raw.glob("*_asn.fits"))
        return (tables or sorted(self.raw.glob("*_raw[ta]*.fits")))[0]


def _faulty(name: str, fault: Fault, **overrides: str) -> Simulated:
    first, *others = _FUV.members
    return replace(
        _FUV, name=name, members=(replace(first, faults=(fault,), overrides=overrides), *others)
    )


_FAULTY = [
    _faulty("FUV with a burst", _BURST, BRSTCORR="PERFORM"),
    _faulty("FUV with a bad time", _BAD_TIME),
    _faulty("FUV without segment B", Fault(FaultKind.SEGMENT_OFF, segment="FUVB")),
    _faulty("FUV without events", Fault(FaultKind.NO_EVENTS)),
    Simulated(
        "NUV acquisition",
        (
            replace(
                _NUV,
                exptype="ACQ/IMAGE",
                obsmode="ACCUM",
                exptime=20.0,
                flashes=(),
                association="",
                member_type="",
            ),
        ),
    ),
]

SIMULATED: Mapping[str, Simulated] = CASES | {case.name: case for case in _FAULTY}
"""Simulated datasets by name."""


def prepare(name: str, folder: Path, data: Path) -> Dataset:
    """Write the files of a dataset, or take those that an earlier run left.

    Parameters
    ----------
    name
        `REAL`, or a key of `SIMULATED`.
    folder
        Where they go.
    data
        Folder of real data, with ``ldfd01010/raw`` and ``references``.
    """
    place = folder / name.replace("/", "-").replace(" ", "_")
    dataset = Dataset(
        name, place / "raw", place / "references" if name == REAL else folder / "references"
    )
    if not (place / "done").exists():
        shutil.rmtree(place, ignore_errors=True)
        if name == REAL:
            _unpack(data / "ldfd01010" / "raw", dataset.raw, "ldfd01010_asn.*", "ldfd01v[nprt]q_*")
            _unpack(data / "references", dataset.references)
        else:
            _simulate(SIMULATED[name], dataset)
        for path in dataset.raw.glob("*_raw*.fits"):
            fix_seed(path, _SEED)
        (place / "done").touch()
    return dataset


def _simulate(case: Simulated, dataset: Dataset) -> None:
    bad_times = [
        (plan.start + fault.start / _DAY, plan.start + fault.stop / _DAY)
        for plan in case.members
        for fault in plan.faults_of(FaultKind.BAD_TIME)
    ]
    catalogue = Catalogue(bad_times)
    simulate_case(case, dataset.raw, catalogue)
    packed = dataset.raw.parent / "references"
    catalogue.write(
        packed, [key for plan in case.members for key in catalogue.select(plan).values()]
    )
    _unpack(packed, dataset.references)


def _unpack(packed: Path, folder: Path, *patterns: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in (path for pattern in patterns or ("*.gz",) for path in packed.glob(pattern)):
        with gzip.open(path) as stream, (folder / path.stem).open("wb") as plain:
            shutil.copyfileobj(stream, plain, 1 << 20)
