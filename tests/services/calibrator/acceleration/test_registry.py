"""Replacements apply to the CalCOS they were written against, and to no other."""

import sys
from types import ModuleType
from typing import Any

import pytest

from services.calibrator.acceleration.registry import Change, Replacement, install_all, rewritten, source_hash
from services.calibrator.acceleration.replacements import ALL, NAMES, install


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
    done = install_all([_replacement("doubling", "double", source_hash(_double))])
    assert done.active == ("doubling",)
    assert subject.double(2) == ("fast", 4)
    assert subject.double.__wrapped__ is _double


@pytest.mark.parametrize(
    ("replacement", "reason"),
    [
        (_replacement("a", "double", "0" * 64), "not the version"),
        (_replacement("a", "nothing", "0" * 64), "not there"),
        (_replacement("a", "double", source_hash(_double), relies_on={"accelerated_subject:triple": "0"}), "triple"),
        (_replacement("a", "double", source_hash(_double), probe=lambda: False), "compiled"),
    ],
)
def test_what_does_not_fit_is_refused(
    subject: ModuleType, replacement: Replacement, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    done = install_all([replacement])
    assert done.active == ()
    assert reason in done.refused["a"]
    assert reason in caplog.text
    assert subject.double(2) == 4


def test_switched_off(subject: ModuleType) -> None:
    done = install_all([_replacement("doubling", "double", source_hash(_double))], ["doubling"])
    assert (done.active, done.disabled) == ((), ("doubling",))
    assert subject.double(2) == 4


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"speeed; there are .*images"):
        install(["speeed"])


def test_passages_are_exchanged() -> None:
    function = rewritten(
        _triple, [(("    for _", "+= value\n"), "    result = _accelerated_times(value, 3)\n")], times=pow
    )
    assert function(2) == 8


@pytest.mark.parametrize("passage", ["value", "no such text"])
def test_a_passage_must_be_there_once(passage: str) -> None:
    with pytest.raises(ValueError, match="exactly once"):
        rewritten(_triple, [(passage, "")])


def test_every_replacement_fits_the_locked_calcos() -> None:
    assert {replacement.name: replacement.mismatch() for replacement in ALL} == dict.fromkeys(NAMES, "")
