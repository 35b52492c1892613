"""Members, options and times of a recipe, through the real CalCOS on an NUV visit."""

import gzip
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.run.calibrate import CalibrationResult
from shared.errors import PermanentError
from shared.recipes import parse_recipe
from simulator.instrument import nuv
from simulator.instrument.modes import setting
from simulator.plan import ExposurePlan
from simulator.verify.cases import CASES, Case
from tests.services.calibrator.recipes.running import recalibrate, simulated
from tests.services.calibrator.recipes.visits import (
    BAD_TIME,
    FIRST,
    SECOND,
    Visit,
    events,
    header,
    nuv_visit,
    spectra,
)

pytestmark = pytest.mark.e2e

LAMP = "lrnd02a1q"
STRIPES = ("NUVA", "NUVB", "NUVC")
SPECTRUM = ("WAVELENGTH", "FLUX", "ERROR", "GCOUNTS", "NET", "BACKGROUND", "DQ")
Run = Callable[[Any, str], tuple[CalibrationResult, Path]]


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return nuv_visit(tmp_path_factory.mktemp("visit"))


@pytest.fixture(scope="module")
def default(
    visit: Visit, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CalibrationResult, Path]:
    return recalibrate(
        {}, dict(visit.raw), visit.references, visit.label, tmp_path_factory.mktemp("default")
    )


def same_spectra(one: Path, other: Path, file: str) -> bool:
    first, second = spectra(one, file), spectra(other, file)
    return all(
        np.array_equal(first[stripe][column], second[stripe][column])
        for stripe in STRIPES
        for column in SPECTRUM
    )


def test_a_dropped_exposure_takes_its_time_with_it(
    visit: Visit, default: tuple[CalibrationResult, Path], tmp_path: Path
) -> None:
    recipe = {"members": {"drop": [SECOND]}, "options": {"verbosity": 0}}
    result, products = recalibrate(recipe, dict(visit.raw), visit.references, visit.label, tmp_path)
    whole, before = default
    assert not list(products.glob(f"{SECOND}*"))
    assert same_spectra(before, products, f"{FIRST}_x1d")
    both, alone = (spectra(folder, f"{visit.label}_x1dsum") for folder in (before, products))
    for stripe in STRIPES:
        assert (both[stripe]["EXPTIME"], alone[stripe]["EXPTIME"]) == pytest.approx(
            (100.0, 50.0), abs=0.1
        )
        good = (both[stripe]["DQ_WGT"] > 1) & (alone[stripe]["DQ_WGT"] > 0)
        flux = [row[stripe]["FLUX"][good].mean() for row in (both, alone)]
        assert flux[1] / flux[0] == pytest.approx(1.0, abs=0.02)
        counts = [row[stripe]["GCOUNTS"][good].sum() for row in (both, alone)]
        assert counts[1] / counts[0] == pytest.approx(0.5, abs=0.01)
    place = "Spectrum will be extracted at y"  # which CalCOS tells from verbosity 1 on
    assert (place in whole.trailer, place in result.trailer) == (True, False)


def test_one_exposure_alone_with_a_binned_sum_and_its_live_time(
    visit: Visit, default: tuple[CalibrationResult, Path], tmp_path: Path
) -> None:
    options = {"create_csum_image": True, "binx": 8, "biny": 4}
    recipe = {"members": {"only": FIRST}, "options": options | {"livetimefile": True}}
    products = visit.run(recipe, tmp_path)
    assert not [path for path in products.glob("*.fits.gz") if not path.name.startswith(FIRST)]
    assert same_spectra(default[1], products, f"{FIRST}_x1d")
    table, card = events(products, f"{FIRST}_corrtag"), header(products, f"{FIRST}_corrtag")
    image = fits.getdata(products / f"{FIRST}_csum.fits.gz", 1)
    place = (np.arange(-0.5, 1024.0, 4), np.arange(-0.5, 1024.0, 8))
    expected, _, _ = np.histogram2d(table["YCORR"], table["XCORR"], bins=place)
    assert image.shape == (256, 128)
    # Events count for their dead time in it, which comes before the flat field.
    assert np.allclose(image, expected / card["LIVETM"], rtol=1e-4)
    only = visit.run(
        {"members": {"only": FIRST}, "options": options | {"only_csum": True}}, tmp_path / "only"
    )
    assert np.array_equal(fits.getdata(only / f"{FIRST}_csum.fits.gz", 1), image)
    assert not list(only.glob("*x1d*"))
    text = gzip.decompress((products / f"{visit.label}_livetime.txt.gz").read_bytes()).decode()
    (start, stop, rate, live) = map(
        float, next(line for line in text.splitlines() if line[:1].isdigit()).split()
    )
    assert (start, stop) == pytest.approx((0.0, 60.0), abs=1.0)
    assert rate == pytest.approx(len(table) / 60.0, rel=2e-3)
    assert live == pytest.approx(nuv.live_time(rate), abs=1e-5)


def flashes(products: Path, rootname: str) -> dict[tuple[int, str], float]:
    """Shift along the dispersion by flash, from 1, and stripe."""
    rows = fits.getdata(products / f"{rootname}_lampflash.fits.gz", 1)
    return {
        (n // 3 + 1, str(row["SEGMENT"]).strip()): float(row["SHIFT_DISP"])
        for n, row in enumerate(rows)
    }


def test_a_shift_file_says_which_flash_and_stripe(
    visit: Visit, default: tuple[CalibrationResult, Path], tmp_path: Path
) -> None:
    lines = [f"{FIRST} any 1 NUVA 5.0", f"{FIRST} any any NUVC N/A"]
    products = visit.run(
        {"switches": {"X1DCORR": "OMIT"}, "options": {"shift_file": lines}}, tmp_path
    )
    assert not list(products.glob("*x1d*"))  # that is X1DCORR
    before, after = (flashes(folder, FIRST) for folder in (default[1], products))
    assert before[1, "NUVA"] == pytest.approx(-3.4, abs=0.2)
    assert after == before | {(1, "NUVA"): 5.0}
    assert flashes(products, SECOND) == flashes(default[1], SECOND)
    table, card = events(products, f"{FIRST}_corrtag"), header(products, f"{FIRST}_corrtag")
    near = np.abs(table["YCORR"] - 187) < 8
    medians = [card[f"LMPMED{number}"] for number in (1, 2)]
    expected = np.interp(table["TIME"], medians, [5.0, after[2, "NUVA"]])[
        near & (table["TIME"] > medians[0])
    ]
    moved = (table["XDOPP"] - table["XFULL"])[near & (table["TIME"] > medians[0])]
    assert np.allclose(moved, expected, atol=0.02)
    with pytest.raises(PermanentError, match="takes shift2 for images alone"):
        visit.run(
            {"options": {"shift_file": [f"{FIRST} any any NUVB N/A 2.0"]}}, tmp_path / "refused"
        )


def lamp_of(plan: ExposurePlan, case: Case, by: float, folder: Path) -> dict[str, Path]:
    """Return the wavecal of another dataset, whose shifts along the dispersion are those of the
    case and some pixels more.
    """
    lamp = replace(
        plan,
        rootname=LAMP,
        exptype="WAVECAL",
        aperture="WCA",
        flashes=(),
        association="",
        member_type="",
        target=replace(plan.target, name="WAVE", spectrum=None),
    )
    shifts = {stripe: (along + by, across) for stripe, (along, across) in case.shifts.items()}
    raw, _, _ = simulated(replace(case, members=(lamp,), shifts=shifts), folder)
    return {name: path for name, path in raw.items() if name.startswith(LAMP)}


def test_flashes_go_before_a_wavecal(
    visit: Visit, default: tuple[CalibrationResult, Path], tmp_path: Path
) -> None:
    raw = dict(visit.raw) | lamp_of(visit.case.members[0], visit.case, 6.0, tmp_path / "lamp")
    for path in (
        tmp_path / "lamp" / "references"
    ).iterdir():  # among them a table without bad times
        shutil.copyfile(path, next(iter(visit.raw.values())).parents[1] / "references" / path.name)
    recipe = {"members": {"wavecals": [LAMP], "drop": [SECOND]}}
    result, products = recalibrate(recipe, raw, visit.references, visit.label, tmp_path / "run")
    assert [text for text in result.warnings if "TAGFLASH" in text and "prefers" in text]
    assert header(products, f"{LAMP}_x1d")["SHIFT1B"] == pytest.approx(
        visit.case.shifts["NUVB"][0] + 6.0, abs=0.3
    )
    assert same_spectra(default[1], products, f"{FIRST}_x1d")


def test_wavelengths_follow_the_wavecal_that_is_left(tmp_path: Path) -> None:
    case = CASES["NUV G185M/1921 ACCUM, GO wavecal"]
    raw, references, label = simulated(case, tmp_path / "visit")
    science, own = case.members
    added = lamp_of(own, case, 9.0, tmp_path / "lamp")
    runs = []
    for number, members in enumerate(
        ({"drop": [own.rootname]}, {"drop": [own.rootname], "wavecals": [LAMP]})
    ):
        files = raw | (added if "wavecals" in members else {})
        result, products = recalibrate(
            {"members": members}, files, references, label, tmp_path / str(number)
        )
        table = events(products, f"{science.rootname}_corrtag")
        runs.append((result.warnings, table, spectra(products, f"{science.rootname}_x1d")))
    assert [text for text in runs[0][0] if "keep the nominal zero point" in text]
    for stripe in STRIPES:
        mode = setting("G185M", 1921, stripe)
        near = [np.abs(table["YCORR"] - mode.science_row(1)) < 5 for _, table, _ in runs]
        shifts = [
            np.median((run[1]["XDOPP"] - run[1]["XFULL"])[rows])
            for run, rows in zip(runs, near, strict=True)
        ]
        nominal = mode.fp_shift(science.fpoffset)
        assert shifts == [
            pytest.approx(nominal, abs=0.01),
            pytest.approx(nominal + case.shifts[stripe][0] + 9, abs=0.4),
        ]
        # The spectrum is the same, moved by what the lamp says.
        before, after = (
            rows[stripe]["GCOUNTS"] - rows[stripe]["GCOUNTS"].mean() for _, _, rows in runs
        )
        by = int(np.argmax(np.correlate(before, after, "full"))) - (len(after) - 1)
        assert by == pytest.approx(shifts[1] - shifts[0], abs=1.0)


def test_compressed_sums_are_refused() -> None:
    with pytest.raises(PermanentError, match="compress_csum: CalCOS"):
        parse_recipe({"options": {"create_csum_image": True, "compress_csum": True}})


BOXES = {
    "NUVA": {"B_BKG1": 286.0, "B_BKG2": 900.0, "B_HGT1": 31, "B_HGT2": 11, "BWIDTH": 1},
    "NUVB": {"BHEIGHT": 15, "BWIDTH": 1},
    "NUVC": {"BWIDTH": 400},
}
"""One has a background on a spectrum, one lower ones, one smooths over many columns."""


def test_backgrounds_of_boxes_are_where_they_are_set(
    visit: Visit, default: tuple[CalibrationResult, Path], tmp_path: Path
) -> None:
    recipe = {"extraction": {"boxcar": BOXES}}
    _, products = from_events(visit, default[1], recipe, tmp_path)
    before, after = (spectra(folder, f"{FIRST}_x1d") for folder in (default[1], products))
    card = header(products, f"{FIRST}_x1d")
    heights = [[card[f"B_HGT{number}_{stripe}"] for number in (1, 2)] for stripe in "ABC"]
    assert heights == [[31, 11], [15, 15], [41, 41]]
    with fits.open(products / f"{FIRST}_counts.fits.gz") as hdus:
        rate = hdus["SCI"].data.astype(float)
    for stripe, regions in (
        ("NUVA", ((286.0, 31), (900.0, 11))),
        ("NUVB", ((100.0, 15), (870.0, 15))),
    ):
        columns, found = np.arange(150, 1100), np.zeros(950)
        for row, height in regions:
            middle = np.floor(row - 0.002 * (columns - 100) + 0.5).astype(int)
            found += sum(rate[middle + y, columns] for y in range(-(height // 2), height // 2 + 1))
        expected = found * card["SP_HGT_A"] / sum(height for _, height in regions)
        assert (
            np.abs(expected - after[stripe]["BACKGROUND"][150:1100]).max() < 0.05 * expected.max()
        )
        assert expected.sum() == pytest.approx(
            after[stripe]["BACKGROUND"][150:1100].sum(), rel=0.02
        )
        assert np.array_equal(after[stripe]["GCOUNTS"], before[stripe]["GCOUNTS"])
    assert after["NUVA"]["BACKGROUND"].sum() > 20 * before["NUVA"]["BACKGROUND"].sum()
    rough = [
        np.abs(np.diff(rows["NUVC"]["BACKGROUND"][300:900])).mean() for rows in (before, after)
    ]
    assert 0 < rough[1] < 0.5 * rough[0]
    assert after["NUVC"]["BACKGROUND"].sum() == pytest.approx(
        before["NUVC"]["BACKGROUND"].sum(), rel=0.05
    )


def from_events(
    visit: Visit, default: Path, recipe: Any, folder: Path
) -> tuple[CalibrationResult, Path]:
    """Run a recipe on the calibrated events of the first exposure."""
    name = f"{FIRST}_corrtag.fits"
    raw = dict(visit.raw) | {name: default / f"{name}.gz"}
    return recalibrate(
        {"members": {"file": name}, **recipe}, raw, visit.references, visit.label, folder
    )


def check_parts(default: Path, products: Path, parts: dict[str, tuple[float, float]]) -> Any:
    """Compare the events and times of sub-exposures with those of the whole.

    Returns their light curve.
    """
    table = events(default, f"{FIRST}_corrtag")
    assert {path.name[:14] for path in products.glob("*_s*_corrtag.fits.gz")} == set(parts)
    for name, (start, stop) in parts.items():
        part = events(products, f"{name}_corrtag")
        inside = (table["TIME"] >= start) & (table["TIME"] < stop)
        assert np.array_equal(part["TIME"], table["TIME"][inside])
        assert np.array_equal(part["XFULL"], table["XFULL"][inside])
        lost = max(0.0, min(stop, BAD_TIME[1]) - max(start, BAD_TIME[0]))
        assert header(products, f"{name}_corrtag")["EXPTIME"] == pytest.approx(
            stop - start - lost, abs=0.1
        )
    with fits.open(next(products.glob("*_lightcurve.fits.gz"))) as hdus:
        curve = hdus["LIGHTCURVE"].data.copy()
    row = spectra(default, f"{FIRST}_x1d")["NUVB"]
    rate = row["NET"][row["DQ_WGT"] > 0].sum()
    steady = curve[curve["segment"] == "NUVB"]
    assert sorted(steady["part"]) == sorted(parts)
    assert np.abs((steady["net"] - rate) / steady["net_error"]).max() < 4
    return steady


def test_equal_parts_between_two_times_by_day_and_by_night(
    visit: Visit, default: tuple[CalibrationResult, Path], tmp_path: Path
) -> None:
    division = {"every": 12.0, "start": 10.0, "stop": 46.0, "orbit": ["day", "night"]}
    result, products = from_events(visit, default[1], {"sub_exposures": division}, tmp_path)
    line = fits.getdata(default[1] / f"{FIRST}_corrtag.fits.gz", "TIMELINE")
    (sunset,) = line["TIME"][1:][(line["SUN_ALT"][:-1] >= 0) & (line["SUN_ALT"][1:] < 0)]
    assert 34.0 < sunset < 46.0
    parts = {
        "s001": (10.0, 22.0),
        "s003": (22.0, 34.0),
        "s005": (34.0, sunset),
        "s006": (sunset, 46.0),
    }
    check_parts(default[1], products, {f"{FIRST}_{name}": times for name, times in parts.items()})
    assert len([text for text in result.warnings if "left out" in text]) == 2


def test_intervals_by_the_altitudes_of_sun_and_target(
    visit: Visit, default: tuple[CalibrationResult, Path], tmp_path: Path
) -> None:
    line = fits.getdata(default[1] / f"{FIRST}_corrtag.fits.gz", "TIMELINE")
    sun, target = (
        float(line[name][second]) for name, second in (("SUN_ALT", 40), ("TARGET_ALT", 48))
    )
    rises = bool(line["TARGET_ALT"][-1] > line["TARGET_ALT"][0])
    division = {
        "intervals": [[2.0, 15.0], [31.0, 58.0]],
        "sun_altitude": [[sun, 180.0], [-90.0, sun]],
        "target_altitude": [[-90.0, target], [target, 180.0]],
    }
    result, products = from_events(visit, default[1], {"sub_exposures": division}, tmp_path)
    # Numbers go through the altitudes of the target, then of the Sun, then the intervals.
    (early, late), cut = ((0, 1), 48.0) if rises else ((1, 0), 49.0)
    parts = {
        1 + early: (2.0, 15.0),
        5 + early: (31.0, 41.0),
        7 + early: (41.0, cut),
        7 + late: (cut, 58.0),
    }
    check_parts(
        default[1], products, {f"{FIRST}_s00{number}": times for number, times in parts.items()}
    )
    assert len([text for text in result.warnings if "left out" in text]) == 4
