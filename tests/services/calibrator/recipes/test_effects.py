"""Recipes of which a part would be passed over in silence."""

from typing import Any

import pytest

from services.calibrator.recipes.edits.planning import plan
from services.calibrator.run.headers import Exposure
from shared.errors import PermanentError
from shared.recipes import parse_recipe
from tests.services.calibrator.conftest import MakeExposure

FIRST, SECOND = "ldfd01vnq", "ldfd01vpq"
ALIGNED = {
    "XTRCTALG": "TWOZONE",
    "X1DCORR": "PERFORM",
    "TRCECORR": "PERFORM",
    "ALGNCORR": "PERFORM",
    "BACKCORR": "PERFORM",
}
FUVA = (FIRST, "rawtag_a", ALIGNED)
FUVB = (FIRST, "rawtag_b", ALIGNED | {"SEGMENT": "FUVB"})
OTHER = (SECOND, "rawtag_a", ALIGNED)
BOX = (FIRST, "rawtag_a", {"XTRCTALG": "BOXCAR", "X1DCORR": "PERFORM"})
NUV = (
    FIRST,
    "rawtag",
    {"DETECTOR": "NUV", "SEGMENT": "N/A", "XTRCTALG": "BOXCAR", "X1DCORR": "PERFORM"},
)
IMAGE = (
    FIRST,
    "rawtag",
    {"DETECTOR": "NUV", "SEGMENT": "N/A", "OBSTYPE": "IMAGING", "X1DCORR": "PERFORM"},
)
LAMP = (SECOND, "rawtag_b", {"SEGMENT": "FUVB", "EXPTYPE": "WAVECAL"})
HEIGHT = {"HEIGHT": 35}


@pytest.mark.parametrize(
    ("made", "document", "reason"),
    [
        ([FUVA], {"keywords": {"SP_SET_A": 1.0}}, None),
        (
            [FUVA],
            {"keywords": {"SP_SET_B": 1.0}},
            "keywords.SP_SET_B is for segment FUVB, of which this recipe has no raw",
        ),
        ([FUVA, FUVB], {"keywords": {"SP_SET_A": 1.0, "SP_SET_B": 1.0}}, None),
        (
            [FUVA, FUVB],
            {"members": {"file": f"{FIRST}_rawtag_a.fits"}, "keywords": {"SP_SET_B": 1.0}},
            "segment FUVB",
        ),
        ([NUV], {"keywords": {"SP_SET_A": 1.0}}, "SP_SET_A is for segment FUVA"),
        (
            [FUVA, FUVB, OTHER],
            {"exposures": {SECOND: {"keywords": {"SP_SET_B": 1.0}}}},
            f"of which {SECOND} has no raw",
        ),
        ([FUVA, FUVB, OTHER], {"exposures": {FIRST: {"keywords": {"SP_SET_B": 1.0}}}}, None),
        ([FUVA], {"extraction": {"twozone": {"FUVA": HEIGHT}}}, None),
        ([FUVA], {"extraction": {"twozone": {"all": HEIGHT}}}, None),
        (
            [FUVA],
            {"extraction": {"twozone": {"all": HEIGHT, "FUVB": HEIGHT}}},
            "twozone.FUVB has no effect: .* FUVA$",
        ),
        ([FUVA, LAMP], {"extraction": {"twozone": {"FUVB": HEIGHT}}}, "twozone.FUVB has no effect"),
        ([BOX], {"extraction": {"boxcar": {"NUVC": HEIGHT}}}, "boxcar.NUVC has no effect"),
        ([NUV], {"extraction": {"boxcar": {"NUVC": HEIGHT}}}, None),
        ([NUV], {"extraction": {"boxcar": {"FUVA": HEIGHT}}}, "are of NUVA, NUVB, NUVC"),
        (
            [BOX],
            {"extraction": {"boxcar": {"all": HEIGHT}, "twozone": {"all": HEIGHT}}},
            "twozone.all has no effect",
        ),
        (
            [BOX, OTHER],
            {"extraction": {"boxcar": {"all": HEIGHT}, "twozone": {"all": HEIGHT}}},
            None,
        ),
        (
            [BOX],
            {"switches": {"X1DCORR": "OMIT"}, "extraction": {"boxcar": {"all": HEIGHT}}},
            "are none at all",
        ),
        ([IMAGE], {"extraction": {"boxcar": {"all": HEIGHT}}}, "are none at all"),
    ],
)
def test_what_no_exposure_takes_is_refused(
    make_exposure: MakeExposure, made: list[tuple[str, str, Any]], document: Any, reason: str | None
) -> None:
    exposures: list[Exposure] = [
        make_exposure(root, suffix, RANDSEED=5, **header) for root, suffix, header in made
    ]
    names = [exposure.path.name for exposure in exposures]
    if reason is None:
        plan(parse_recipe(document), None, exposures, names, 1, lambda _context, _exposure: {})
        return
    with pytest.raises(PermanentError, match=reason):
        plan(parse_recipe(document), None, exposures, names, 1, lambda _context, _exposure: {})
