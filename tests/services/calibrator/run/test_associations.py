"""Association tables as people edit them: what a run is made of, and products as plain CalCOS makes
them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.calcos.contract import RunResult
from services.calibrator.run.associations import keep_members, read_association
from services.calibrator.run.calibrate import CalibrationResult, _check
from services.calibrator.run.preparation import Prepared
from services.calibrator.run.references import ReferenceFolder
from services.calibrator.run.workspace import Workspace
from shared.cos.references import FILETYPES
from shared.errors import PermanentError, UnsupportedError
from simulator.verify.cases import CASES
from simulator.verify.running import run_calcos
from tests.services.calibrator.recipes.running import calibrate_as_is, simulated

FIRST, SECOND, LAMP = "lrnd01a1q", "lrnd01a2q", "lxyz02c3q"
NAMES, KINDS = [FIRST, SECOND, LAMP, "lrnd01010"], ["EXP-FP", "EXP-FP", "EXP-GWAVE", "PROD-FP"]


def write(
    path: Path, names: Sequence[str], kinds: Sequence[str], present: Sequence[Any], form: str
) -> None:
    """Write a table as one does by hand: no keywords, and no name of the extension."""
    columns = [
        fits.Column("MEMNAME", "40A", array=np.array(names)),
        fits.Column("MEMTYPE", "14A", array=np.array(kinds)),
        fits.Column("MEMPRSNT", form, array=np.array(present)),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path, overwrite=True)


@dataclass
class Visit:
    """Two exposures, a wavecal of another visit, and their references."""

    raw: Path
    references: Path
    cache: Path

    def calibrate(self, name: str, folder: Path) -> tuple[CalibrationResult, Path]:
        """Calibrate all files of the folder with one association table."""
        raw = {
            path.name: path
            for path in self.raw.glob("*.fits")
            if "_asn" not in path.name or path.name == name
        }
        references = ReferenceFolder(self.references, self.cache, "3.6.2")
        return calibrate_as_is(raw, references, "lrnd01010", folder / "run")

    def compare(self, name: str, folder: Path) -> CalibrationResult:
        """Calibrate, and check that plain CalCOS makes the same of the same files."""
        result, products = self.calibrate(name, folder)
        plain = folder / "plain" / "out"
        run_calcos([self.raw / name], self.cache, plain)
        written = {path.name for path in plain.glob("*.fits")} - {name}
        assert {path.stem for path in products.iterdir()} == written
        for product in written:
            difference = fits.FITSDiff(
                str(products / f"{product}.gz"), str(plain / product), ignore_keywords=_REWRITTEN
            )
            assert difference.identical, difference.report()
        return result


_REWRITTEN = [*FILETYPES, "DATE"]


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    folder = tmp_path_factory.mktemp("visit")
    case = CASES["NUV G185M/1921 ACCUM, GO wavecal"]
    science, lamp = (replace(member, exptime=30.0) for member in case.members)
    second = replace(science, rootname=SECOND, start=science.start + 0.002)
    members = (
        replace(science, rootname=FIRST, association="lrnd01010"),
        replace(second, association="lrnd01010"),
        replace(lamp, rootname=LAMP, start=science.start + 0.005, association="lxyz02010"),
    )
    simulated(replace(case, members=members), folder)
    for path in (folder / "raw").glob("*_asn.fits"):
        path.unlink()
    for path in (folder / "raw").glob("*_raw*.fits"):
        fits.setval(path, "RANDSEED", value=1)
    return Visit(folder / "raw", folder / "references", folder / "cache")


@pytest.mark.e2e
def test_table_edited_by_hand_gives_what_plain_calcos_gives(visit: Visit, tmp_path: Path) -> None:
    names = [FIRST, SECOND.upper(), LAMP, "STAR_ALL"]
    write(visit.raw / "mystar.v2_asn.fits", names, KINDS, [1, 0, 1, 0], "K")
    result = visit.compare("mystar.v2_asn.fits", tmp_path)
    products = {product.name.removesuffix(".fits.gz") for product in result.products}
    assert {"star_all_x1dsum", "star_all_x1dsum2", f"{FIRST}_x1d", f"{LAMP}_x1d"} <= products
    assert not [name for name in products if SECOND in name]
    assert result.notes[0] == f"{SECOND} is left out, as mystar.v2_asn.fits says (MEMPRSNT)"
    assert set(result.switches) == {f"{FIRST}_rawaccum.fits", f"{LAMP}_rawaccum.fits"}


@pytest.mark.e2e
def test_names_of_files_texts_and_no_product_give_what_plain_calcos_gives(
    visit: Visit, tmp_path: Path
) -> None:
    names = [f"{FIRST}_rawaccum.fits", LAMP, "lrnd01010"]
    write(
        visit.raw / "texts_asn.fits",
        names,
        ["EXP-FP", "EXP-GWAVE", "prod-fp"],
        ["T", "yes", ""],
        "3A",
    )
    result = visit.compare("texts_asn.fits", tmp_path)
    assert not [product.name for product in result.products if "x1dsum" in product.name]
    assert "not in upper case: nothing is added up" in result.notes[0]


def _stage(
    folder: Path, names: Sequence[str], kinds: Sequence[str], present: Sequence[Any], form: str
) -> None:
    write(folder / "x_asn.fits", names, kinds, present, form)
    for root in (FIRST, SECOND, LAMP):
        for suffix in ("rawtag", "spt"):
            (folder / f"{root}_{suffix}.fits").touch()


def test_files_of_exposures_that_are_left_out_are_no_inputs(tmp_path: Path) -> None:
    _stage(tmp_path, NAMES, KINDS, [True, False, True, False], "L")
    before = (tmp_path / "x_asn.fits").read_bytes()
    keep_members(tmp_path)
    assert {path.name[:9] for path in tmp_path.iterdir()} == {FIRST, LAMP, "x_asn.fit"}
    assert (tmp_path / "x_asn.fits").read_bytes() == before


def test_exposures_that_a_recipe_adds_stay(tmp_path: Path) -> None:
    _stage(tmp_path, NAMES[:2], KINDS[:2], [True, False], "L")
    keep_members(tmp_path, [LAMP])
    assert {path.name[:9] for path in tmp_path.glob("*_rawtag.fits")} == {FIRST, LAMP}


def test_table_says_the_same_in_words_that_calcos_reads(tmp_path: Path) -> None:
    names = [f"{FIRST}_rawtag.fits", f"../v2/{SECOND.upper()}_rawtag.fits", LAMP, "STAR"]
    _stage(
        tmp_path, names, ["exp-fp", "EXP-FP", "exp-gwave", "PROD-FP"], ["yes", "", "no", ""], "3A"
    )
    before = read_association(tmp_path)
    keep_members(tmp_path)
    after = read_association(tmp_path)
    assert before is not None
    assert after is not None
    assert (after.members, after.left_out, after.product) == (
        before.members,
        before.left_out,
        before.product,
    )
    table = fits.getdata(tmp_path / "x_asn.fits", 1)
    assert list(table["MEMNAME"]) == [FIRST.upper(), SECOND.upper(), LAMP.upper(), "STAR"]
    assert list(table["MEMTYPE"]) == ["exp-fp", "EXP-FP", "EXP-GWAVE", "PROD-FP"]
    assert list(table["MEMPRSNT"]) == [True, False, True, False]


def test_what_calcos_would_refuse_or_miss_is_refused(visit: Visit, tmp_path: Path) -> None:
    write(visit.raw / "wrong_asn.fits", NAMES, ["EXP-FP"] * 3 + ["PROD-FP"], [True] * 4, "L")
    with pytest.raises(
        PermanentError, match="MEMTYPE is EXP-FP in the association and EXPTYPE WAVECAL"
    ):
        visit.calibrate("wrong_asn.fits", tmp_path)
    write(
        visit.raw / "gone_asn.fits",
        [*NAMES[:3], "lrnd01a9q"],
        ["EXP-FP", "EXP-FP", "EXP-GWAVE", "EXP-FP"],
        [1] * 4,
        "K",
    )
    with pytest.raises(PermanentError, match=r"incomplete: lrnd01a9q_raw\* missing"):
        visit.calibrate("gone_asn.fits", tmp_path)
    write(visit.raw / "off_asn.fits", NAMES, KINDS, [False] * 4, "L")
    with pytest.raises(UnsupportedError, match="of no exposure that it is present"):
        visit.calibrate("off_asn.fits", tmp_path)


def test_nothing_to_calibrate_is_a_failure_where_products_were_promised(tmp_path: Path) -> None:
    ended = RunResult(5, None, False, 1.0, 1.0, 1.0, "", "", "There are no files to calibrate")
    prepared = Prepared(tmp_path, {}, frozenset({f"{FIRST}_x1d.fits"}), (), {}, {}, ())
    with pytest.raises(PermanentError, match=r"status 5\n.*\nThere are no files"):
        _check(ended, prepared, Workspace(tmp_path))
    with pytest.raises(UnsupportedError, match="nothing to calibrate"):
        _check(ended, replace(prepared, promised=frozenset()), Workspace(tmp_path))
