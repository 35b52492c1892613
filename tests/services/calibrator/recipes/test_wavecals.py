"""What dropping or adding a wavecal does to the wavelengths, and when a warning says so."""

import pytest

from services.calibrator.recipes.checks.wavecals import wavecal_warnings
from services.calibrator.recipes.edits.planning import plan
from services.calibrator.run.headers import Exposure
from shared.recipes import parse_recipe
from tests.services.calibrator.conftest import MakeExposure

FIRST, LAMP, OTHER = "lrnd01a1q", "lrnd01a2q", "lrnd01a3q"
NOMINAL = "the wavelengths keep the nominal zero point"


def warned_of(exposures: list[Exposure], *dropped: str, added: tuple[str, ...] = ()) -> list[str]:
    kept = [exposure for exposure in exposures if exposure.rootname not in dropped]
    return list(wavecal_warnings(added, exposures, kept))


@pytest.fixture
def visit(make_exposure: MakeExposure) -> list[Exposure]:
    """Exposure without flashes between two wavecals."""
    lamps = [make_exposure(root, EXPTYPE="WAVECAL") for root in (LAMP, OTHER)]
    return [make_exposure(FIRST, WAVECORR="PERFORM"), *lamps]


def test_a_spectrum_without_any_wavecal_is_warned_of(visit: list[Exposure]) -> None:
    assert warned_of(visit) == []
    assert warned_of(visit[:2], LAMP) == [f"{LAMP} is a wavecal, and no other is left: {NOMINAL}"]
    assert warned_of(visit, LAMP, OTHER) == [
        f"{LAMP}, {OTHER} are wavecals, and no other is left: {NOMINAL}"
    ]


def test_one_wavecal_that_is_left_or_added_is_enough(
    visit: list[Exposure], make_exposure: MakeExposure
) -> None:
    assert warned_of(visit, LAMP) == []
    new = make_exposure("lrnd02a1q", EXPTYPE="WAVECAL")
    assert warned_of([*visit, new], LAMP, OTHER, added=("lrnd02a1q",)) == []


def test_lamp_flashes_go_before_an_added_wavecal(
    visit: list[Exposure], make_exposure: MakeExposure
) -> None:
    flashed = make_exposure(FIRST, WAVECORR="PERFORM", TAGFLASH="AUTO")
    assert warned_of([flashed, *visit[1:]], LAMP, OTHER) == []
    (text,) = warned_of([flashed, *visit[1:]], added=(LAMP,))
    assert "lamp flashes (TAGFLASH), which CalCOS prefers to a GO wavecal" in text


@pytest.mark.parametrize(
    ("grating", "cenwave", "blue"),
    [("G130M", 1055, True), ("G130M", 1096, True), ("G130M", 1291, False), ("G140L", 1280, True)],
)
def test_segment_b_of_blue_modes_needs_lamp_light_on_segment_a(
    make_exposure: MakeExposure, grating: str, cenwave: int, blue: bool
) -> None:
    mode = {"OPT_ELEM": grating, "CENWAVE": cenwave}

    def exposure(root: str, side: str, **header: str) -> Exposure:
        return make_exposure(root, f"rawtag_{side}", **mode, SEGMENT=f"FUV{side.upper()}", **header)

    science = exposure(FIRST, "b", WAVECORR="PERFORM")
    lamps = {side: exposure(LAMP, side, EXPTYPE="WAVECAL") for side in "ab"}
    assert warned_of([science, *lamps.values()]) == []
    warned = warned_of([science, lamps["b"]])
    assert len(warned) == blue
    if blue:
        assert f"{FIRST}_rawtag_b.fits: FUVB of {grating}/{cenwave}" in warned[0]
        assert "keep or add a wavecal with FUVA on" in warned[0]
    flashed = [exposure(FIRST, side, WAVECORR="PERFORM", TAGFLASH="AUTO") for side in "ab"]
    assert warned_of(flashed) == []
    # One raw file of the exposure alone: its other segment has the lamp light.
    document = {"members": {"file": f"{FIRST}_rawtag_b.fits"}}
    names = [item.path.name for item in flashed]
    found = plan(
        parse_recipe(document), None, flashed, names, 1, lambda _context, _exposure: {}
    ).warnings
    assert len(found) == blue


def test_calibrated_events_have_their_wavelengths(
    visit: list[Exposure], make_exposure: MakeExposure
) -> None:
    done = make_exposure(FIRST, "corrtag_b", SEGMENT="FUVB", CENWAVE=1280, WAVECORR="COMPLETE")
    assert warned_of([done, *visit[1:]], LAMP, OTHER) == []
