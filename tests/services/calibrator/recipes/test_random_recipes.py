"""Random recipes through CalCOS.

Each is refused with a reason, or its products are complete and say what it says.

COSMO_TEST_RECIPES is how many are run, or which (``500-999``); continuous integration runs a few.
COSMO_TEST_RECIPES_LOG names a file that gets a line of JSON for each; those that are in it already
are not run again, so that a run of many can be stopped and gone on with.
"""

import json
import os
import random
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from services.calibrator.recipes.edits.changes import HeaderEdit, SubExposure
from services.calibrator.run.calibrate import CalibrationResult
from shared.cos.references import FILETYPES
from shared.cos.switches import SWITCHES
from shared.errors import PermanentError, UnsupportedError
from shared.recipes import parse_recipe
from tests.services.calibrator.recipes.benches import (
    REAL,
    TURNS,
    Bench,
    Mode,
    real_bench,
    simulated_bench,
)
from tests.services.calibrator.recipes.random_recipes import random_recipe
from tests.services.calibrator.recipes.running import recalibrate

pytestmark = pytest.mark.e2e

Benches = Callable[[int], Bench]
_UNFORESEEABLE = (
    "none of them has events",
    "reaches beyond the detector, where the wavecal",
    "nothing is left to be summed",
    "TRCECORR has no trace there",
)
"""Reasons that show only when the events are calibrated."""


def _numbers() -> range:
    first, _, last = os.environ.get("COSMO_TEST_RECIPES", "41-42").partition("-")
    return range(int(first), int(last) + 1) if last else range(int(first))


@pytest.fixture(scope="module")
def benches(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Benches:
    """Visit of the recipe of a number; made when it is first asked for."""
    made: dict[str, Bench] = {}

    def bench(number: int) -> Bench:
        name = TURNS[number // 2 % len(TURNS)]
        if name not in made:
            folder = tmp_path_factory.mktemp("bench")
            if name == REAL:
                files, references = (
                    request.getfixturevalue(fixture) for fixture in ("small_files", "references")
                )
                made[name] = real_bench(files, references, folder)
            else:
                made[name] = simulated_bench(name, folder)
        return made[name]

    return bench


def _inputs(bench: Bench, recipe: dict[str, Any]) -> dict[str, Path]:
    """Return the files that the service would give to a run."""
    members = recipe.get("members", {})
    lamp = (
        bench.lamp
        if any(name.startswith(tuple(members.get("wavecals", ["-"]))) for name in bench.lamp)
        else {}
    )
    calibrated = members.get("file", "")
    return (
        bench.raw
        | lamp
        | ({calibrated: bench.corrtags[calibrated]} if calibrated in bench.corrtags else {})
    )


def _segment(name: str) -> tuple[str, str]:
    """Return the rootname of a raw or corrtag file, and its segment: a, b, or nothing."""
    stem = name.removesuffix(".gz").removesuffix(".fits")
    return name[:9], stem[-1] if stem.endswith(("_a", "_b")) else ""


def check(bench: Bench, recipe: dict[str, Any], result: CalibrationResult, products: Path) -> None:
    """Check that what is there is what was asked for."""
    names = {product.name.removesuffix(".gz") for product in (*result.products, *result.extras)}
    assert names == {path.name.removesuffix(".gz") for path in products.iterdir()}
    members = recipe.get("members", {})
    single = members.get("only") or members.get("file", "")[:9]
    kept = {single} if single else set(bench.mode.rootnames) - set(members.get("drop", ()))
    kept |= set(members.get("wavecals", ()))
    made = {name[:9] for name in names if "corrtag" in name and "_s0" not in name}
    # With only_csum CalCOS writes the events of exposures that have wavecals, and no others.
    assert made <= kept if recipe.get("options", {}).get("only_csum") else made == kept
    values = {
        (_segment(item.file), item.keyword): item.new
        for item in result.changes
        if isinstance(item, HeaderEdit)
    }
    for root in made:
        for path in products.glob(f"{root}_corrtag*.fits.gz"):
            header = fits.getheader(path)
            for (owner, keyword), value in values.items():
                told = any(f"{keyword} is OMIT in {root}" in text for text in result.warnings)
                if (
                    owner == _segment(path.name)
                    and keyword in SWITCHES
                    and value == "OMIT"
                    and not told
                ):
                    assert str(header[keyword]).strip() in ("OMIT", "SKIPPED"), (
                        root,
                        keyword,
                        header[keyword],
                    )
                if owner == _segment(path.name) and keyword in (*FILETYPES, "RANDSEED", "XTRCTALG"):
                    assert header[keyword] == value, (root, keyword)
    parts = [item.file for item in result.changes if isinstance(item, SubExposure)]
    empty = [text for text in result.warnings if "it has no events" in text]
    assert sum(f"{part}_x1d.fits" in names for part in parts) == len(parts) - len(empty)
    assert (f"{bench.label}_lightcurve.fits" in names) == bool(parts)
    assert f"{bench.label}_export.tar" in names


def _try(bench: Bench, recipe: dict[str, Any], folder: Path) -> tuple[str, str]:
    """Run a recipe; returns what became of it, and why."""
    started: list[CalibrationResult] = []
    try:
        inputs = _inputs(bench, recipe)
        result, products = recalibrate(
            recipe, inputs, bench.references, bench.label, folder, started.append
        )
        check(bench, recipe, result, products)
    except (PermanentError, UnsupportedError) as error:
        reason = str(error)
        if len(reason) < 30:
            return "failed", f"no reason: {reason}"
        if not started:
            return "refused", reason
        return "late" if any(text in reason for text in _UNFORESEEABLE) else "failed", reason
    except Exception:  # noqa: BLE001 - the others are run all the same
        return "failed", traceback.format_exc(limit=-3)
    return "done", ""


def test_a_thousand_are_read_whole_or_refused_with_a_reason() -> None:
    files = {
        keyword: f"a{number:02d}_{keyword.lower()}.fits" for number, keyword in enumerate(FILETYPES)
    }
    raw = tuple(
        f"{root}_rawtag_{side}.fits" for root in ("lrnd01a1q", "lrnd01a2q") for side in "ab"
    )
    mode = Mode(("lrnd01a1q", "lrnd01a2q"), (), ("FUVA", "FUVB"), "TWOZONE", 60.0, raw, files)
    taken = 0
    for number in range(1000):
        document = random_recipe(random.Random(number), mode)
        try:
            recipe = parse_recipe(document)
        except PermanentError as error:
            assert len(str(error)) > 30  # noqa: PT017 - a reason, not a type
            continue
        taken += 1
        assert parse_recipe(recipe.canonical()) == recipe
    assert 400 < taken < 1000


def test_each_is_refused_with_a_reason_or_complete(benches: Benches, tmp_path: Path) -> None:
    log = Path(os.environ.get("COSMO_TEST_RECIPES_LOG", tmp_path / "recipes.jsonl"))
    lines = log.read_text().splitlines() if log.exists() else []
    found = {line["number"]: line for line in map(json.loads, lines)}
    for number in _numbers():
        if number in found:
            continue
        bench, started = benches(number), time.monotonic()
        recipe = random_recipe(random.Random(number), bench.mode)
        outcome, reason = _try(bench, recipe, tmp_path / str(number))
        shutil.rmtree(tmp_path / str(number), ignore_errors=True)
        found[number] = {"number": number, "outcome": outcome, "reason": reason, "recipe": recipe}
        found[number]["seconds"] = round(time.monotonic() - started, 2)
        with log.open("a") as stream:
            stream.write(f"{json.dumps(found[number])}\n")
    told = [found[number] for number in _numbers()]
    counts = Counter(line["outcome"] for line in told)
    print(dict(counts), *(f"{line['number']}: {line['reason']}" for line in told), sep="\n")  # noqa: T201
    assert [line for line in told if line["outcome"] == "failed"] == []
    assert counts["done"] > len(told) // 5
