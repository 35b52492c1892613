"""Recipes as somebody might write them: mostly possible, and often not."""

import random
from typing import Any

from shared.cos.switches import SWITCHES
from simulator.references.context import CONTEXTS
from tests.services.calibrator.recipes.benches import LAMP, Mode

__all__ = ["random_recipe"]

_ZONES = ("LOWER_OUTER", "LOWER_INNER", "UPPER_INNER", "UPPER_OUTER")
_ALIGNING = ("TRCECORR", "ALGNCORR")


def _some(chance: random.Random, part: dict[str, Any], most: int) -> dict[str, Any]:
    return {
        name: part[name]
        for name in chance.sample(sorted(part), min(len(part), chance.randint(0, most)))
    }


def _edits(chance: random.Random, mode: Mode) -> dict[str, Any]:
    keywords: dict[str, Any] = {
        "RANDSEED": chance.choice([0, 7, 99, 99, -1]),
        "STATFLAG": chance.random() < 0.5,
        "SDQFLAGS": chance.choice([0, 8, 184, 8346, 32767]),
        "SDQOUTER": chance.choice([0, 8346]),
    }
    if mode.segments or chance.random() < 0.05:
        keywords |= {"XTRCTALG": chance.choice(["BOXCAR", "TWOZONE"])}
        keywords |= {name: chance.uniform(-6, 6) for name in ("SP_SET_A", "SP_SET_B")}
    keywords = _some(chance, keywords, 3)
    named: dict[str, str] = {}
    if chance.random() < 0.3:
        choices = ["N/A", "nosuch_file.fits", *CONTEXTS]
        named = {
            name: chance.choice([*5 * [file], *choices]) for name, file in mode.references.items()
        }
        named["FLATFILE"] = chance.choice([mode.references["FLATFILE"], *mode.references.values()])
        named = _some(chance, named, 2)
    switches = {
        name: chance.choice(["PERFORM", "OMIT", "OMIT"]) for name in SWITCHES if name != "STATFLAG"
    }
    switches = _some(chance, switches, 3)
    if chance.random() < 0.8:  # who knows the handbook writes what goes together
        twozone = keywords.get("XTRCTALG", mode.algorithm) == "TWOZONE"
        if twozone or {"SP_SET_A", "SP_SET_B"} & set(keywords):
            switches = {name: value for name, value in switches.items() if name not in _ALIGNING}
        elif mode.segments:
            switches |= dict.fromkeys(_ALIGNING, "OMIT")
    return {"keywords": keywords, "switches": switches, "references": named}


def _extraction(chance: random.Random, mode: Mode, algorithm: str) -> dict[str, Any]:
    zones = [chance.choice([0.0, 1.0, chance.uniform(0, 1)]) for _ in _ZONES]
    zones = zones if chance.random() < 0.1 else sorted(zones)
    twozone = {"HEIGHT": chance.randint(5, 80), **dict(zip(_ZONES, zones, strict=True))}
    boxcar = {
        "HEIGHT": chance.randrange(1, 80, 2),
        "B_BKG1": chance.uniform(0, 1023),
        "SLOPE": chance.gauss(0, 1e-4),
    }
    background = {
        "B_BKG2": chance.uniform(0, 1100),
        "BHEIGHT": chance.randint(1, 60),
        "BWIDTH": chance.randint(1, 200),
    }
    if algorithm == "BOXCAR":
        boxcar |= {"B_SPEC": chance.uniform(0, 1023)}
    kind, numbers = ("twozone", twozone) if algorithm == "TWOZONE" else ("boxcar", boxcar)
    segment = chance.choice(["all", *(mode.segments or ("NUVA", "NUVB", "NUVC"))])
    return {kind: {segment: _some(chance, numbers | background, 6) or numbers}}


def _options(chance: random.Random) -> dict[str, Any]:
    summed = {"binx": chance.choice([1, 4]), "biny": 4, "raw_csum_coords": chance.random() < 0.3}
    packed = {"compress_csum": True, "compression_parameters": "gzip,-0.01"}
    found: list[dict[str, Any]] = [
        {"create_csum_image": True, **summed},
        {"create_csum_image": True, **packed},
        {"only_csum": True},
        {"find_target": {"flag": True, "cutoff": chance.uniform(0, 5)}},
        {"find_target": {"flag": chance.random() < 0.8}},
        {"shift_file": ["any any any any 3.0"]},
        {"shift_file": ["any any 1 FUVA -2.0 N/A", "any any any NUVB 4.0"]},
        {"save_temp_files": True, "verbosity": chance.choice([0, 1, 2])},
        {"stimfile": True, "livetimefile": True, "burstfile": True},
        {"binx": 3},
    ]
    return chance.choice(found)


def _members(chance: random.Random, mode: Mode) -> dict[str, Any]:
    first = mode.science[0]
    calibrated = [name.replace("_rawtag", "_corrtag") for name in mode.raw]
    found: list[dict[str, Any]] = [
        {"drop": [first]},
        {"drop": [chance.choice(mode.rootnames)]},
        {"only": first},
        {"file": chance.choice(mode.raw)},
        {"file": chance.choice(calibrated)},
        {"wavecals": [LAMP]},
        {"wavecals": ["lzzz01zzq"]},
    ]
    return chance.choice(found)


def _sub_exposures(chance: random.Random, mode: Mode) -> dict[str, Any]:
    edges = sorted(chance.uniform(0, 1.3 * mode.seconds) for _ in range(2))
    split = chance.choice([20.0, 45.0, 80.0])
    found: list[dict[str, Any]] = [
        {"every": chance.uniform(0.25, 1.5) * mode.seconds},
        {
            "every": chance.choice([0.1, 0.5 * mode.seconds]),
            "start": chance.uniform(0, mode.seconds),
        },
        {"times": edges},
        {"intervals": [edges]},
        {"pulse_heights": [[4, 11], [12, 20]]},
        {"orbit": ["day", "night"]},
        {"target_altitude": [[-90, split], [split, 180]]},
        {"sun_altitude": [[-90, 0]], "every": mode.seconds / 2},
    ]
    return chance.choice(found)


def random_recipe(chance: random.Random, mode: Mode) -> dict[str, Any]:
    """Return the recipe for a visit.

    Parameters
    ----------
    chance
        Its seed decides the recipe.
    mode
        The visit.
    """
    recipe = _edits(chance, mode)
    first = mode.science[0]
    algorithm = str(recipe["keywords"].get("XTRCTALG", mode.algorithm))
    if chance.random() < 0.1:
        algorithm = chance.choice(["BOXCAR", "TWOZONE"])
    parts = {
        "context": chance.choice([*CONTEXTS, "hst_9003.pmap"]),
        "exposures": {first: _edits(chance, mode)},
        "options": _options(chance),
        "members": _members(chance, mode),
        "extraction": _extraction(chance, mode, algorithm),
        "sub_exposures": _sub_exposures(chance, mode),
    }
    return recipe | {name: part for name, part in parts.items() if chance.random() < 0.2}
