"""What the property tests of the replacements share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from services.calibrator.acceleration.registry import Replacement, find

Function = Callable[..., Any]


def pair(replacement: Replacement, name: str) -> tuple[Function, Function]:
    """Original function of CalCOS, and what stands in for it, without installing it."""
    for change in replacement.changes:
        if change.where.endswith((f":{name}", f".{name}")):
            original = find(change.where)
            return original, change.make(original)
    raise AssertionError(f"{replacement.name} does not replace {name}")


def same_bits(one: Any, other: Any) -> bool:
    """Whether two results have the same type, shape and bytes."""
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(same_bits(*both) for both in zip(one, other, strict=True))
    one, other = np.asarray(one), np.asarray(other)
    return bool(one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes())


@pytest.fixture(params=range(5))
def random(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers, of a few fixed seeds."""
    return np.random.default_rng(request.param)
