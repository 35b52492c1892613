"""Replacements apply to the CalCOS they were written against, and to no other."""

import sys
from types import ModuleType
from typing import Any

import pytest

from services.calibrator.acceleration import NAMES, left_out
from services.calibrator.acceleration.registry import (
    Change,
    Replacement,
    prepare,
    rewritten,
    source_hash,
)
from services.calibrator.acceleration.replacements import ALL


@pytest.fixture
def subject(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Make a module of its own, so that nothing else sees what is installed."""
    module = ModuleType("accelerated_subject")
    module.__dict__.update(double=_double, triple=_triple)
    monkeypatch.setitem(sys.modules, "accelerated_subject", module)
    return module


def _double(value: int) -> int:
    return value + value


def _triple(value: int) -> int:
    result = 0
    for _ in range(3):
        result += value
    return result


def _make(original: Any) -> Any:
    return lambda value: ("fast", original(value))


def _replacement(name: str, function: str, sha256: str, **more: Any) -> Replacement:
    return Replacement(name, [Change(f"accelerated_subject:{function}", sha256, _make)], **more)


def test_a_fitting_replacement_is_applied(subject: ModuleType) -> None:
    prepared = prepare([_replacement("doubling", "double", source_hash(_double))])
    assert subject.__dict__["double"] is _double
    assert prepared.install() == {"doubling": "PERFORM"}
    stand_in: Any = subject.__dict__["double"]
    assert stand_in(2) == ("fast", 4)
    assert stand_in.__wrapped__ is _double


@pytest.mark.parametrize(
    ("replacement", "reason"),
    [
        (_replacement("a", "double", "0" * 64), "not the version"),
        (_replacement("a", "nothing", "0" * 64), "not there"),
        (
            _replacement(
                "a", "double", source_hash(_double), relies_on={"accelerated_subject:triple": "0"}
            ),
            "triple",
        ),
        (_replacement("a", "double", source_hash(_double), probe=lambda: False), "compiled"),
    ],
)
def test_what_does_not_fit_is_refused(
    subject: ModuleType, replacement: Replacement, reason: str
) -> None:
    prepared = prepare([replacement])
    state = prepared.install()["a"]
    assert state.startswith("SKIPPED: ")
    assert reason in state
    assert subject.double(2) == 4
    assert prepared.install({"a"}) == {"a": "OMIT"}


def test_switched_off(subject: ModuleType) -> None:
    prepared = prepare([_replacement("doubling", "double", source_hash(_double))])
    assert prepared.install({"doubling"}) == {"doubling": "OMIT"}
    assert subject.double(2) == 4


def test_choice() -> None:
    assert left_out(True, "") == frozenset()
    assert left_out(True, " images, two_zone") == {"images", "two_zone"}
    assert left_out(False, "images") == set(NAMES)
    with pytest.raises(ValueError, match=r"ACCELERATION_WITHOUT: .*speeed; there are .*images"):
        left_out(True, "speeed")


def test_passages_are_exchanged() -> None:
    function = rewritten(
        _triple,
        [(("    for _", "+= value\n"), "    result = _accelerated_times(value, 3)\n")],
        times=pow,
    )
    assert function(2) == 8


@pytest.mark.parametrize("passage", ["value", "no such text"])
def test_a_passage_must_be_there_once(passage: str) -> None:
    with pytest.raises(ValueError, match="exactly once"):
        rewritten(_triple, [(passage, "")])


def test_every_replacement_fits_the_locked_calcos() -> None:
    assert [(replacement.name, replacement.mismatch()) for replacement in ALL] == [
        (name, "") for name in NAMES
    ]


@pytest.mark.parametrize(("value", "expected"), [(2, 8), (20, 60)])
def test_a_passage_stays_where_its_condition_is_false(value: int, expected: int) -> None:
    passage = ("    for _", "+= value\n")
    function = rewritten(
        _triple, [(passage, "    result = _accelerated_times(value, 3)\n", "value < 10")], times=pow
    )
    assert function(value) == expected
