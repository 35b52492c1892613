"""Injection and recovery through the real CalCOS.

Some of the cases of ``python -m simulator.verify``.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from astropy.io import fits

from shared.errors import PermanentError
from simulator.nominal import nominal_state
from simulator.observe import observe
from simulator.plan import ExposurePlan, Fault, FaultKind
from simulator.references.catalogue import Catalogue
from simulator.state import Viewing
from simulator.truth import truth_of
from simulator.verify.cases import CASES
from simulator.verify.measures import compare
from simulator.verify.running import run_calcos, run_case, unpack

pytestmark = pytest.mark.e2e

DARK = CASES["NUV dark"].members[0]


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("references")


@pytest.mark.parametrize(
    ("name", "quantities"),
    [
        (
            "FUV G140L/1105 LP2, segment A only",
            {"flux", "lines", "shift1", "shift2", "stim", "live time"},
        ),
        ("NUV G185M/1850 TAGFLASH", {"flux", "lines", "shift1", "shift2", "live time"}),
        ("NUV imaging MIRRORB, ACCUM", {"count rate", "image", "live time"}),
        ("NUV dark", {"dark rate", "live time"}),
    ],
)
def test_what_is_put_in_comes_out(
    name: str, quantities: set[str], references: Path, tmp_path: Path
) -> None:
    results = run_case(CASES[name], tmp_path, references)
    assert {result.quantity for result in results} == quantities
    assert [result for result in results if not result.passed] == []


def calibrate(plan: ExposurePlan, catalogue: Catalogue, references: Path, folder: Path) -> Path:
    """Take an exposure and calibrate it; returns the folder of the products."""
    raw, products = folder / "raw", folder / "products"
    raw.mkdir()
    taken = observe(
        plan, nominal_state(plan.start), Viewing(7.2, plan.start, 5720.0), raw, catalogue
    )
    unpack(
        references,
        catalogue.write(references, catalogue.select(plan).values()),
        references / "plain",
    )
    run_calcos(list(taken.paths[:1]), references / "plain", products)
    for result in compare(products, plan.rootname, truth_of(taken)):
        assert result.passed, result
    return products


def test_bad_time_is_taken_out(references: Path, tmp_path: Path) -> None:
    fault = Fault(FaultKind.BAD_TIME, 100.0, 150.0, 1000.0)
    plan = replace(DARK, exptime=600.0, faults=(fault,), rootname="lsv1bda0q")
    interval = (plan.start + 100.0 / 86400.0, plan.start + 150.0 / 86400.0)
    products = calibrate(plan, Catalogue([interval]), references, tmp_path)
    header = fits.getheader(products / "lsv1bda0q_corrtag.fits", 1)
    assert header["EXPTIME"] == pytest.approx(550.0, abs=0.1)
    assert header["NBADT"] > 45_000


def test_exposure_without_events(references: Path, tmp_path: Path) -> None:
    plan = replace(DARK, faults=(Fault(FaultKind.NO_EVENTS),), rootname="lsv1nea0q")
    products = calibrate(plan, Catalogue(), references, tmp_path)
    assert len(fits.getdata(products / "lsv1nea0q_corrtag.fits", 1)) == 0


def test_truncated_file_is_refused(references: Path, tmp_path: Path) -> None:
    plan = replace(DARK, faults=(Fault(FaultKind.TRUNCATED),), rootname="lsv1tra0q")
    with pytest.raises(PermanentError, match="status 1"):
        calibrate(plan, Catalogue(), references, tmp_path)


def test_missing_member(references: Path, tmp_path: Path) -> None:
    case = CASES["NUV imaging MIRRORA, TAGFLASH"]
    second = replace(case.members[1], faults=(Fault(FaultKind.MISSING),))
    incomplete = replace(case, members=(case.members[0], second))
    results = run_case(incomplete, tmp_path, references)
    assert {result.exposure for result in results} == {case.members[0].rootname}
    assert all(result.passed for result in results)
