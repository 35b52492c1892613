"""Which references a header asks for."""

import pytest

from shared.cos.references import needed_references
from shared.errors import PermanentError

SPECTRUM = {"OBSTYPE": "SPECTROSCOPIC", "OBSMODE": "TIME-TAG"}


def test_reference_of_an_omitted_step_is_not_needed() -> None:
    switches = {
        "BRSTCORR": "OMIT",
        "BRSTTAB": "lref$x_brst.fits",
        "DEADCORR": "PERFORM",
        "DEADTAB": "lref$x_dead.fits",
    }
    assert needed_references(SPECTRUM | switches) == {"DEADTAB": "x_dead.fits"}


def test_switches_are_compared_in_upper_case() -> None:
    keywords = {
        "DEADCORR": "perform",
        "DEADTAB": "lref$x_dead.fits",
        "GEOCORR": "Omit",
        "BRSTCORR": "omit",
    }
    assert needed_references(SPECTRUM | keywords) == {"DEADTAB": "x_dead.fits"}
    with pytest.raises(PermanentError, match="DEADCORR=perform asks for it"):
        needed_references(SPECTRUM | keywords | {"DEADTAB": "n/a"})


def test_a_value_that_names_no_file_is_refused_with_its_keyword() -> None:
    keywords = {"DEADCORR": "PERFORM", "DEADTAB": "lref$../../etc/hostname"}
    with pytest.raises(
        PermanentError, match=r"DEADTAB: 'lref\$../../etc/hostname' does not name a FITS file"
    ):
        needed_references(SPECTRUM | keywords)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"DEADCORR": "PERFORM", "DEADTAB": "N/A"}, r"DEADTAB .* DEADCORR"),
        ({"XTRCTALG": "TWOZONE"}, r"TWOZXTAB .* XTRCTALG"),
        ({"PHACORR": "PERFORM"}, r"PHATAB .* PHACORR"),
        ({"X1DCORR": "PERFORM", "DISPTAB": "N/A"}, r"XTRACTAB .* X1DCORR"),
        ({"BRSTCORR": "PERFORM"}, "set BRSTTAB to a reference file or BRSTCORR to OMIT"),
        ({"XTRCTALG": "TWOZONE"}, "or XTRCTALG to BOXCAR, in the header or by a recipe"),
        (
            {"EXPTYPE": "WAVECAL", "LAMPTAB": "lref$x_lamp.fits"},
            "WCPTAB is N/A, but EXPTYPE=WAVECAL asks for it",
        ),
    ],
)
def test_performed_step_without_its_reference_is_refused(
    keywords: dict[str, str], message: str
) -> None:
    with pytest.raises(PermanentError, match=message):
        needed_references(SPECTRUM | keywords)


def test_a_wavecal_needs_its_tables_though_wavecorr_is_omitted() -> None:
    tables = {"LAMPTAB": "lref$x_lamp.fits", "WCPTAB": "lref$x_wcp.fits", "WAVECORR": "OMIT"}
    assert needed_references(SPECTRUM | tables) == {}
    assert set(needed_references(SPECTRUM | tables | {"EXPTYPE": "WAVECAL"})) == {
        "LAMPTAB",
        "WCPTAB",
    }
    assert set(needed_references(SPECTRUM | tables | {"TAGFLASH": "AUTO"})) == {"WCPTAB"}


def test_lamp_flashes_need_the_bad_pixels_though_dqicorr_is_omitted() -> None:
    flashes = {"DQICORR": "OMIT", "WAVECORR": "PERFORM", "TAGFLASH": "AUTO"}
    tables = {
        "LAMPTAB": "lref$x_lamp.fits",
        "WCPTAB": "lref$x_wcp.fits",
        "BPIXTAB": "lref$x_bpix.fits",
    }
    assert "BPIXTAB" in needed_references(SPECTRUM | flashes | tables)
    with pytest.raises(PermanentError, match="BPIXTAB is N/A, but WAVECORR=PERFORM"):
        needed_references(SPECTRUM | flashes | tables | {"BPIXTAB": "N/A"})


def test_steps_that_calcos_skips_may_lack_their_reference() -> None:
    skipped = {"BADTCORR": "PERFORM", "XWLKCORR": "PERFORM", "YWLKCORR": "PERFORM"}
    assert needed_references(SPECTRUM | skipped) == {}
    image = {
        "OBSTYPE": "IMAGING",
        "WAVECORR": "PERFORM",
        "FLUXCORR": "PERFORM",
        "X1DCORR": "PERFORM",
    }
    assert needed_references(image) == {}


def test_old_name_of_the_sensitivity_table() -> None:
    old = {"PHOTTAB": "lref$x_phot.fits", "X1DCORR": "OMIT", "FLUXCORR": "PERFORM"}
    assert needed_references(SPECTRUM | old) == {"FLUXTAB": "x_phot.fits"}
