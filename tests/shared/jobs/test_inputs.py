"""Inputs of the stages: which change makes a result another one."""

from typing import Any

import pytest

from shared.jobs.inputs import calibration_inputs, fetch_inputs, recalibration_inputs
from shared.jobs.routing import fingerprint

_FILES = {"ldfd01vnq_rawtag_a.fits": "aa", "ldfd01vnq_jit.fits": "bb"}


def _calibration(**changed: Any) -> str:
    inputs = {
        "files": _FILES,
        "accepted_missing": [],
        "references": {"x_flat.fits": "cc"},
        "calcos": "3.6.2",
        "randseed": 1,
    }
    return fingerprint(calibration_inputs(**{**inputs, **changed}))


@pytest.mark.parametrize(
    "changed",
    [
        {"files": {**_FILES, "ldfd01vnq_rawtag_a.fits": "other"}},
        {"accepted_missing": ["ldfd01vnq_rawtag_b.fits"]},
        {"references": {"x_flat.fits": "other"}},
        {"calcos": "3.7.0"},
        {"calcos": None},
        {"randseed": 2},
    ],
)
def test_a_calibration_depends_on(changed: dict[str, Any]) -> None:
    assert _calibration(**changed) != _calibration()


def test_a_calibration_does_not_depend_on_jitter_files() -> None:
    assert _calibration(files={**_FILES, "ldfd01vnq_jit.fits": "other"}) == _calibration()


def test_a_recalibration_depends_on_the_calcos_of_now() -> None:
    default = calibration_inputs(_FILES, [], {}, calcos="3.6.2", randseed=1)

    def recalibration(calcos: str | None) -> str:
        added: dict[str, Any] = {"wavecals": {}, "events": {}, "recipe": {}, "dry_run": False}
        return fingerprint(recalibration_inputs(default, calcos=calcos, **added))

    assert recalibration("3.7.0") != recalibration("3.6.2") == recalibration(None)


def test_fingerprints_of_earlier_work_stay() -> None:
    """Data folders keep them: another one would do all work again."""
    fetch = fetch_inputs({"ldfd01vnq_rawtag_a": "1"}, [], {"x_flat.fits": None})
    assert fetch == {
        "files": {"ldfd01vnq_rawtag_a": "1"},
        "accepted_missing": [],
        "references": {"x_flat.fits": None},
    }
    calibration = calibration_inputs(_FILES, [], {}, calcos="3.6.2", randseed=1)
    assert calibration == {
        "inputs": {"ldfd01vnq_rawtag_a.fits": "aa"},
        "accepted_missing": [],
        "references": {},
        "calcos": "3.6.2",
        "randseed": 1,
    }
    recalibration = recalibration_inputs(
        calibration, calcos="3.6.2", wavecals={}, events={}, recipe={"set": {}}, dry_run=False
    )
    assert recalibration == {
        "default": calibration,
        "wavecals": {},
        "events": {},
        "recipe": {"set": {}},
        "dry_run": False,
    }
