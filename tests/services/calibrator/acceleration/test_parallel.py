"""Exposures calibrated side by side: the bytes, the log and the errors of plain CalCOS."""

import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from calcos.calcos import EXP_SCIENCE

from services.calibrator.acceleration import NAMES
from services.calibrator.acceleration.parallel import _independent, _portable
from services.calibrator.run.headers import read_exposures
from services.calibrator.run.references import ReferenceFolder
from services.calibrator.run.workspace import fix_seed, stage
from tests.services.calibrator.acceleration.conftest import run


@pytest.fixture
def pair(
    association_files: dict[str, Path], references: ReferenceFolder, tmp_path: Path
) -> tuple[Path, Path]:
    """Raw files of the first two exposures of the real association, and their references."""
    raw, lref = tmp_path / "raw", tmp_path / "lref"
    raw.mkdir()
    stage(
        {
            name: path
            for name, path in association_files.items()
            if name[6:9] in ("010", "vnq", "vpq")
        },
        raw,
    )
    with fits.open(raw / "ldfd01010_asn.fits", mode="update") as hdus:
        hdus["ASN"].data = hdus["ASN"].data[[0, 1, 4]]
    exposures = read_exposures(raw)
    assert len(exposures) == 2
    for exposure in exposures:
        fix_seed(exposure.path, 1)
    references.link(references.resolve(exposures), lref)
    return raw, lref


@pytest.mark.e2e
def test_same_bytes_and_log_as_plain(pair: tuple[Path, Path], tmp_path: Path) -> None:
    plain, plain_log, plain_files = run(*pair, tmp_path / "plain" / "out", without=frozenset(NAMES))
    fast, fast_log, fast_files = run(*pair, tmp_path / "fast" / "out", processes=2)
    assert (plain.status, fast.status) == (0, 0)
    assert len(plain_files) >= 12
    assert fast_files == plain_files
    assert fast_log == plain_log
    assert fast.cpu_seconds < plain.cpu_seconds / 2.5
    assert fast.peak_rss_mb < plain.peak_rss_mb / 1.5


@pytest.mark.e2e
def test_same_error_as_one_after_the_other(pair: tuple[Path, Path], tmp_path: Path) -> None:
    raw, _ = pair
    with fits.open(raw / "ldfd01vnq_rawtag_a.fits", mode="update") as hdus:
        hdus["EVENTS"].data["TIME"][-5:] = np.nan
    with fits.open(raw / "ldfd01vpq_rawtag_a.fits", mode="update") as hdus:
        del hdus[1].header["CORNER0X"]
    one, one_log, _ = run(*pair, tmp_path / "one" / "out")
    both, both_log, _ = run(*pair, tmp_path / "both" / "out", processes=2)
    assert (one.status, one.error_type) == (None, "ValueError")
    assert (both.status, both.error_type, both.error) == (one.status, one.error_type, one.error)
    assert both_log == one_log


class OddError(Exception):
    """What pickling does not make again from its arguments."""

    def __init__(self, name: str, place: int) -> None:
        super().__init__(f"{name} at {place}")
        self.place = place


class ClosedError(Exception):
    """What no process can hand on."""

    def __init__(self) -> None:
        super().__init__("shut")
        self.hold = lambda: None


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        KeyError("x"),
        OddError("tab", 4),
        UnicodeDecodeError("ascii", b"\xff", 0, 1, "no"),
    ],
)
def test_errors_keep_their_kind_on_the_way(error: Exception) -> None:
    found = pickle.loads(pickle.dumps(_portable(error)))
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert vars(found) == vars(error)


def test_an_error_that_cannot_travel_keeps_its_text() -> None:
    assert repr(_portable(ClosedError())) == "RuntimeError('ClosedError: shut')"


@pytest.mark.parametrize(
    ("members", "arguments", "groups"),
    [
        (["a", "b"], {}, [[0], [1]]),
        (["a", "a"], {}, []),
        (["a", "b"], {"livetimefile": "live.txt"}, []),
        (["a", "b"], {"stimfile": "stim.txt"}, []),
        (["a", "b"], {"burstfile": "burst.txt"}, []),
    ],
)
def test_what_one_process_does(
    members: list[str], arguments: dict[str, str], groups: list[list[int]]
) -> None:
    exposures = [
        SimpleNamespace(
            input=name, exp_type=EXP_SCIENCE, info={"segment": "N/A"}, filenames={"root": name}
        )
        for name in members
    ]
    no_files = {"stimfile": None, "livetimefile": None, "burstfile": None}
    association = SimpleNamespace(
        obs=exposures, asn_info={"memtype": ["EXP-FP"] * 2}, cl_args={**no_files, **arguments}
    )
    assert _independent(SimpleNamespace(assoc=association)) == groups
