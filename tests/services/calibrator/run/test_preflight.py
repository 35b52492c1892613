"""What CalCOS would only half do is refused."""

from pathlib import Path
from typing import Any

import pytest

from services.calibrator.run.associations import read_association
from services.calibrator.run.headers import read_exposures
from services.calibrator.run.preflight import preflight
from services.calibrator.run.references import ReferenceFolder
from services.calibrator.run.workspace import stage
from shared.cos.association import Association, Row
from shared.errors import PermanentError, UnsupportedError

MakeExposure = Any


@pytest.fixture
def nothing(tmp_path: Path) -> ReferenceFolder:
    """Empty folder of references."""
    return ReferenceFolder(tmp_path, tmp_path / "cache", "3.6.2")


def test_real_association_passes(
    association_files: dict[str, Path], references: ReferenceFolder, tmp_path: Path
) -> None:
    stage(association_files, tmp_path)
    checked = preflight(read_association(tmp_path), read_exposures(tmp_path), references)
    assert ("LAMPTAB", "23n1744jl_lamp.fits") in [
        (found.keyword, found.name) for found in checked.references
    ]
    assert checked.notes == ()


def test_whole_exposure_passes_with_a_note_on_its_support_file(
    make_exposure: MakeExposure, tmp_path: Path, nothing: ReferenceFolder
) -> None:
    assert "ldfd01vnq_spt is missing" in preflight(None, [make_exposure()], nothing).notes[0]
    (tmp_path / "ldfd01vnq_spt.fits").touch()
    assert preflight(None, [make_exposure()], nothing).notes == ()


def test_segment_under_high_voltage_must_be_there(
    make_exposure: MakeExposure, nothing: ReferenceFolder
) -> None:
    first = make_exposure(DETECTHV="NomAB")
    second = make_exposure(suffix="rawtag_b", SEGMENT="FUVB", DETECTHV="NomAB")
    preflight(None, [first, second], nothing)
    with pytest.raises(PermanentError, match="ldfd01vnq_rawtag_b missing"):
        preflight(None, [first], nothing)
    with pytest.raises(PermanentError, match="ldfd01vnq_rawtag_a missing"):
        preflight(None, [second], nothing)
    preflight(None, [first], nothing, frozenset({"ldfd01vnq_rawtag_b"}))


def test_pulse_heights_of_accum_must_be_there(
    make_exposure: MakeExposure, tmp_path: Path, nothing: ReferenceFolder
) -> None:
    keywords = {"OBSMODE": "ACCUM", "PHACORR": "perform", "PHATAB": "N/A"}
    with pytest.raises(PermanentError, match="incomplete: ldfd01vnq_pha_a missing"):
        preflight(None, [make_exposure(suffix="rawaccum_a", **keywords)], nothing)
    (tmp_path / "ldfd01vnq_pha_a.fits").touch()
    with pytest.raises(PermanentError, match="PHATAB is N/A"):
        preflight(None, [make_exposure(suffix="rawaccum_a", **keywords)], nothing)
    preflight(None, [make_exposure(suffix="rawaccum_a", OBSMODE="ACCUM", PHACORR="omit")], nothing)


def test_a_switch_that_is_no_text_is_refused(
    make_exposure: MakeExposure, nothing: ReferenceFolder
) -> None:
    with pytest.raises(PermanentError, match="FLATCORR is True; it is PERFORM or OMIT"):
        preflight(None, [make_exposure(FLATCORR=True)], nothing)


def test_nuv_exposure_has_one_file(make_exposure: MakeExposure, nothing: ReferenceFolder) -> None:
    preflight(
        None,
        [make_exposure(suffix="rawtag", DETECTOR="NUV", SEGMENT="N/A", DETECTHV="NomAB")],
        nothing,
    )


def test_missing_member_is_refused_unless_accepted(
    make_exposure: MakeExposure, tmp_path: Path, nothing: ReferenceFolder
) -> None:
    association = Association(
        "x_asn.fits", (Row("ldfd01vnq", "EXP-FP", True), Row("ldfd01vpq", "EXP-FP", True))
    )
    with pytest.raises(PermanentError, match=r"ldfd01vpq_raw\*"):
        preflight(association, [make_exposure()], nothing)
    preflight(association, [make_exposure()], nothing, frozenset({"ldfd01vpq_raw*"}))


def test_exposures_without_their_association_are_refused(
    make_exposure: MakeExposure, nothing: ReferenceFolder
) -> None:
    with pytest.raises(PermanentError, match="association table"):
        preflight(None, [make_exposure(), make_exposure("ldfd01vpq")], nothing)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"APERTURE": "XYZ"}, "APERTURE"),
        ({"WALKCORR": "PERFORM"}, "WALKCORR"),
        ({"DGEOCORR": "PERFORM", "DGEOFILE": "N/A", "GEOCORR": "OMIT"}, "DGEOCORR"),
        ({"DEADCORR": "PERFORM", "DEADTAB": "N/A"}, "DEADTAB is N/A, but DEADCORR=PERFORM asks"),
        (
            {"DEADCORR": "PERFORM", "DEADTAB": "lref$x_dead.fits"},
            "DEADTAB of .*x_dead.fits is not in",
        ),
    ],
)
def test_header_that_calcos_stops_at(
    make_exposure: MakeExposure, nothing: ReferenceFolder, keywords: dict[str, str], message: str
) -> None:
    with pytest.raises(PermanentError, match=message):
        preflight(None, [make_exposure(**keywords)], nothing)


def test_header_without_a_mandatory_keyword(
    make_exposure: MakeExposure, nothing: ReferenceFolder
) -> None:
    raw = make_exposure()
    del raw.header["OPT_ELEM"]
    with pytest.raises(PermanentError, match="OPT_ELEM"):
        preflight(None, [raw], nothing)


def test_reference_of_an_omitted_step_is_not_demanded(
    make_exposure: MakeExposure, nothing: ReferenceFolder
) -> None:
    preflight(None, [make_exposure(BRSTCORR="OMIT", BRSTTAB="lref$x_brst.fits")], nothing)


def test_nothing_to_calibrate(make_exposure: MakeExposure, nothing: ReferenceFolder) -> None:
    with pytest.raises(UnsupportedError, match="OMIT"):
        preflight(None, [make_exposure(RANDCORR="OMIT")], nothing)
    with pytest.raises(UnsupportedError, match="no raw science file"):
        preflight(None, [], nothing)
