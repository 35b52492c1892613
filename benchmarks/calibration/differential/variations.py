"""Variations of references, events, headers, associations and arguments of CalCOS."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from benchmarks.calibration.differential.tables import (
    Random,
    change_column,
    change_rows,
    replace_file,
)
from benchmarks.calibration.differential.visits import Visit

__all__ = ["Trial", "vary"]

_SWITCHES = ("PERFORM", "OMIT", "COMPLETE")
_FLAGS = (0, 1, 8, 184, 8346, 32767, 32768, 65535, -1)
_KEYWORDS: dict[str, tuple[Any, ...]] = {
    "SDQFLAGS": _FLAGS,
    "XTRCTALG": ("BOXCAR", "TWOZONE"),
    "APERTURE": ("PSA", "BOA", "WCA", "XYZ"),
    "TAGFLASH": ("NONE", "AUTO"),
    "SUBARRAY": (True,),
    "EXPTYPE": ("EXTERNAL/SCI", "DARK", "WAVECAL"),
    "RANDSEED": (0, 7, 2**31 - 1),
    "DOPPON": (False,),
    "DOPPONT": (False,),
    "FPOFFSET": (-2, 1, 9),
    "CENWAVE": (1291, 9999),
}
_EXTENSION_KEYWORDS: dict[str, tuple[Any, ...]] = {
    "EXPTIME": (0.0, -1.0, 1e-3, 3),
    "ORIENTAT": (0, 400.0),
    "DOPPMAGV": (0.0, 400.0, "big"),
    "DOPPMAGT": (0, 9),
    "EXPSTRTJ": (1,),
    "DETHVLA": (0, 200),
    "NEVENTS": (0,),
    "NSUBARRY": (0, 2),
    "SHIFT1A": (5.0, 900.0),
}


@dataclass
class Trial:
    """One pair of runs.

    Attributes
    ----------
    visit
        Files, already varied.
    target
        What CalCOS is given.
    arguments
        Keyword arguments of ``calcos.calcos``.
    done
        What was varied.
    """

    visit: Visit
    target: Path
    arguments: dict[str, Any] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)


def vary(visit: Visit, random: Random) -> Trial:
    """Vary the files of a visit in one to three ways.

    Parameters
    ----------
    visit
        Its files are replaced, so a copy.
    random
        Whatever is chosen comes from here.
    """
    trial = Trial(visit, visit.association or visit.inputs[0])
    for _ in range(int(random.integers(1, 4))):
        names = list(_VARIATIONS)
        weights = np.array([_VARIATIONS[name][1] for name in names])
        chosen = str(random.choice(names, p=weights / weights.sum()))
        try:
            done = _VARIATIONS[chosen][0](trial, random)
        except (
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:  # Astropy does not write every form
            done = f"{chosen}: not written, {error}"
        trial.done += [done] if done else []
    return trial


def _reference(trial: Trial, random: Random) -> str:
    return change_column(_any_reference(trial, random), random)


def _reference_rows(trial: Trial, random: Random) -> str:
    return change_rows(_any_reference(trial, random), random)


def _any_reference(trial: Trial, random: Random) -> Path:
    tables = []
    for path in sorted(trial.visit.references.iterdir()):
        with fits.open(path) as hdus:
            if any(isinstance(hdu, fits.BinTableHDU) for hdu in hdus):
                tables.append(path)
    return tables[int(random.integers(len(tables)))]


def _image(trial: Trial, random: Random) -> str:
    """Store the pixels of a reference image, or of a raw image, otherwise."""
    candidates = []
    for path in [*sorted(trial.visit.references.iterdir()), *trial.visit.inputs]:
        with fits.open(path) as hdus:
            candidates += [
                (path, index)
                for index, hdu in enumerate(hdus)
                if isinstance(hdu, fits.ImageHDU) and hdu.shape
            ]
    if not candidates:
        return ""
    path, extension = candidates[int(random.integers(len(candidates)))]
    kind = str(random.choice(["scaled", "float32", "float64", "int16", "int32", "uint16"]))
    with fits.open(path, memmap=False) as hdus:
        hdu = hdus[extension]
        if kind == "scaled":
            hdu.scale("int32", bscale=max(float(np.abs(hdu.data).max()), 1.0) / 2**30, bzero=0)
        else:
            hdu.data = np.nan_to_num(hdu.data).astype(kind)
        replace_file(path, hdus)
    return f"{path.name}[{extension}]: {kind}"


def _events(trial: Trial, random: Random) -> str:
    return change_column(_any_input(trial, random), random)


def _event_rows(trial: Trial, random: Random) -> str:
    path = _any_input(trial, random)
    with fits.open(path) as hdus:
        if not any(isinstance(hdu, fits.BinTableHDU) for hdu in hdus):
            return ""
    return change_rows(path, random)


def _extension(trial: Trial, _random: Random) -> str:
    """Append an extension to a raw file."""
    path = _any_input(trial, _random)
    with fits.open(path, memmap=False) as hdus:
        hdus.append(fits.ImageHDU(np.zeros((2, 2)), name="NOTES"))
        replace_file(path, hdus)
    return f"{path.name}: another extension"


def _any_input(trial: Trial, random: Random) -> Path:
    inputs = trial.visit.inputs
    return inputs[int(random.integers(len(inputs)))]


def _switches(trial: Trial, random: Random) -> str:
    """Set some calibration switches, the same in all files or in one."""
    paths = trial.visit.inputs if random.random() < 0.6 else [_any_input(trial, random)]
    header = fits.getheader(paths[0])
    switches = [
        key for key in header if key.endswith("CORR") and header[key] in (*_SWITCHES, "SKIPPED")
    ]
    chosen = random.choice(switches, min(int(random.integers(1, 4)), len(switches)), replace=False)
    values = {str(key): str(random.choice(_SWITCHES, p=[0.4, 0.55, 0.05])) for key in chosen}
    return _set(paths, values, 0)


def _keywords(trial: Trial, random: Random) -> str:
    paths = trial.visit.inputs if random.random() < 0.6 else [_any_input(trial, random)]
    extension = int(random.random() < 0.4)
    choices = _EXTENSION_KEYWORDS if extension else _KEYWORDS
    keyword = str(random.choice(list(choices)))
    return _set(
        paths, {keyword: choices[keyword][int(random.integers(len(choices[keyword])))]}, extension
    )


def _set(paths: list[Path], values: dict[str, Any], extension: int) -> str:
    for path in paths:
        with fits.open(path, memmap=False) as hdus:
            if extension < len(hdus):
                hdus[extension].header.update(values)
            replace_file(path, hdus)
    return f"{', '.join(path.name for path in paths)}[{extension}]: {values}"


def _association(trial: Trial, random: Random) -> str:
    """Change rows of the association table, or calibrate one exposure without it."""
    path = trial.visit.association
    if path is None or trial.target != path:
        return ""
    kind = str(
        random.choice(
            [
                "single",
                "dropped",
                "doubled",
                "reversed",
                "lower case",
                "absent",
                "wrong type",
                "column",
            ]
        )
    )
    if kind == "single":
        trial.target = _any_input(trial, random)
        return f"{trial.target.name} alone"
    if kind == "column":
        return change_column(path, random) or change_rows(path, random)
    with fits.open(path, memmap=False) as hdus:
        rows = np.array(hdus[1].data.view(np.ndarray))
        members = np.flatnonzero(~np.char.startswith(rows["MEMTYPE"].astype(str), "PROD"))
        one = int(random.choice(members))
        if kind == "dropped":
            rows = np.delete(rows, one)
        elif kind == "doubled":
            rows = np.insert(rows, one, rows[one])
        elif kind == "reversed":
            rows = rows[::-1].copy()
        elif kind == "lower case":
            rows["MEMNAME"][one] = rows["MEMNAME"][one].lower()
        elif kind == "wrong type":
            rows["MEMTYPE"][one] = str(
                random.choice(["EXP-FP", "EXP-AWAVE", "EXP-GWAVE", "EXP-SWAVE", "EXP-XYZ"])
            )
        else:
            rows["MEMPRSNT"][one] = ord("F")
        hdus[1] = fits.BinTableHDU(rows.view(fits.FITS_rec), header=hdus[1].header)
        replace_file(path, hdus)
    return f"{path.name}: member {one} {kind}"


def _arguments(trial: Trial, random: Random) -> str:
    """Ask CalCOS for something more, in the folder of the products, which is the working folder."""
    choices: list[dict[str, Any]] = [
        {"stimfile": "stim.txt", "livetimefile": "livetime.txt"},
        {"burstfile": "burst.txt"},
        {"create_csum_image": True},
        {"only_csum": True, "create_csum_image": True},
        {"create_csum_image": True, "raw_csum_coords": True},
        {"find_target": {"flag": True, "cutoff": float(random.choice([0.5, 20.0]))}},
        {"verbosity": 2},
    ]
    chosen = choices[int(random.integers(len(choices)))]
    trial.arguments.update(chosen)
    return repr(chosen)


_VARIATIONS: dict[str, tuple[Callable[[Trial, Random], str], float]] = {
    "column of a reference": (_reference, 6.0),
    "rows of a reference": (_reference_rows, 2.0),
    "pixels": (_image, 1.0),
    "column of events": (_events, 3.0),
    "rows of events": (_event_rows, 2.0),
    "extension": (_extension, 0.3),
    "switches": (_switches, 2.5),
    "keywords": (_keywords, 2.0),
    "association": (_association, 1.5),
    "arguments": (_arguments, 1.5),
}
"""Each way with its weight."""
