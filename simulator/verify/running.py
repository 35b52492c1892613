"""Verification of a case: simulate, calibrate with the real CalCOS, compare."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

from shared.errors import PermanentError
from simulator.files.associations import write_association
from simulator.nominal import nominal_state
from simulator.observe import Observation, observe
from simulator.references.catalogue import Catalogue
from simulator.state import Viewing
from simulator.truth import read_truth, write_truth
from simulator.verify.cases import Case
from simulator.verify.measures import compare
from simulator.verify.result import Result

__all__ = ["run_calcos", "run_case", "simulate_case", "unpack"]

_CALCOS = "import sys; from calcos.calcos import main; sys.exit(main())"
_TIMEOUT = 1800.0


def simulate_case(
    case: Case, folder: Path, catalogue: Catalogue, seed: int = 0
) -> list[Observation]:
    """Take the exposures of a case and write their files and truth into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    observations = []
    for plan in case.members:
        viewing = Viewing(7.2, plan.start - 0.013, 5720.0, 12.0)
        state = nominal_state(plan.start, case.shifts)
        observations.append(observe(plan, state, viewing, folder, catalogue, seed))
    if case.association is not None:
        write_association(case.association, folder)
    write_truth(observations, folder)
    return observations


def unpack(references: Path, names: list[str], folder: Path) -> None:
    """Unpack gzipped references into the folder that ``lref`` shall name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not (folder / name).exists():
            staged = folder / f".{name}.part"
            with gzip.open(references / f"{name}.gz") as packed, staged.open("wb") as plain:
                shutil.copyfileobj(packed, plain, 1 << 20)
            staged.replace(folder / name)


def run_calcos(inputs: list[Path], references: Path, products: Path) -> None:
    """Calibrate with the real CalCOS in a process of its own.

    Parameters
    ----------
    inputs
        Association table or raw files.
    references
        Folder of unpacked reference files.
    products
        Where the products go.

    Raises
    ------
    PermanentError
        With the end of its log, if it fails.
    """
    products.mkdir(parents=True)
    log = products.with_suffix(".log")
    with log.open("wb") as stream:
        status = subprocess.run(
            [sys.executable, "-c", _CALCOS, "-o", str(products), *map(str, inputs)],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=os.environ | {"lref": f"{references}/"},
            cwd=products.parent,
            timeout=_TIMEOUT,
            check=False,
        ).returncode
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise PermanentError(f"CalCOS ended with status {status}; the end of {log}:\n{tail}")


def run_case(case: Case, work: Path, references: Path, seed: int = 0) -> list[Result]:
    """Simulate, calibrate and compare a case.

    Its products, hundreds of megabytes, are removed if that succeeds.

    Parameters
    ----------
    case
        The case.
    work
        Empty folder for its data and products.
    references
        Folder that reference files are kept in, gzipped and plain.
    seed
        Of the simulation.
    """
    catalogue = Catalogue()
    raw, products = work / "raw", work / "products"
    observations = simulate_case(case, raw, catalogue, seed)
    keys = [key for plan in case.members for key in catalogue.select(plan).values()]
    plain = references / "plain"
    unpack(references, catalogue.write(references, keys), plain)
    first = observations[0].paths[0]
    inputs = [raw / f"{case.association.rootname}_asn.fits"] if case.association else [first]
    run_calcos(inputs, plain, products)
    taken = [observation.plan.rootname for observation in observations if observation.paths]
    truths = read_truth(raw)
    results = [
        result for rootname in taken for result in compare(products, rootname, truths[rootname])
    ]
    shutil.rmtree(products)
    return results
