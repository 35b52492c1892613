"""What the property tests of the replacements share."""

import asyncio
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.calibrator.acceleration.registry import Replacement, find
from services.calibrator.calcos.contract import ChildRun, RunResult
from services.calibrator.calcos.process import Child

Function = Callable[..., Any]


def pair(replacement: Replacement, name: str) -> tuple[Function, Function]:
    """Return the original function of CalCOS, and what stands in for it, without installing it."""
    for change in replacement.changes:
        if change.where.endswith((f":{name}", f".{name}")):
            original = find(change.where)
            return original, change.make(original)
    raise AssertionError(f"{replacement.name} does not replace {name}")


def same_bits(one: Any, other: Any) -> bool:
    """Return whether two results have the same type, shape and bytes."""
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(
            same_bits(*both) for both in zip(one, other, strict=True)
        )
    one, other = np.asarray(one), np.asarray(other)
    return bool(
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )


@pytest.fixture(params=range(5))
def random(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers, of a few fixed seeds."""
    return np.random.default_rng(request.param)


def run(
    raw: Path,
    lref: Path,
    outdir: Path,
    without: frozenset[str] = frozenset(),
    processes: int = 1,
    images: bool = True,
) -> tuple[RunResult, str, dict[str, str]]:
    """Run CalCOS on the association in `raw`.

    Returns
    -------
    tuple
        How it ended; what it and its trailers say, but for times and what follows a traceback;
        checksums of the FITS files that it left.
    """
    outdir.mkdir(parents=True)
    if (left := raw.parent / "left").exists():
        (outdir / left.read_text()).touch()

    async def wait() -> RunResult:
        child = Child(
            ChildRun(
                raw / "ldfd01010_asn.fits", outdir, lref, 8192, 300.0, without, processes, images
            )
        )
        await child.wait()
        return child.end()

    result = asyncio.run(wait())
    trailers = [path.read_text() for path in sorted(outdir.glob("*.tra"))]
    said = "\n".join([result.log.partition("Traceback")[0], *trailers]).replace(
        str(outdir), "outdir"
    )
    timeless = re.sub(r"(Begin|End|elapsed time|\d\d-\w{3}-\d{4}) .*", r"\1", said)
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in outdir.glob("*.fits")
    }
    return result, timeless, files
