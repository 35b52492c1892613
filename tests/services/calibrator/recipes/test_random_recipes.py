"""Random recipes through CalCOS: each is refused with a reason, or its products are complete and say what it says.

COSMO_TEST_RECIPES is how many are run; continuous integration runs a few.
"""

import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from services.calibrator.calibrate import CalibrationResult
from services.calibrator.recipes.changes import HeaderEdit, SubExposure
from services.calibrator.references import ReferenceFolder
from shared.cos.references import FILETYPES
from shared.cos.switches import SWITCHES
from shared.errors import PermanentError, UnsupportedError
from shared.recipes import parse_recipe
from tests.services.calibrator.recipes.running import recalibrate, simulated, small_visit

pytestmark = pytest.mark.e2e

COUNT = int(os.environ.get("COSMO_TEST_RECIPES", "4"))


@dataclass(frozen=True)
class Bench:
    """A small visit that recipes are tried on."""

    raw: dict[str, Path]
    references: ReferenceFolder
    label: str
    rootnames: tuple[str, ...]
    files: dict[str, str]


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> list[Bench]:
    """Visits of both detectors."""
    found = []
    for name in ("NUV G230L/2950 TAGFLASH", "FUV G140L/1105 LP2, segment A only"):
        case = small_visit(name)
        folder = tmp_path_factory.mktemp("bench")
        raw, references, label = simulated(case, folder)
        header = fits.getheader(next(path for name, path in raw.items() if "rawtag" in name))
        files = {keyword: str(header.get(keyword, "N/A")).removeprefix("lref$") for keyword in FILETYPES}
        found.append(Bench(raw, references, label, tuple(member.rootname for member in case.members), files))
    return found


def _edits(chance: random.Random, bench: Bench) -> dict[str, Any]:
    keywords: dict[str, Any] = {
        "XTRCTALG": chance.choice(["BOXCAR", "TWOZONE"]),
        "RANDSEED": chance.randint(0, 99),
        "STATFLAG": chance.random() < 0.5,
        "SDQFLAGS": chance.choice([0, 8, 184, 8346, 32767]),
        "SP_SET_A": chance.uniform(-6, 6),
    }
    switches = {name: chance.choice(["PERFORM", "OMIT", "OMIT"]) for name in SWITCHES if name != "STATFLAG"}
    references = {name: chance.choice([file, file, "N/A", "nosuch_file.fits"]) for name, file in bench.files.items()}
    references["FLATFILE"] = chance.choice(list(bench.files.values()))

    def some(part: dict[str, Any], most: int) -> dict[str, Any]:
        return {name: part[name] for name in chance.sample(sorted(part), min(len(part), chance.randint(0, most)))}

    named = some(references, 2) if chance.random() < 0.3 else {}
    return {"keywords": some(keywords, 2), "switches": some(switches, 3), "references": named}


def _extraction(chance: random.Random) -> dict[str, Any]:
    zones = [chance.uniform(0, 1) for _ in range(4)]
    zones = zones if chance.random() < 0.1 else sorted(zones)
    names = ("LOWER_OUTER", "LOWER_INNER", "UPPER_INNER", "UPPER_OUTER")
    twozone: dict[str, Any] = {"HEIGHT": chance.randint(5, 80), **dict(zip(names, zones, strict=True))}
    boxcar = {"HEIGHT": chance.randrange(1, 80, 2), "B_BKG1": chance.uniform(0, 1023), "SLOPE": chance.gauss(0, 1e-4)}
    return chance.choice([{"twozone": {"all": twozone}}, {"boxcar": {"all": boxcar}}])


def random_recipe(chance: random.Random, bench: Bench) -> dict[str, Any]:
    """Recipe as somebody might write it: mostly possible."""
    first = bench.rootnames[0]
    side = "_a" if any("rawtag_a" in name for name in bench.raw) else ""
    parts = {
        "exposures": {first: _edits(chance, bench)},
        "options": chance.choice(
            [
                {"create_csum_image": True, "binx": chance.choice([1, 4]), "biny": 4},
                {"only_csum": True},
                {"find_target": {"flag": True, "cutoff": chance.uniform(0, 5)}},
                {"shift_file": ["any any any any 3.0"]},
                {"save_temp_files": True, "verbosity": chance.choice([0, 1, 2])},
                {"stimfile": True, "livetimefile": True, "burstfile": True},
            ]
        ),
        "members": chance.choice(
            [
                *3 * ({"drop": [first]}, {"only": first}, {"file": f"{first}_rawtag{side}.fits"}),
                {"wavecals": ["lzzz01zzq"]},
            ]
        ),
        "extraction": _extraction(chance),
        "sub_exposures": chance.choice(
            [
                {"every": chance.uniform(15, 90)},
                {"times": sorted([chance.uniform(0, 80), chance.uniform(0, 80)])},
                {"pulse_heights": [[4, 11], [12, 20]]},
                {"orbit": ["day", "night"]},
            ]
        ),
    }
    return _edits(chance, bench) | {name: part for name, part in parts.items() if chance.random() < 0.25}


def check(bench: Bench, recipe: dict[str, Any], result: CalibrationResult, products: Path) -> None:
    """Check that what is there is what was asked for."""
    names = {product.name.removesuffix(".gz") for product in (*result.products, *result.extras)}
    assert names == {path.name.removesuffix(".gz") for path in products.iterdir()}
    members = recipe.get("members", {})
    single = members.get("only") or members.get("file", "")[:9]
    kept = {single} if single else set(bench.rootnames) - set(members.get("drop", ()))
    made = {name[:9] for name in names if "corrtag" in name}
    assert made == (set() if recipe.get("options", {}).get("only_csum") else kept)
    values = {(item.file[:9], item.keyword): item.new for item in result.changes if isinstance(item, HeaderEdit)}
    for root in made:
        (path,) = products.glob(f"{root}_corrtag*.fits.gz")
        header = fits.getheader(path)
        for (owner, keyword), value in values.items():
            if owner == root and keyword in SWITCHES and value == "OMIT":
                assert str(header[keyword]).strip() in ("OMIT", "SKIPPED"), (root, keyword, header[keyword])
            if owner == root and keyword in FILETYPES:
                assert header[keyword] == value
    parts = [item.file for item in result.changes if isinstance(item, SubExposure)]
    empty = [text for text in result.warnings if "it has no events" in text]
    assert sum(f"{part}_x1d.fits" in names for part in parts) == len(parts) - len(empty)
    assert (f"{bench.label}_lightcurve.fits" in names) == bool(parts)
    assert f"{bench.label}_export.tar" in names


def test_a_thousand_are_read_whole_or_refused_with_a_reason() -> None:
    files = {keyword: f"a{number:02d}_{keyword.lower()}.fits" for number, keyword in enumerate(FILETYPES)}
    raw = {"lrnd01a1q_rawtag_a.fits": Path()}
    bench = Bench(raw, ReferenceFolder(None, Path(), "3.6.2"), "lrnd01010", ("lrnd01a1q", "lrnd01a2q"), files)
    taken = 0
    for number in range(1000):
        document = random_recipe(random.Random(number), bench)
        try:
            recipe = parse_recipe(document)
        except PermanentError as error:
            assert len(str(error)) > 30  # noqa: PT017 - a reason, not a type
            continue
        taken += 1
        assert parse_recipe(recipe.canonical()) == recipe
    assert 400 < taken < 1000


def test_each_is_refused_with_a_reason_or_complete(benches: list[Bench], tmp_path: Path) -> None:
    done, refused, late = 0, [], []
    for number in range(COUNT):
        chance = random.Random(number)
        bench = benches[number % len(benches)]
        recipe = random_recipe(chance, bench)
        folder = tmp_path / str(number)
        try:
            result, products = recalibrate(recipe, bench.raw, bench.references, bench.label, folder)
        except (PermanentError, UnsupportedError) as error:
            refused.append(f"{number}: {error}")
            if "CalCOS" in str(error).split("\n")[0] and hasattr(error, "calibration"):
                late.append(f"{number}: {recipe}\n{error}")
            continue
        check(bench, recipe, result, products)
        shutil.rmtree(folder)
        done += 1
    print(f"{done} done, {len(refused)} refused, {len(late)} of them by CalCOS itself", *refused, sep="\n")  # noqa: T201
    assert all(len(reason) > 30 for reason in refused)
    assert late == [], "\n".join(late)
    assert done > COUNT // 6
