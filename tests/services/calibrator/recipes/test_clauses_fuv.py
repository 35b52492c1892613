"""What the switches that only the FUV has leave out, one step after the other, through the real
CalCOS.

The raw events and the random numbers are the same in all runs, so events are compared one by one.
"""

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from scipy.stats import norm

from simulator.instrument import fuv
from simulator.instrument.modes import Setting, setting
from simulator.references import writing
from simulator.references.catalogue import Catalogue
from simulator.references.detector import PHA_LIMITS
from tests.services.calibrator.recipes.running import recalibrate, simulated, small_visit
from tests.services.calibrator.recipes.visits import FIRST, Visit, events, header, spectra

pytestmark = pytest.mark.e2e

OUT_OF_LIMITS = 512
"""Flag of pulse heights outside of the limits (COS Data Handbook, table 2.19)."""
DEAD, HOLE = 16, 8192
NAME = f"{FIRST}_corrtag_a"
MODE = setting("G140L", 1105, "FUVA")
ZONES = {
    "LOWER_INNER": 0.3,
    "UPPER_INNER": 0.7,
    "B_SPEC": 465.0,
    "B_BKG2": 496.0,
    "BWIDTH": 1,
    "BHEIGHT": 25,
}
INNER, OUTER = 459.5, 465.0
"""Rows in the inner and the outer zone."""
SPOTS = ((5000, OUTER, DEAD), (8000, OUTER, HOLE), (12000, INNER, HOLE))
"""Column, row and flag of spots that a bad-pixel table is given."""


def omit(*switches: str) -> dict[str, Any]:
    """Return the recipe for events alone, without some of their corrections."""
    return {"members": {"only": FIRST}, "switches": dict.fromkeys((*switches, "X1DCORR"), "OMIT")}


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    case = small_visit("FUV G140L/1105 LP2, segment A only")
    return Visit(case, *simulated(case, tmp_path_factory.mktemp("visit")))


@pytest.fixture(scope="module")
def default(visit: Visit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return visit.run({"members": {"only": FIRST}}, tmp_path_factory.mktemp("default"))


@pytest.fixture(scope="module")
def raw(visit: Visit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run that makes hardly any step."""
    steps = (
        "TEMPCORR RANDCORR GEOCORR DGEOCORR IGEOCORR XWLKCORR YWLKCORR DOPPCORR WAVECORR "
        "TRCECORR ALGNCORR PHACORR"
    )
    return visit.run(omit(*steps.split()), tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def thermal(visit: Visit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run that corrects positions by the stims and no further, and straightens the spectrum without
    aligning it.
    """
    steps = "RANDCORR GEOCORR DGEOCORR XWLKCORR YWLKCORR ALGNCORR"
    return visit.run(omit(*steps.split()), tmp_path_factory.mktemp("thermal"))


@pytest.fixture(scope="module")
def coarse(visit: Visit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run in which the walk along X and the finer distortion stay, and no efficiency is known."""
    steps = "IGEOCORR DGEOCORR XWLKCORR FLATCORR HVDSCORR"
    return visit.run(omit(*steps.split()), tmp_path_factory.mktemp("coarse"))


@pytest.fixture(scope="module")
def unwalked(visit: Visit, default: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run in which the walk along Y stays, with the seed of the default run named."""
    recipe = omit("YWLKCORR", "TRCECORR", "ALGNCORR") | {
        "keywords": {"RANDSEED": header(default, NAME, 0)["RANDSEED"]}
    }
    return visit.run(recipe, tmp_path_factory.mktemp("unwalked"))


def columns(products: Path, *names: str) -> list[NDArray[np.float64]]:
    """Return the columns of the events in the active area, which alone have all corrections."""
    table = events(products, NAME)
    area = fuv.SEGMENTS["FUVA"].active
    inside = (table["RAWX"] > area.left + 50) & (table["RAWX"] < area.right - 50)
    inside &= (table["RAWY"] > area.low + 30) & (table["RAWY"] < area.high - 30)
    return [np.asarray(table[name], float)[inside] for name in names]


def test_without_any_step_events_are_where_the_detector_had_them(raw: Path) -> None:
    table = events(raw, NAME)
    for column in ("XCORR", "XDOPP", "XFULL"):
        assert np.array_equal(table[column], table["RAWX"]), column
    for column in ("YCORR", "YFULL"):
        assert np.array_equal(table[column], table["RAWY"]), column


def test_without_phacorr_all_pulse_heights_are_kept(default: Path, raw: Path) -> None:
    (before, after), (low, high) = (events(folder, NAME) for folder in (default, raw)), PHA_LIMITS
    outside = (before["PHA"] < low) | (before["PHA"] > high)
    flagged = (before["DQ"] & OUT_OF_LIMITS) > 0
    assert flagged.sum() > 50
    assert not flagged[~outside].any()
    assert flagged[outside].mean() > 0.9
    assert not (after["DQ"] & OUT_OF_LIMITS).any()


def test_with_tempcorr_alone_positions_are_the_thermal_ones(thermal: Path) -> None:
    card, table = header(thermal, NAME), events(thermal, NAME)
    for axis, left, right in (("X", "LX", "RX"), ("Y", "LY", "RY")):
        found = np.array([card[f"STIMA_{corner}"] for corner in (left, right)])
        expected = np.array([card[f"STIMA0{corner}"] for corner in (left, right)])
        assert np.abs(found - expected).max() > 5
        slope = (expected[1] - expected[0]) / (found[1] - found[0])
        assert np.allclose(
            table[f"{axis}CORR"], expected[0] + (table[f"RAW{axis}"] - found[0]) * slope, atol=3e-3
        )


def test_geocorr_takes_the_distortion_away(default: Path, thermal: Path) -> None:
    (x, y), (height, *after) = (
        columns(thermal, "XCORR", "YCORR"),
        columns(default, "PHA", "XCORR", "YCORR"),
    )
    wide, fine = fuv.distortion("FUVA", x, y), fuv.delta_distortion("FUVA", x, y)
    walk = fuv.walk_x("FUVA", height, x), fuv.walk_y("FUVA", height, y)
    assert np.abs(wide[0]).max() > 5
    for was, now, *steps in zip((x, y), after, wide, fine, walk, strict=True):
        assert np.abs(was - sum(steps) - now).max() < 0.6  # RANDCORR adds half a pixel at most


def test_randcorr_spreads_events_over_their_pixels(default: Path, thermal: Path) -> None:
    x, y = columns(thermal, "XCORR", "YCORR")
    height, now = columns(default, "PHA", "XCORR")
    moved = x - fuv.distortion("FUVA", x, y)[0] - fuv.delta_distortion("FUVA", x, y)[0]
    spread = now - (moved - fuv.walk_x("FUVA", height, x))
    assert np.std(spread) == pytest.approx(1 / np.sqrt(12), abs=0.01)
    assert len(np.unique(x)) < len(np.unique(now)) / 2


def test_without_xwlkcorr_and_dgeocorr_their_displacements_stay(
    default: Path, coarse: Path
) -> None:
    (x, y), (height, *after) = (
        columns(default, "XCORR", "YCORR"),
        columns(coarse, "PHA", "XCORR", "YCORR"),
    )
    fine = fuv.delta_distortion("FUVA", x, y)
    walk = fuv.walk_x("FUVA", height, x)
    assert min(np.std(fine[0]), np.std(walk)) > 0.1
    # IGEOCORR interpolates in GEOFILE's bins of 16 by 8; without it the distortion is that of a
    # bin's corner.
    assert np.abs(after[0] - x - fine[0] - walk).max() < 0.12
    assert np.abs(after[1] - y - fine[1]).max() < 0.05
    assert np.std(after[0] - x - fine[0] - walk) > 0.01


def test_without_hvdscorr_and_flatcorr_events_have_one_weight(default: Path, coarse: Path) -> None:
    x, y, before = columns(default, "XCORR", "YCORR", "EPSILON")
    (after,) = columns(coarse, "EPSILON")
    assert np.allclose(after, 1.0 / header(coarse, NAME)["LIVETM_A"], rtol=1e-6)
    flat = fuv.flat_field("FUVA", np.rint(x).astype(int), np.rint(y).astype(int))
    assert np.median(before * flat / after) == pytest.approx(
        1.0 / fuv.hv_sensitivity(167), abs=2e-4
    )
    assert abs(1.0 - fuv.hv_sensitivity(167)) > 5e-3


def test_without_ywlkcorr_the_walk_stays_and_a_seed_is_a_seed(
    default: Path, unwalked: Path
) -> None:
    (x, y), (height, same, after) = (
        columns(default, "XCORR", "YCORR"),
        columns(unwalked, "PHA", "XCORR", "YCORR"),
    )
    assert np.array_equal(same, x)
    walk = fuv.walk_y("FUVA", height, y)
    assert np.std(walk) > 0.1
    assert np.allclose(after - y, walk, atol=0.02)


def straightened(products: Path, mode: Setting, row: float) -> NDArray[np.float64]:
    """Return how far events near the row of the spectrum were moved down, without the spectrum's
    own bend.
    """
    table = events(products, f"{FIRST}_corrtag_{mode.channel[-1].lower()}")
    x, y, full = (np.asarray(table[name], float) for name in ("XCORR", "YCORR", "YFULL"))
    return np.asarray(
        (y - full - mode.trace(np.floor(x)))[(np.abs(y - row) < 10) & (x > 1500) & (x < 14500)]
    )


def test_trcecorr_straightens_and_algncorr_aligns(
    default: Path, thermal: Path, unwalked: Path
) -> None:
    # Without both, only the displacement that the lamp tells is taken away; without the second, the
    # bend as well.
    y, full = columns(unwalked, "YCORR", "YFULL")
    offset = header(default, f"{FIRST}_x1d")["SP_OFF_A"]
    aligned, bent = straightened(default, MODE, 460), straightened(thermal, MODE, 460)
    for folder, moved, by in (
        (unwalked, y - full, 0.0),
        (thermal, bent, 0.0),
        (default, aligned, offset),
    ):
        assert np.median(moved) == pytest.approx(header(folder, NAME)["SHIFT2A"] + by, abs=0.02)
        assert np.std(moved) < 0.05
    assert np.std(MODE.trace(np.linspace(2000, 15000, 100))) > 0.3


@pytest.fixture(scope="module")
def edited(visit: Visit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run with another seed, other zones and backgrounds, and spots in the inner and the outer
    zone.
    """
    folder = visit.raw[f"{FIRST}_rawtag_a.fits"].parents[1] / "references"
    plan = visit.case.members[0]
    spots = Catalogue().make(Catalogue().select(plan)["BPIXTAB"])
    rows = list(spots[1].data)
    for column, row, flag in SPOTS:
        middle = round(row + 0.8 + float(MODE.trace(np.array([float(column)]))[0]))
        rows.append(("FUVA", column - 20, middle - 1, 40, 3, flag))
    names = ("SEGMENT", "LX", "LY", "DX", "DY", "DQ")
    table = writing.table(
        list(zip(names, ("4A", *["1J"] * 5), [""] * 6, strict=True)), rows, widen=0.25
    )
    writing.write(fits.HDUList([spots[0], table]), folder / "spots_bpix.fits")
    recipe = {
        "members": {"only": FIRST},
        "references": {"BPIXTAB": "spots_bpix.fits"},
        "keywords": {"RANDSEED": 2, "SDQOUTER": 16},
        "extraction": {"twozone": {"FUVA": ZONES}},
        "options": {"stimfile": True, "livetimefile": True},
    }
    return visit.run(recipe, tmp_path_factory.mktemp("edited"))


def test_another_seed_gives_other_places_in_the_same_pixels(default: Path, edited: Path) -> None:
    (x, y, *raw), (u, v, *same) = (
        columns(folder, "XCORR", "YCORR", "RAWX", "RAWY") for folder in (default, edited)
    )
    assert np.array_equal(raw, same)
    for one, other in ((x, u), (y, v)):
        # The difference of two even distributions over a pixel.
        assert np.std(one - other) == pytest.approx(np.sqrt(2 / 12), abs=0.01)
        assert np.abs(one - other).max() < 1.1


def test_inner_zone_boundaries_change_the_inner_zone_alone(default: Path, edited: Path) -> None:
    before, after = (spectra(folder, f"{FIRST}_x1d")["FUVA"] for folder in (default, edited))
    middle = slice(2000, 14000)
    for column in ("Y_LOWER_OUTER", "Y_UPPER_OUTER"):
        assert np.array_equal(before[column][middle], after[column][middle])
    x = np.arange(2000.0, 14000.0)
    (low, high), width = (
        (norm.ppf(ZONES[name]) for name in ("LOWER_INNER", "UPPER_INNER")),
        MODE.profile_sigma(x),
    )
    for column, edge in (("Y_LOWER_INNER", low), ("Y_UPPER_INNER", high)):
        # To whole rows, and the profile has a faint wing that is wider.
        assert np.abs(after[column][middle] - (459.5 + edge * width)).max() < 1.5
        assert np.abs(after[column] - before[column])[middle].min() >= 1


def test_sdqouter_says_what_counts_in_the_outer_zone(default: Path, edited: Path) -> None:
    before, after = (spectra(folder, f"{FIRST}_x1d")["FUVA"] for folder in (default, edited))
    for column, row, flag in SPOTS:
        near = slice(column - 15, column + 10)
        assert (before["DQ_WGT"][near] == 1).all()
        assert (after["DQ_OUTER"][near] & flag == flag).all()
        assert set(after["DQ_WGT"][near]) == {1.0 if (row, flag) == (OUTER, HOLE) else 0.0}


def test_background_regions_of_two_zones_are_where_they_are_set(edited: Path) -> None:
    card, row, table = (
        header(edited, f"{FIRST}_x1d"),
        spectra(edited, f"{FIRST}_x1d")["FUVA"],
        events(edited, NAME),
    )
    first = header(edited, f"{FIRST}_x1d")["SP_LOC_A"] + 408 - ZONES["B_SPEC"]
    second = card["SP_LOC_A"] + ZONES["B_BKG2"] - ZONES["B_SPEC"]
    assert [card[f"B_BKG{number}_A"] for number in (1, 2)] == [
        pytest.approx(y, abs=1.0) for y in (first, second)
    ]
    assert card["SP_NOM_A"] == ZONES["B_SPEC"]
    x, y = (np.rint(np.asarray(table[name], float)) for name in ("XFULL", "YFULL"))
    half = ZONES["BHEIGHT"] // 2
    inside = sum(np.abs(y - card[f"B_BKG{number}_A"]) <= half for number in (1, 2)) > 0
    inside &= (table["DQ"] & (card["SDQFLAGS"] | OUT_OF_LIMITS)) == 0
    counts, _ = np.histogram(x[inside], np.arange(-0.5, 16384.0), weights=table["EPSILON"][inside])
    # Smoothed over one column only, so that it is the counts of that column.
    rate = counts / (2 * ZONES["BHEIGHT"] * card["EXPTIME"])
    assert counts.sum() > 30
    assert np.allclose(row["BACKGROUND_PER_PIXEL"], rate, rtol=1e-3, atol=1e-9)


def test_text_files_hold_the_stims_and_the_live_time(visit: Visit, edited: Path) -> None:
    card, found = header(edited, NAME), []
    for kind in ("stim", "livetime"):
        text = gzip.decompress((edited / f"{visit.label}_{kind}.txt.gz").read_bytes()).decode()
        found.append(
            [
                float(word)
                for word in next(line for line in text.splitlines() if line[:1].isdigit()).split()
            ]
        )
    (_, _, *stims), (_, _, rate, live) = found
    assert stims == pytest.approx(
        [card[f"STIMA_{corner}"] for corner in ("LX", "LY", "RX", "RY")], abs=0.06
    )
    assert rate == pytest.approx(card["NEVENTS"] / card["EXPTIME"], rel=2e-3)
    assert live == pytest.approx(fuv.live_time(rate), abs=1e-5)


def test_sp_set_b_moves_the_other_segment(tmp_path: Path) -> None:
    case = small_visit("FUV G130M/1291 LP3 TAGFLASH TWOZONE, FP-POS 3 and 4")
    plan = replace(case.members[0], segment="FUVB", hv_level_a=0, association="", member_type="")
    raw, references, label = simulated(replace(case, members=(plan,)), tmp_path)
    _, products = recalibrate({"keywords": {"SP_SET_B": 3.0}}, raw, references, label, tmp_path)
    card, mode = header(products, f"{FIRST}_x1d"), setting("G130M", 1291, "FUVB")
    moved = straightened(products, mode, mode.science_row(3))
    assert card["SP_OFF_B"] == 3.0
    assert np.median(moved) == pytest.approx(card["SHIFT2B"] + 3.0, abs=0.02)
