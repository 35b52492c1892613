"""Decades of lamp flashes as rows of tables, with the truth beside them, without any files.

What CalCOS would measure is the truth and chance: a flash of N counts in lines that are one
resolution element wide is placed to that width over the root of N, and to the pixels.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulator.mission.truth import write_json
from simulator.truth import TRUTH_NAME

__all__ = ["FlashTables", "flash_tables"]

Row = dict[str, Any]

_FIRST, _LAST = 55100.0, 61300.0
"""MJD of the first and last exposure: 17 years."""
_DAY: Final = 86400.0
_YEAR: Final = 365.25

_CREEP, _CREEP_SECONDS = 1e-3, 3000.0
"""Drift just after a move, pix/s, and its decay time, s."""
_CREEP_ACROSS = 1e-5
"""Drift across dispersion, pix/s."""
_AGEING = 0.002
"""Trend of the place of spectra, pix a day."""
_SIDE = 271.0
"""Half of the width of the box that spectra are looked for in, pix."""

_SIGMA_ALONG, _SIGMA_ACROSS = 6.0 / 2.3548, 7.0 / 2.3548
"""Standard deviations of the lamp's spectrum in a resolution element and in its rows, pix."""
_SCATTER_ALONG, _SCATTER_ACROSS = 0.12, 0.06
"""Scatter of what CalCOS finds in bright spectra, pix (``docs/explanation/measured.rst``)."""

_RATES = {"FUVA": 112.0, "FUVB": 54.0}
"""Rates of the lamp at first light, count/s."""
_BACKGROUND = 2.0
_FADING = {"P1": 0.03, "P2": 0.0}
"""What the lamps lose in a year."""
_JUMP = 0.92
"""Share of the mission after which P2 has 0.4 of its brightness."""
_SECONDS = 12.0
_STARTS = (0.0, 600.0, 2000.0)
_EXPTIME = 2500.0


@dataclass(frozen=True)
class FlashTables:
    """Rows of tables, and the truth.

    Attributes
    ----------
    flashes
        Rows of ``lampflash``, with ``file_id``.
    exposures
        Rows of ``quality``, with ``file_id`` and ``mjd``.
    moves
        Seconds from the last move of OSM1 to the start of exposures, by rootname; of those that a
        report plans.
    truth
        ``flashes``, by rootname, segment and number: ``shift1``, ``shift2``, ``drift``,
        ``drift_across``; ``rate``, relative to that of first light; ``hours`` by rootname;
        ``fading`` by lamp, a year; ``injected``: keys by what is wrong with them.
    """

    flashes: list[Row] = field(default_factory=list)
    exposures: list[Row] = field(default_factory=list)
    moves: dict[str, float] = field(default_factory=dict)
    truth: dict[str, Any] = field(default_factory=dict)

    def write_truth(self, folder: Path) -> Path:
        """Write the truth as ``truth.json``."""
        return write_json(self.truth, folder / TRUTH_NAME)


def flash_tables(seed: int, count: int) -> FlashTables:
    """Draw decades of FUV exposures.

    One in 40 has each of: a flash of fewer than 50 counts, one flash of FUVB less, a lifetime
    position of -1 and offsets of 50 pixels, a template of FUVB without lines (rows are copies), no
    schedule report; one in 100 a segment that is 15 pixels off, a spectrum at the side of its box.

    Parameters
    ----------
    seed
        Random seed.
    count
        How many exposures.
    """
    random = np.random.default_rng(seed)
    found = FlashTables()
    injected: dict[str, list[str]] = {}
    found.truth.update(
        flashes={}, hours={}, injected=injected, fading=_FADING, creep=[_CREEP, _CREEP_SECONDS]
    )
    hours = dict.fromkeys(_FADING, 0.0)
    for number in range(count):
        share = number / count
        faults = {
            name
            for name, every, place in (
                ("faint", 40, 3),
                ("unequal", 40, 7),
                ("engineering", 40, 11),
                ("copied", 40, 15),
                ("pending", 40, 19),
                ("apart", 100, 33),
                ("side", 100, 77),
            )
            if number % every == place
        }
        lamp = "P2" if number % 4 == 0 else "P1"
        root = f"lf{number:06d}q"
        for fault in faults:
            injected.setdefault(fault, []).append(root)
        if lamp == "P2" and share >= _JUMP:
            injected.setdefault("jump", []).append(root)
        found.exposures.append(_exposure(number, root, share, lamp))
        hours[lamp] += _SECONDS * len(_STARTS) / 3600.0
        found.truth["hours"][root] = hours[lamp]
        since = float(np.exp(random.uniform(np.log(120.0), np.log(4e4))))
        if "pending" not in faults:
            found.moves[root] = since
        _add_flashes(found, random, number, root, lamp, since, faults, share)
    return found


def _exposure(number: int, root: str, share: float, lamp: str) -> Row:
    return {
        "file_id": number + 1,
        "rootname": root,
        "mjd": _FIRST + share * (_LAST - _FIRST),
        "exptype": "EXTERNAL/SCI",
        "exptime": _EXPTIME,
        "lamp_seconds": _SECONDS * len(_STARTS),
        "numflash": len(_STARTS),
        "lampused": lamp,
        "lampset": "Medium",
    }


def _add_flashes(
    found: FlashTables,
    random: np.random.Generator,
    number: int,
    root: str,
    lamp: str,
    since: float,
    faults: set[str],
    share: float,
) -> None:
    mjd = _FIRST + share * (_LAST - _FIRST)
    fppos = 1 + number % 4
    commanded = 240.0 * (fppos - 3)
    place = _AGEING * (mjd - _FIRST) - 6.0 + (_SIDE - 3.0 if "side" in faults else 0.0)
    brightness = 1.0 - _FADING[lamp] * (mjd - _FIRST) / _YEAR
    brightness *= 0.4 if lamp == "P2" and share >= _JUMP else 1.0
    for segment, rate in _RATES.items():
        copied = "copied" in faults and segment == "FUVB"
        for flash, start in enumerate(_STARTS, 1):
            if "unequal" in faults and segment == "FUVB" and flash == len(_STARTS):
                continue
            faint = "faint" in faults and flash == 2
            middle = start + _SECONDS / 2.0
            off = 15.0 if "apart" in faults and segment == "FUVA" else 0.0
            engineering = 50.0 if "engineering" in faults else 0.0
            shift1 = place + off + engineering + _crept(since + middle) - _crept(since)
            shift2 = 0.5 - engineering + _CREEP_ACROSS * middle
            counts = float(random.poisson(3.0 if faint else rate * brightness * _SECONDS))
            background = float(random.poisson(_BACKGROUND * _SECONDS))
            net = max(counts + background - _BACKGROUND * _SECONDS, 0.0)
            measured = (
                shift1 + commanded + random.normal() * _error(counts, along=True),
                shift2 + random.normal() * _error(counts, along=False),
            )
            if copied:
                # CalCOS takes the row of the other segment.
                other = found.flashes[-len(_STARTS)]
                measured = other["shift_disp"], other["y_shift"]
            found.flashes.append(
                {
                    "file_id": number + 1,
                    "rootname": root,
                    "date": mjd,
                    "detector": "FUV",
                    "segment": segment,
                    "flash": flash,
                    "time": middle,
                    "exptime": _SECONDS,
                    "lamp_off": start + _SECONDS,
                    "shift_disp": measured[0],
                    "x_shift": measured[0] - commanded,
                    "y_shift": measured[1],
                    "found": not (copied or faint),
                    "has_lines": not copied,
                    "rate": net / _SECONDS,
                    "gross": (counts + background) / _SECONDS,
                    "life_adj": -1 if "engineering" in faults else 1 + int(4.0 * share),
                    "proposid": 15000,
                    "opt_elem": "G130M",
                    "cenwave": 1291,
                    "fppos": fppos,
                    "lamptab": "made_up_lamp.fits",
                    "wcptab": "made_up_wcp.fits",
                    "exptype": "EXTERNAL/SCI",
                    "lampused": lamp,
                    "lampset": "Medium",
                }
            )
            first = _crept(since + _SECONDS / 2.0)
            moved = _crept(since + middle) - first
            found.truth["flashes"].setdefault(root, {}).setdefault(segment, []).append(
                {
                    "shift1": shift1 + commanded,
                    "shift2": shift2,
                    "drift": moved / start if start else 0.0,
                    "drift_across": _CREEP_ACROSS,
                    "since": since + middle,
                    "brightness": brightness,
                }
            )


def _crept(seconds: float) -> float:
    """Return how far a spectrum has crept since a move, pix."""
    return _CREEP * _CREEP_SECONDS * (1.0 - float(np.exp(-seconds / _CREEP_SECONDS)))


def _error(counts: float, *, along: bool) -> float:
    width, scatter = (_SIGMA_ALONG, _SCATTER_ALONG) if along else (_SIGMA_ACROSS, _SCATTER_ACROSS)
    return float(np.hypot(width / np.sqrt(max(counts, 1.0)), scatter))
