"""Which recipes are taken, which are refused and why."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from shared.cos.references import FILETYPES
from shared.cos.switches import SWITCHES
from shared.errors import PermanentError
from shared.recipes import Recipe, parse_recipe, recipe_schema
from shared.recipes.keywords import KEYWORDS
from shared.recipes.problems import WORDS
from shared.recipes.recipe import PATTERNS

DOCS = Path(__file__).parents[3] / "docs"
EDITED = {"switches": {"FLATCORR": "OMIT"}}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"swtiches": {}}, "swtiches: no such key"),
        ({"version": 2}, "version"),
        ([], "recipe"),
        ({"switches": {"FLATCOR": "OMIT"}}, "FLATCOR: not among the calibration switches"),
        ({"switches": {"STATFLAG": "OMIT"}}, "give it among the keywords"),
        ({"switches": {"FLATCORR": "off"}}, "PERFORM"),
        ({"switches": {"GEOCORR": "OMIT", "DGEOCORR": "PERFORM"}}, "omit both"),
        ({"references": {"FLATFIL": "a_flat.fits"}}, "not among the reference keywords"),
        ({"references": {"FLATFILE": "../../etc/passwd"}}, "FLATFILE"),
        ({"keywords": {"FLATCORR": "OMIT"}}, "give it among the switches"),
        ({"keywords": {"FLATFILE": "a_flat.fits"}}, "give it among the references"),
        ({"keywords": {"XTRCTALG": "OPTIMAL"}}, "one of BOXCAR, TWOZONE"),
        ({"keywords": {"RANDSEED": -1}}, "cannot be repeated"),
        ({"keywords": {"SDQFLAGS": True}}, "of type int"),
        ({"keywords": {"SP_SET_A": 5000}}, "between"),
        ({"keywords": {"XTRCTALG": "TWOZONE"}, "switches": {"ALGNCORR": "OMIT"}}, "needs ALGNCORR"),
        (
            {
                "keywords": {"XTRCTALG": "TWOZONE"},
                "exposures": {"ldfd01vnq": {"switches": {"TRCECORR": "OMIT"}}},
            },
            "needs TRCECORR",
        ),
        (
            {
                "keywords": {"XTRCTALG": "BOXCAR"},
                "extraction": {"twozone": {"all": {"HEIGHT": 51}}},
            },
            "no effect",
        ),
        ({"extraction": {"boxcar": {"all": {"HEIGHT": 34}}}}, "must be odd"),
        (
            {"extraction": {"twozone": {"all": {"LOWER_OUTER": 0.9, "UPPER_OUTER": 0.1}}}},
            "must ascend",
        ),
        ({"extraction": {"twozone": {"FUVC": {}}}}, "FUVC"),
        ({"options": {"binx": 2}}, "set create_csum_image"),
        ({"options": {"find_target": {"cutoff": 2.0}}}, "set flag to true"),
        ({"options": {"only_csum": True, "stimfile": True}}, "leaves out what stimfile"),
        ({"options": {"shift_file": ["any any one FUVA 3.0"]}}, "shift_file"),
        ({"members": {"only": "ldfd01vnq", "drop": ["ldfd01vpq"]}}, "excludes drop"),
        ({"members": {"drop": ["ldfd01vnq", "LDFD01VNQ"]}}, "twice"),
        ({"members": {"file": "ldfd01vnq_x1d.fits"}}, "members.file"),
        ({"members": {"file": "ldfd01vnq_corrtag_a.fits", "drop": ["ldfd01vpq"]}}, "excludes drop"),
        (
            {"members": {"file": "ldfd01vnq_rawtag_a.fits", "only": "ldfd01vnq"}},
            "give one of the two",
        ),
        (
            {"members": {"file": "ldfd01vnq_rawtag_a.fits"}, "exposures": {"ldfd01vpq": EDITED}},
            "only ldfd01vnq",
        ),
        ({"sub_exposures": {}}, "nothing divides the exposures"),
        ({"sub_exposures": {"every": 10.0, "times": [0, 5]}}, "both divide the time"),
        ({"sub_exposures": {"every": 0}}, "greater than 0"),
        ({"sub_exposures": {"times": [0, 5], "stop": 4}}, "those of `every`"),
        ({"sub_exposures": {"every": 1, "start": 5, "stop": 4}}, "start must be before stop"),
        ({"sub_exposures": {"times": [5]}}, "at least two"),
        ({"sub_exposures": {"times": [5, 3]}}, "ascend"),
        ({"sub_exposures": {"intervals": [[5, 5]]}}, "none is empty"),
        ({"sub_exposures": {"orbit": ["dusk"]}}, "day"),
        ({"sub_exposures": {"orbit": ["day"], "sun_altitude": [[0, 5]]}}, "give one of the two"),
        ({"sub_exposures": {"pulse_heights": [[2, 32]]}}, "less than or equal to 31"),
        ({"sub_exposures": {"pulse_heights": [[9, 2]]}}, "at most the second"),
        ({"sub_exposures": {"every": 9, "wavelengths": [1500, 1200]}}, "wavelengths"),
        ({"sub_exposures": {"every": 9}, "options": {"only_csum": True}}, "nothing to divide"),
        (
            {"members": {"drop": ["ldfd01vnq"]}, "exposures": {"ldfd01vnq": EDITED}},
            "dropped and edited",
        ),
    ],
)
def test_impossible_recipes_are_refused_with_the_reason(document: Any, reason: str) -> None:
    with pytest.raises(PermanentError, match=reason):
        parse_recipe(document)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"members": {"drop": "ldfd01vnq"}},
            "members.drop: should be a list, such as [a, b], not 'ldfd01vnq'",
        ),
        ({"switches": None}, "switches: should be keys with values, not None"),
        (
            {"switches": {"FLATCORR": "off"}},
            "switches.FLATCORR: should be 'PERFORM' or 'OMIT', not 'off'",
        ),
        (
            {"keywords": {"SDQFLAGS": [8]}},
            "keywords.SDQFLAGS: should be a number, a text, true or false, not [8]",
        ),
        (
            {"context": "1028"},
            "context: should be a context of CRDS, such as hst_1028.pmap, not '1028'",
        ),
        (
            {"options": {"verbosity": 3, "binx": 0}},
            "0, 1 or 2, not 3; options.binx: should be greater than or equal",
        ),
    ],
)
def test_what_is_wrong_is_said_in_words(document: Any, message: str) -> None:
    with pytest.raises(PermanentError) as refused:
        parse_recipe(document)
    assert message in str(refused.value)


def test_every_text_with_a_pattern_is_explained() -> None:
    def patterns(part: Any) -> set[str]:
        if isinstance(part, list):
            return set().union(*map(patterns, part))
        if not isinstance(part, dict):
            return set()
        own = {value for name, value in part.items() if name == "pattern"} | set(
            part.get("patternProperties", ())
        )
        return own.union(*map(patterns, part.values()))

    assert patterns(recipe_schema()) == set(PATTERNS)
    assert set(PATTERNS.values()) == set(WORDS)


def test_recipes_that_mean_the_same_are_the_same() -> None:
    short = parse_recipe({"keywords": {"SP_SET_A": 3}, "members": {"drop": ["LDFD01VNQ"]}})
    long = parse_recipe(
        {
            "version": 1,
            "switches": {},
            "keywords": {"SP_SET_A": 3.0},
            "options": {"verbosity": 1, "find_target": {"flag": False}},
            "members": {"drop": ["ldfd01vnq"], "only": None},
        }
    )
    assert short == long
    assert short.canonical() == {
        "version": 1,
        "keywords": {"SP_SET_A": 3.0},
        "members": {"drop": ["ldfd01vnq"]},
    }
    assert parse_recipe({}).canonical() == {"version": 1}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            {"members": {"drop": ["ldfd01vnq", "ldfd01vpq"]}},
            {"members": {"drop": ["LDFD01VPQ", "ldfd01vnq"]}},
        ),
        (
            {"members": {"wavecals": ["ldfd02vnq", "ldfd01vpq"]}},
            {"members": {"wavecals": ["ldfd01vpq", "ldfd02vnq"]}},
        ),
        ({}, {"exposures": {"ldfd01vnq": {}, "ldfd01vpq": {"switches": {}}}}),
        (
            {"exposures": {"ldfd01vnq": EDITED}},
            {"exposures": {"LDFD01VPQ": {}, "LDFD01VNQ": EDITED}},
        ),
    ],
)
def test_neither_order_nor_empty_parts_make_another_recipe(one: Any, other: Any) -> None:
    assert parse_recipe(one) == parse_recipe(other)
    assert parse_recipe(one).canonical() == parse_recipe(other).canonical()


def test_an_exposure_goes_over_what_holds_for_all() -> None:
    recipe = parse_recipe(
        {
            "switches": {"FLATCORR": "OMIT", "BACKCORR": "OMIT"},
            "exposures": {
                "ldfd01vnq": {"switches": {"FLATCORR": "PERFORM"}, "keywords": {"SP_SET_A": -1.5}}
            },
        }
    )
    assert recipe.edits("ldfd01vpq") == {"FLATCORR": "OMIT", "BACKCORR": "OMIT"}
    assert recipe.edits("ldfd01vnq") == {
        "FLATCORR": "PERFORM",
        "BACKCORR": "OMIT",
        "SP_SET_A": -1.5,
    }


def test_numbers_of_a_segment_go_before_those_of_all() -> None:
    recipe = parse_recipe(
        {"extraction": {"twozone": {"all": {"HEIGHT": 51}, "FUVB": {"LOWER_OUTER": 0.0}}}}
    )
    assert recipe.extraction.numbers("TWOZONE", "FUVA") == {"HEIGHT": 51}
    assert recipe.extraction.numbers("TWOZONE", "FUVB") == {"LOWER_OUTER": 0.0}
    assert recipe.extraction.numbers("BOXCAR", "FUVA") == {}


def test_times_of_sub_exposures() -> None:
    def times(**division: Any) -> list[tuple[float, float]]:
        recipe = parse_recipe({"sub_exposures": division})
        assert recipe.sub_exposures is not None
        return recipe.sub_exposures.times_of(600.0)

    assert times(every=250) == [(0.0, 250.0), (250.0, 500.0), (500.0, 600.0)]
    assert times(every=200) == [(0.0, 200.0), (200.0, 400.0), (400.0, 600.0)]
    assert times(every=100, start=350, stop=500) == [(350.0, 450.0), (450.0, 500.0)]
    assert times(every=100, start=700) == []
    assert times(times=[0, 10, 30]) == [(0.0, 10.0), (10.0, 30.0)]
    assert times(intervals=[[10, 20], [15, 30]]) == [(10.0, 20.0), (15.0, 30.0)]
    assert times(orbit=["night"]) == [(0.0, 600.0)]


def _some(chance: random.Random, names: list[str], values: list[Any]) -> dict[str, Any]:
    return {
        name: chance.choice(values)
        for name in chance.sample(names, chance.randint(0, min(3, len(names))))
    }


def random_document(chance: random.Random) -> dict[str, Any]:
    """Return the document as somebody might write it: mostly right, now and then with a slip."""
    junk: list[Any] = [None, "", -1, 2.5, True, [], {}, "x" * 300, float("nan")]

    def slip(value: Any) -> Any:
        return chance.choice(junk) if chance.random() < 0.04 else value

    def edits() -> dict[str, Any]:
        return {
            "switches": slip(_some(chance, [*SWITCHES, "NOCORR"], ["PERFORM", "OMIT"])),
            "references": slip(_some(chance, list(FILETYPES), ["a_flat.fits", "N/A"])),
            "keywords": slip(
                _some(chance, list(KEYWORDS), ["BOXCAR", "TWOZONE", 8346, 0, 2.0, False])
            ),
        }

    height, row = chance.randint(1, 60), chance.uniform(0, 1023)
    zones = [chance.random() for _ in range(4)]
    zones = zones if chance.random() < 0.2 else sorted(zones)
    names = ("LOWER_OUTER", "LOWER_INNER", "UPPER_INNER", "UPPER_OUTER")
    parts = {
        "exposures": {"ldfd01vnq": edits()},
        "options": _some(
            chance, ["create_csum_image", "only_csum", "stimfile", "compress_csum"], [True, False]
        ),
        "members": _some(chance, ["drop", "wavecals"], [["ldfd01vnq"], ["ldfd01vpq", "ldfd01vrq"]]),
        "extraction": {
            chance.choice(["twozone", "boxcar"]): {
                chance.choice(["all", "FUVA", "NUVB"]): {"HEIGHT": height, "B_SPEC": row}
                | (dict(zip(names, zones, strict=True)) if chance.random() < 0.5 else {})
            }
        },
    }
    chosen = {name: slip(part) for name, part in parts.items() if chance.random() < 0.5}
    return edits() | chosen


def test_random_recipes_are_taken_whole_or_refused_with_a_reason() -> None:
    chance = random.Random(6)
    taken, reasons = 0, []
    for _ in range(1000):
        try:
            recipe = parse_recipe(random_document(chance))
        except PermanentError as error:
            reasons.append(str(error))
            continue
        taken += 1
        canonical = json.loads(json.dumps(recipe.canonical()))
        assert parse_recipe(canonical) == recipe
        assert parse_recipe(canonical).canonical() == canonical
    assert all(len(reason) > len("recipe: ") for reason in reasons)
    assert min(taken, len(reasons)) > 100


def test_the_schema_is_published() -> None:
    schema = recipe_schema()
    assert schema["properties"].keys() == Recipe.model_fields.keys()
    assert json.loads((DOCS / "reference" / "recipe.schema.json").read_text()) == schema
    for part in (schema, schema["$defs"]["Edits"]):
        keywords = part["properties"]["keywords"]
        assert keywords["additionalProperties"] is False
        assert keywords["properties"].keys() == KEYWORDS.keys()
        assert keywords["properties"]["XTRCTALG"] == {
            "type": "string",
            "enum": ["BOXCAR", "TWOZONE"],
        }
        assert keywords["properties"]["SDQFLAGS"] == {
            "type": "integer",
            "minimum": 0,
            "maximum": 32767,
        }
