"""What a recipe changes in headers, and which recipes do not fit an exposure."""

from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from services.calibrator.recipes.edits.changes import (
    CellEdit,
    FileLeftOut,
    HeaderEdit,
    RowAdded,
    apply,
)
from services.calibrator.recipes.edits.planning import plan
from services.calibrator.recipes.sub_exposures.selection import divide
from services.calibrator.run.associations import read_association
from services.calibrator.run.headers import Exposure
from shared.cos.association import Association
from shared.errors import PermanentError
from shared.recipes import parse_recipe
from tests.services.calibrator.conftest import MakeExposure
from tests.services.calibrator.recipes.conftest import TWOZONE

RAW = "ldfd01vnq_rawtag_a.fits"


@pytest.fixture
def association(tmp_path: Path) -> Association:
    """Association of two exposures."""
    columns = [
        fits.Column("MEMNAME", "14A", array=["LDFD01VNQ", "LDFD01VPQ", "LDFD01010"]),
        fits.Column("MEMTYPE", "14A", array=["EXP-FP", "EXP-FP", "PROD-FP"]),
        fits.Column("MEMPRSNT", "1L", array=[True, True, True]),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="ASN")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "ldfd01010_asn.fits")
    found = read_association(tmp_path)
    assert found is not None
    return found


def changes_of(
    document: Any, exposures: list[Exposure], association: Association | None = None
) -> list[Any]:
    names = [exposure.path.name for exposure in exposures]
    return list(plan(parse_recipe(document), association, exposures, names, 1, best).changes)


def best(context: str, _exposure: Exposure) -> dict[str, str]:
    """Return the rules of a context for two keywords."""
    return {"FLATFILE": f"{context[4:8]}_flat.fits", "BPIXTAB": "N/A"}


def test_contexts_stand_for_their_best_files(make_exposure: MakeExposure) -> None:
    exposure = make_exposure(
        FLATFILE="lref$old_flat.fits", BPIXTAB="lref$old_bpix.fits", RANDSEED=1
    )
    new = HeaderEdit(RAW, 0, "FLATFILE", "lref$old_flat.fits", "lref$1028_flat.fits")
    none = HeaderEdit(RAW, 0, "BPIXTAB", "lref$old_bpix.fits", "N/A")
    assert changes_of({"references": {"FLATFILE": "hst_1028.pmap"}}, [exposure]) == [new]
    assert changes_of({"context": "hst_1028.pmap"}, [exposure]) == [new, none]
    both = {"context": "hst_1028.pmap", "references": {"FLATFILE": "old_flat.fits"}}
    assert changes_of(both, [exposure]) == [none]
    with pytest.raises(PermanentError, match=r"hst_1028.pmap has no DEADTAB"):
        changes_of({"references": {"DEADTAB": "hst_1028.pmap"}}, [exposure])


def test_headers_get_what_differs_and_nothing_else(make_exposure: MakeExposure) -> None:
    exposure = make_exposure(
        **TWOZONE, FLATFILE="lref$old_flat.fits", FLATCORR="PERFORM", data={"SP_SET_A": -999.0}
    )
    document = {
        "switches": {"FLATCORR": "PERFORM", "HVDSCORR": "OMIT"},
        "references": {"FLATFILE": "new_flat.fits"},
        "keywords": {"SP_SET_A": 2.0},
    }
    assert changes_of(document, [exposure]) == [
        HeaderEdit(RAW, 0, "FLATFILE", "lref$old_flat.fits", "lref$new_flat.fits"),
        HeaderEdit(RAW, 1, "SP_SET_A", -999.0, 2.0),
    ]


def test_a_seed_left_to_the_clock_is_a_change(make_exposure: MakeExposure) -> None:
    assert changes_of({}, [make_exposure(RANDSEED=-1)]) == [HeaderEdit(RAW, 0, "RANDSEED", -1, 1)]
    assert changes_of({}, [make_exposure(RANDSEED=7)]) == []


def test_members(make_exposure: MakeExposure, association: Association, tmp_path: Path) -> None:
    exposures = [make_exposure(RANDSEED=1), make_exposure("ldfd01vpq", RANDSEED=1)]
    lamp = make_exposure("ldfd02aaq", RANDSEED=1, EXPTYPE="WAVECAL")
    dropped = changes_of({"members": {"drop": ["ldfd01vnq"]}}, exposures, association)
    asn = "ldfd01010_asn.fits"
    assert dropped == [FileLeftOut(RAW), CellEdit(asn, 1, 0, "MEMPRSNT", True, False)]
    only = changes_of({"members": {"only": "ldfd01vpq"}}, exposures, association)
    assert only == [FileLeftOut(RAW), FileLeftOut(asn)]
    other = make_exposure("ldfd01vpq", "rawtag_b", RANDSEED=1)
    one = changes_of(
        {"members": {"file": "ldfd01vpq_rawtag_b.fits"}}, [*exposures, other], association
    )
    assert {change.file for change in one} == {RAW, "ldfd01vpq_rawtag_a.fits", asn}
    added = changes_of({"members": {"wavecals": ["ldfd02aaq"]}}, [*exposures, lamp], association)
    assert added == [
        RowAdded(asn, 1, {"MEMNAME": "LDFD02AAQ", "MEMTYPE": "EXP-GWAVE", "MEMPRSNT": True})
    ]

    apply([dropped[1], *added], tmp_path, tmp_path)
    table = fits.getdata(tmp_path / asn, "ASN")
    assert list(table["MEMNAME"]) == ["LDFD01VNQ", "LDFD01VPQ", "LDFD01010", "LDFD02AAQ"]
    assert list(table["MEMTYPE"]) == ["EXP-FP", "EXP-FP", "PROD-FP", "EXP-GWAVE"]
    assert list(table["MEMPRSNT"]) == [False, True, True, True]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (
            {"members": {"drop": ["ldfd09xxq"]}},
            "ldfd09xxq not among the exposures, which are ldfd01vnq, ldfd01vpq",
        ),
        ({"exposures": {"ldfd09xxq": {"keywords": {"SDQFLAGS": 8}}}}, "not among the exposures"),
        ({"members": {"drop": ["ldfd01vnq", "ldfd01vpq"]}}, "keep a science exposure"),
        ({"members": {"wavecals": ["ldfd02aaq"]}}, "no raw file of ldfd02aaq"),
        ({"members": {"wavecals": ["ldfd01vpq"]}}, "a member already"),
        ({"switches": {"TRCECORR": "OMIT"}}, "set XTRCTALG to BOXCAR as well"),
        ({"switches": {"BACKCORR": "OMIT"}}, "needs BACKCORR; set XTRCTALG to BOXCAR as well"),
        ({"extraction": {"boxcar": {"all": {"HEIGHT": 35}}}}, "has no effect; set XTRCTALG"),
        ({"switches": {"GEOCORR": "OMIT"}}, "omit both"),
        (
            {"keywords": {"XTRCTALG": "BOXCAR", "SP_SET_A": 1.0}, "switches": {"ALGNCORR": "OMIT"}},
            "ALGNCORR is not PERFORM",
        ),
        (
            {"exposures": {"ldfd01vnq": {"switches": {"X1DCORR": "OMIT"}}}},
            "X1DCORR is OMIT in ldfd01vnq_rawtag_a.fits",
        ),
        (
            {"options": {"shift_file": ["ldfd01vpq any any FUVA 3.0"]}},
            "ldfd01vpq has no lamp flashes",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    make_exposure: MakeExposure, association: Association, document: Any, reason: str
) -> None:
    made = {**TWOZONE, "GEOCORR": "PERFORM", "DGEOCORR": "PERFORM", "WAVECORR": "PERFORM"}
    exposures = [make_exposure(name, **made) for name in ("ldfd01vnq", "ldfd01vpq")]
    with pytest.raises(PermanentError, match=reason):
        changes_of(document, exposures, association)


def test_a_wavecal_need_not_be_extracted_as_the_target_is(make_exposure: MakeExposure) -> None:
    science = make_exposure("ldfd01vnq", **TWOZONE)
    wavecal = make_exposure(
        "ldfd01vpq", EXPTYPE="WAVECAL", XTRCTALG="BOXCAR", ALGNCORR="OMIT", RANDSEED=5
    )
    document = {"keywords": {"SP_SET_A": 1.5}, "extraction": {"twozone": {"all": {"HEIGHT": 35}}}}
    edited = [
        change.file
        for change in changes_of(document, [science, wavecal])
        if change.keyword == "SP_SET_A"
    ]
    assert science.path.name in edited


def test_sub_exposures_that_cannot_be(make_exposure: MakeExposure) -> None:
    def refused(division: Any, orbits: tuple[str, ...] = (), **keywords: object) -> str:
        exposure = make_exposure(X1DCORR="PERFORM", **keywords)
        table = fits.BinTableHDU.from_columns(
            [fits.Column("TIME", "1E", array=[0.0])], name="EVENTS"
        )
        table.header["EXPTIME"] = 600.0
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(exposure.path, overwrite=True)
        recipe = parse_recipe({"sub_exposures": division})
        assert recipe.sub_exposures is not None
        with pytest.raises(PermanentError) as caught:
            divide(recipe.sub_exposures, [exposure], orbits)
        return str(caught.value)

    assert "whose events have no times" in refused({"every": 100}, OBSMODE="ACCUM")
    assert "no spectrum extracted" in refused({"every": 100}, OBSTYPE="IMAGING")
    assert "only the FUV has pulse heights" in refused({"pulse_heights": [[2, 9]]}, DETECTOR="NUV")
    assert "ldfd01vnq_spt is missing" in refused({"orbit": ["night"]})
    assert "after the end of every exposure" in refused({"every": 100, "start": 700})
    assert "after the end of every exposure" in refused({"intervals": [[600, 700]]})
    many = [[number / 10, number] for number in range(1, 1000)]
    for division in (
        {"every": 10, "orbit": ["day", "night"]},
        {"every": 1e-308},
        {"intervals": many, "target_altitude": [[0, 90]] * 1000, "pulse_heights": [[2, 9]] * 1000},
    ):
        assert "a run has at most 100, and these are more" in refused(division, ("ldfd01vnq",))
