"""CalCOS fails, and gets by, in the same way with its functions replaced.

Status, error, log and what is left.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.acceleration import NAMES
from services.calibrator.run.headers import read_exposures
from services.calibrator.run.references import ReferenceFolder
from services.calibrator.run.workspace import fix_seed, stage
from tests.services.calibrator.acceleration.conftest import run

pytestmark = pytest.mark.e2e

Break = Callable[[Path, Path], None]
"""Spoils raw files, or references, in the two folders."""


def _header(keyword: str, value: Any, extension: int = 0) -> Break:
    """Set a keyword of the raw file, or remove it."""

    def spoil(raw: Path, lref: Path) -> None:
        with fits.open(raw / "ldfd01vnq_rawtag_a.fits", mode="update") as hdus:
            if value is None:
                del hdus[extension].header[keyword]
            else:
                hdus[extension].header[keyword] = value

    return spoil


def _bad_time(raw: Path, lref: Path) -> None:
    with fits.open(raw / "ldfd01vnq_rawtag_a.fits", mode="update") as hdus:
        hdus["EVENTS"].data["TIME"][-5:] = np.nan


def _no_events(raw: Path, lref: Path) -> None:
    with fits.open(raw / "ldfd01vnq_rawtag_a.fits", mode="update") as hdus:
        hdus["EVENTS"].data = hdus["EVENTS"].data[:0]


def _truncated(raw: Path, lref: Path) -> None:
    path = raw / "ldfd01vnq_rawtag_a.fits"
    path.write_bytes(path.read_bytes()[:200_000])


def _existing(raw: Path, lref: Path) -> None:
    (raw.parent / "left").write_text("ldfd01vnq_flt_a.fits")


def _table(keyword: str, change: Callable[[Path], None]) -> Break:
    """Change a copy of a reference table."""

    def spoil(raw: Path, lref: Path) -> None:
        path = lref / fits.getval(raw / "ldfd01vnq_rawtag_a.fits", keyword).removeprefix("lref$")
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
        change(path)

    return spoil


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _without_mode(path: Path) -> None:
    with fits.open(path, mode="update") as hdus:
        hdus[1].data["OPT_ELEM"] = "G999X"


CASES: dict[str, tuple[Break, int | None, str]] = {
    "raw file truncated": (_truncated, None, "TypeError"),
    "time not a number": (_bad_time, None, "ValueError"),
    "no events": (_no_events, 0, ""),
    "keyword missing": (_header("CORNER0X", None, 1), None, "KeyError"),
    "wrong aperture": (_header("APERTURE", "XYZ"), 16, ""),
    "outputs exist": (_existing, None, "RuntimeError"),
    "lamp template missing": (_table("LAMPTAB", _without_mode), 16, ""),
    "profile missing": (_table("PROFTAB", _without_mode), 16, ""),
    "dispersion truncated": (_table("DISPTAB", _cut), None, "IndexError"),
}


@pytest.fixture
def spoiled(
    small_files: dict[str, Path], references: ReferenceFolder, tmp_path: Path
) -> Callable[[Break], tuple[Path, Path]]:
    """Maker of raw files and references with something wrong, plain."""

    def make(spoil: Break) -> tuple[Path, Path]:
        raw, lref = tmp_path / "raw", tmp_path / "lref"
        raw.mkdir()
        stage(small_files, raw)
        exposures = read_exposures(raw)
        references.link(references.resolve(exposures), lref)
        fix_seed(exposures[0].path, 1)
        spoil(raw, lref)
        return raw, lref

    return make


@pytest.mark.parametrize("name", CASES)
def test_failure(name: str, spoiled: Callable[[Break], tuple[Path, Path]], tmp_path: Path) -> None:
    spoil, status, error_type = CASES[name]
    raw, lref = spoiled(spoil)
    plain, plain_log, plain_files = run(
        raw, lref, tmp_path / "plain" / "out", without=frozenset(NAMES)
    )
    fast, fast_log, fast_files = run(raw, lref, tmp_path / "fast" / "out")
    assert (plain.status, plain.error_type) == (status, error_type)
    assert (fast.status, fast.error_type, fast.error) == (
        plain.status,
        plain.error_type,
        plain.error,
    )
    assert fast_log == plain_log
    assert fast_files == plain_files
