"""What each calibration switch leaves out, and references by exposure, through the real CalCOS on
an NUV visit.

Each run edits one exposure, or both differently, so that one is the control of the other.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.constants import c
from numpy.typing import NDArray

from simulator.instrument import decline, nuv
from simulator.references.context import CONTEXTS
from simulator.references.spectra import REVISED_FLUX
from simulator.verify.cases import CASES
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

STRIPES = ("NUVA", "NUVB", "NUVC")
LIGHT_SPEED = c.to_value("km/s")
BAD = 2048
"""Data quality flag of bad times (COS Data Handbook, table 2.19)."""
DEAD_SPOT = 16
"""Flag of the bad-pixel table's blemishes."""


def omit(*switches: str) -> dict[str, Any]:
    return {"switches": dict.fromkeys(switches, "OMIT")}


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return nuv_visit(tmp_path_factory.mktemp("visit"))


@pytest.fixture(scope="module")
def default(visit: Visit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return visit.run({}, tmp_path_factory.mktemp("default"))


@pytest.fixture(scope="module")
def uncorrected(visit: Visit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = {
        "exposures": {
            FIRST: omit("FLATCORR", "HELCORR", "BADTCORR", "TDSCORR"),
            SECOND: omit("DEADCORR", "DOPPCORR", "FLUXCORR"),
        }
    }
    return visit.run(recipe, tmp_path_factory.mktemp("uncorrected"))


@pytest.fixture(scope="module")
def unshifted(visit: Visit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = {
        "exposures": {
            FIRST: omit("BACKCORR", "WAVECORR"),
            SECOND: {
                **omit("DQICORR"),
                "keywords": {"STATFLAG": False},
                "references": {"TDSTAB": "N/A", "FLUXTAB": CONTEXTS[1]},
            },
        },
        "options": {"find_target": {"flag": True}},
    }
    return visit.run(recipe, tmp_path_factory.mktemp("unshifted"))


def flat_of(table: Any) -> NDArray[np.float64]:
    return nuv.flat_field(table["RAWX"].astype(float), table["RAWY"].astype(float))


def sensitivity(row: Any) -> NDArray[np.float64]:
    """Return the net rate over flux, point by point; NaN where there is no light."""
    lit = np.abs(row["NET"]) > 0
    return np.where(lit, row["NET"], np.nan) / np.where(
        lit & (row["FLUX"] != 0), row["FLUX"], np.nan
    )


def declined(row: Any, mjd: float) -> NDArray[np.float64]:
    """Return the sensitivity at the wavelengths of a spectrum over that of the first day."""
    factors = decline.decline("NUV", mjd)
    return np.asarray(np.interp(row["WAVELENGTH"], decline.WAVELENGTHS["NUV"], factors))


def test_without_flatcorr_events_count_for_their_dead_time_alone(
    default: Path, uncorrected: Path
) -> None:
    before, after = (events(folder, f"{FIRST}_corrtag") for folder in (default, uncorrected))
    live = header(uncorrected, f"{FIRST}_corrtag")["LIVETM"]
    assert live == pytest.approx(nuv.live_time(len(after) / 60.0), abs=1e-5)
    assert np.allclose(after["EPSILON"], 1.0 / live, rtol=1e-6)
    assert np.allclose(before["EPSILON"], 1.0 / live / flat_of(before), atol=3e-4)
    rows = [spectra(folder, f"{FIRST}_x1d") for folder in (default, uncorrected)]
    bright = rows[0]["NUVB"]["GCOUNTS"] > 50
    kept = [[row["NUVB"][name][bright] for name in ("NET", "GROSS", "BACKGROUND")] for row in rows]
    flat, plain = (net / (gross - background) for net, gross, background in kept)
    assert np.allclose(plain, 1.0 / live, rtol=1e-4)
    assert np.std(flat) > 2e-3 > 10 * np.std(plain)


def test_without_helcorr_wavelengths_are_those_of_the_earth(
    default: Path, uncorrected: Path
) -> None:
    factor = 1.0 - header(default, f"{FIRST}_x1d")["V_HELIO"] / LIGHT_SPEED
    assert abs(factor - 1.0) > 1e-5
    for stripe in STRIPES:
        before, after = (
            spectra(folder, f"{FIRST}_x1d")[stripe] for folder in (default, uncorrected)
        )
        assert np.allclose(before["WAVELENGTH"] / after["WAVELENGTH"], factor, rtol=1e-9)


def test_without_tdscorr_the_flux_is_that_of_the_first_day(
    visit: Visit, default: Path, uncorrected: Path
) -> None:
    before, after = (spectra(folder, f"{FIRST}_x1d") for folder in (default, uncorrected))
    for stripe in STRIPES:
        left = sensitivity(before[stripe]) / sensitivity(after[stripe])
        expected = declined(after[stripe], visit.case.members[0].start)
        assert np.nanmax(np.abs(left / expected - 1.0)) < 2e-4
        assert np.abs(1.0 - expected).min() > 0.03


def test_without_badtcorr_bad_times_are_kept(default: Path, uncorrected: Path) -> None:
    for root, folder, told in (
        (FIRST, default, True),
        (FIRST, uncorrected, False),
        (SECOND, uncorrected, True),
    ):
        table = events(folder, f"{root}_corrtag")
        edge = np.abs(table["TIME"] - np.array(BAD_TIME)[:, None]).min(axis=0)  # to a clock tick
        inside = (table["TIME"] >= BAD_TIME[0]) & (table["TIME"] < BAD_TIME[1]) & (edge > 0.04)
        flagged = (table["DQ"] & BAD) > 0
        assert inside.sum() > 1000
        assert set(flagged[inside]) == {told}
        assert not flagged[~inside & (edge > 0.04)].any()
        assert header(folder, f"{root}_x1d")["EXPTIME"] == pytest.approx(
            50.0 if told else 60.0, abs=0.05
        )
    counts = [
        spectra(folder, f"{FIRST}_x1d")["NUVB"]["GCOUNTS"].sum()
        for folder in (default, uncorrected)
    ]
    assert counts[1] / counts[0] == pytest.approx(60 / 50, abs=0.01)


def test_without_deadcorr_the_flat_alone_weighs(default: Path, uncorrected: Path) -> None:
    before, after = (events(folder, f"{SECOND}_corrtag") for folder in (default, uncorrected))
    live = header(default, f"{SECOND}_corrtag")["LIVETM"]
    assert np.allclose(after["EPSILON"], 1.0 / flat_of(after), atol=3e-4)
    assert np.allclose(before["EPSILON"] / after["EPSILON"], 1.0 / live, rtol=1e-6)


def test_without_doppcorr_events_stay_where_they_fell(default: Path, uncorrected: Path) -> None:
    after = events(uncorrected, f"{SECOND}_corrtag")
    assert np.array_equal(after["XDOPP"], after["XCORR"])
    before, card = events(default, f"{SECOND}_corrtag"), header(default, f"{SECOND}_corrtag")
    seconds = (card["EXPSTART"] - card["DOPPZERO"]) * 86400.0 + before["TIME"]
    velocity = card["DOPPMAGV"] * np.sin(2 * np.pi * seconds / card["ORBITPER"])
    middle = np.abs(before["YCORR"] - 286) < 5
    moved = (before["XCORR"] - before["XDOPP"])[middle]
    pixels = (velocity / LIGHT_SPEED * before["WAVELENGTH"])[middle] / 0.39
    assert np.abs(moved).mean() > 0.1
    assert np.allclose(moved, pixels, atol=0.01)


def test_without_fluxcorr_there_is_no_flux(default: Path, uncorrected: Path) -> None:
    before, after = (spectra(folder, f"{SECOND}_x1d") for folder in (default, uncorrected))
    for stripe in STRIPES:
        assert not after[stripe]["FLUX"].any()
        assert after[stripe]["NET"].sum() == pytest.approx(before[stripe]["NET"].sum(), rel=5e-3)
        assert (before[stripe]["FLUX"] != 0).mean() > 0.5
    assert all(spectra(uncorrected, f"{FIRST}_x1d")[stripe]["FLUX"].any() for stripe in STRIPES)


def test_without_backcorr_nothing_is_taken_away(unshifted: Path) -> None:
    for stripe, row in spectra(unshifted, f"{FIRST}_x1d").items():
        assert not row["BACKGROUND"].any(), stripe
        bright = row["GCOUNTS"] > 50
        assert np.allclose(row["NET"][bright] / row["GROSS"][bright], 1.0, atol=0.05)
    assert all(row["BACKGROUND"].any() for row in spectra(unshifted, f"{SECOND}_x1d").values())


def test_without_wavecorr_shifts_are_zero(default: Path, unshifted: Path) -> None:
    table, card = events(unshifted, f"{FIRST}_corrtag"), header(unshifted, f"{FIRST}_x1d")
    assert np.array_equal(table["XFULL"], table["XDOPP"])
    assert np.array_equal(table["YFULL"], table["YCORR"])
    assert [card[f"SHIFT1{stripe}"] for stripe in "ABC"] == [0.0] * 3
    before = events(default, f"{FIRST}_corrtag")
    shift = header(default, f"{FIRST}_x1d")["SHIFT1B"]
    middle = (np.abs(before["YCORR"] - 286) < 5) & (before["TIME"] > 51)
    assert shift < -2.5
    assert np.median((before["XDOPP"] - before["XFULL"])[middle]) == pytest.approx(shift, abs=0.1)


def test_without_dqicorr_bad_pixels_count(default: Path, unshifted: Path) -> None:
    for folder, told in ((default, True), (unshifted, False)):
        assert bool((events(folder, f"{SECOND}_corrtag")["DQ"] & DEAD_SPOT).any()) == told
        assert bool((events(folder, f"{FIRST}_corrtag")["DQ"] & DEAD_SPOT).any())
    before, after = (spectra(folder, f"{SECOND}_x1d")["NUVB"] for folder in (default, unshifted))
    assert (before["DQ_WGT"] == 0).any()
    assert (after["DQ_WGT"] == 1).all()


def test_statistics_only_with_statflag(default: Path, unshifted: Path) -> None:
    found = [
        header(folder, f"{root}_x1d")["NGOODPIX"]
        for folder in (default, unshifted)
        for root in (FIRST, SECOND)
    ]
    assert [number > 0 for number in found] == [True, True, True, False]


def test_references_of_one_exposure_change_its_flux(
    visit: Visit, default: Path, unshifted: Path
) -> None:
    assert header(unshifted, f"{SECOND}_x1d", 0)["TDSCORR"] == "SKIPPED"
    assert header(unshifted, f"{FIRST}_x1d", 0)["TDSCORR"] == "COMPLETE"
    before, after = (spectra(folder, f"{SECOND}_x1d") for folder in (default, unshifted))
    for stripe in STRIPES:
        # The context has a newer table of sensitivities; no table of their decline is left.
        left = sensitivity(before[stripe]) / sensitivity(after[stripe])
        expected = declined(after[stripe], visit.case.members[1].start) / REVISED_FLUX
        assert np.nanmax(np.abs(left / expected - 1.0)) < 2e-4


def test_a_found_target_is_extracted_where_it_is(default: Path, unshifted: Path) -> None:
    old, new = (header(folder, f"{SECOND}_x1d") for folder in (default, unshifted))
    for stripe in "BC":  # without a cutoff, however large the error
        assert new[f"SP_LOC_{stripe}"] - old[f"SP_LOC_{stripe}"] == pytest.approx(
            old[f"SP_OFF_{stripe}"], abs=0.1
        )
        assert abs(old[f"SP_OFF_{stripe}"]) > 0.3


def test_images_without_photcorr_and_with_shifts_of_a_file(tmp_path: Path) -> None:
    name = "NUV imaging MIRRORA, TAGFLASH"
    raw, references, label = simulated(CASES[name], tmp_path)
    first, second = (plan.rootname for plan in CASES[name].members)
    recipe = {
        "exposures": {first: {"switches": {"PHOTCORR": "PERFORM"}}, second: omit("PHOTCORR")},
        "options": {"shift_file": [f"{second} any any any N/A 4.0"]},
    }
    _, products = recalibrate(recipe, raw, references, label, tmp_path)
    with_it, without = (header(products, f"{root}_flt") for root in (first, second))
    assert with_it["PHOTFLAM"] == pytest.approx(4.8214e-18, rel=1e-3)
    assert with_it["PHOTPLAM"] == pytest.approx(2319.7, abs=0.1)
    assert (without["PHOTFLAM"], without["PHOTPLAM"]) == (-999.0, -999.0)
    along, across = CASES[name].shifts["NUVA"]
    for root, expected in ((first, across), (second, 4.0)):
        table = events(products, f"{root}_corrtag")
        assert np.median(table["YCORR"] - table["YFULL"]) == pytest.approx(expected, abs=0.1)
        assert np.median(table["XDOPP"] - table["XFULL"]) == pytest.approx(along, abs=0.1)
