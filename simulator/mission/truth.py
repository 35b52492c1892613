"""The truth of a mission, as one JSON file beside its data.

`SCHEMA` names its form; `documentation` is in ``docs/mission.rst``. Angles are degrees, times MJD UTC, shifts pixels.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.cos.history import HIGH_VOLTAGE, LIFETIME_POSITIONS
from simulator.mission.schedule import Mission
from simulator.mission.visits import Visit
from simulator.observe import Observation
from simulator.plan import ExposurePlan
from simulator.rawacq import Acquired
from simulator.sky import is_day, saa_distance, solar_flux, subsolar
from simulator.state import InstrumentState

__all__ = ["NAME", "SCHEMA", "Taken", "exposure_truth", "write_truth"]

SCHEMA = "cosmo-simulated-mission/1"
NAME = "truth.json"

Record = dict[str, Any]


@dataclass(frozen=True)
class Taken:
    """An exposure that was taken, with what came of it.

    Parameters
    ----------
    visit
        Its visit.
    plan, state
        The exposure and the instrument.
    observation
        What the detectors recorded; None for an acquisition.
    acquired
        What the acquisition found; None for any other exposure.
    files
        Names of its files.
    """

    visit: Visit
    plan: ExposurePlan
    state: InstrumentState
    observation: Observation | None
    acquired: Acquired | None
    files: tuple[str, ...]


def exposure_truth(mission: Mission, taken: Taken) -> Record:
    """Truth of one exposure."""
    plan, state = taken.plan, taken.state
    orbit, middle = mission.instrument.orbit, 0.5 * (plan.start + plan.stop)
    latitude, longitude = (float(angle) for angle in orbit.ground(middle))
    sun_latitude, sun_longitude = (float(angle) for angle in subsolar(middle))
    recordings = taken.observation.recordings if taken.observation else {}
    return {
        "rootname": plan.rootname,
        "visit": taken.visit.name,
        "routine": taken.visit.kind,
        "association": plan.association or None,
        "member_type": plan.member_type or None,
        "proposal": plan.proposal,
        "linenum": plan.linenum,
        "target": plan.target.name,
        "start": plan.start,
        "exptime": plan.exptime,
        **{key: getattr(plan, key) for key in _SETTING},
        "hv_level": {segment: plan.hv_level(segment) for segment in plan.segments if segment != "NUV"},
        "flashes": [[flash.on, flash.off] for flash in plan.flashes],
        "faults": [asdict(fault) for fault in plan.faults],
        "orbit": {
            "latitude": latitude,
            "longitude": longitude,
            "sun_latitude": sun_latitude,
            "sun_longitude": sun_longitude,
            "saa_distance": float(saa_distance(middle, latitude, longitude)),
            "solar_flux": float(solar_flux(middle)),
            "day": bool(is_day(orbit, middle)),
        },
        "detectors": {segment: _detector(state, segment, plan) for segment in plan.segments},
        "channels": {name: _channel(state, name, plan) for name in state.channels},
        "target_offset": list(state.target_offset),
        "events": {segment: len(found.time) for segment, found in recordings.items()},
        "live_time": {segment: found.live_time for segment, found in recordings.items()},
        "acquisition": _acquisition(taken.acquired),
        "files": sorted(taken.files),
    }


_SETTING = (
    "detector",
    "obsmode",
    "exptype",
    "opt_elem",
    "cenwave",
    "fppos",
    "aperture",
    "life_adj",
    "segment",
    "lamp",
    "since_osm_move",
    "extraction",
)


def _detector(state: InstrumentState, segment: str, plan: ExposurePlan) -> Record:
    detector = state.detectors[segment]
    return {
        "dark_rate": detector.dark_rate.mean(0.0, plan.exptime),
        "temperature": detector.temperature,
        "stims": [[stim.x, stim.y] for stim in detector.stims],
        "stim_rate": detector.stim_rate if detector.stims else 0.0,
        "lowest_gain": float(detector.modal_gain.min()) if detector.stims else None,
    }


def _channel(state: InstrumentState, name: str, plan: ExposurePlan) -> Record:
    channel = state.channels[name]
    middles = [0.5 * (flash.on + flash.off) for flash in plan.flashes] or [0.5 * plan.exptime]
    return {
        "times": middles,
        "shift_dispersion": [float(channel.shift_dispersion(time)) for time in middles],
        "shift_cross": [float(channel.shift_cross(time)) for time in middles],
        "lamp": channel.lamp,
        "sensitivity": {"wavelength": list(channel.sensitivity.at), "relative": list(channel.sensitivity.values)},
    }


def _acquisition(acquired: Acquired | None) -> Record | None:
    if acquired is None:
        return None
    return {"slew": list(acquired.slew), "success": acquired.success, "counts": acquired.counts}


def write_truth(
    mission: Mission, exposures: Sequence[Record], visits: Sequence[Visit], reports: Sequence[str], folder: Path
) -> Path:
    """Write the truth of a mission.

    Parameters
    ----------
    mission
        What it was drawn from.
    exposures
        Truth of each exposure, from `exposure_truth`.
    visits
        Its schedule.
    reports
        Names of the schedule reports.
    folder
        Where to.
    """
    content: Mapping[str, Any] = {
        "schema": SCHEMA,
        "mission": {**asdict(mission), "faults": [str(kind) for kind in mission.faults]},
        "instrument": {
            "sag": mission.instrument.sag,
            "high_voltage": {name: [list(step) for step in steps] for name, steps in HIGH_VOLTAGE.items()},
            "raises": [list(step) for step in mission.instrument.raises],
            "lifetime_positions": [asdict(position) for position in LIFETIME_POSITIONS],
        },
        "visits": [
            {
                "name": visit.name,
                "routine": visit.kind,
                "dominant_guide_star": visit.guiding.dominant,
                "secondary_guide_star": visit.guiding.secondary,
                "roll": visit.guiding.roll,
                "associations": {
                    found.rootname: [plan.rootname for plan in found.members] for found in visit.associations
                },
            }
            for visit in visits
        ],
        "reports": sorted(reports),
        "exposures": sorted(exposures, key=lambda record: record["start"]),
    }
    path = folder / NAME
    staged = path.with_name(f".{NAME}")
    staged.write_text(json.dumps(content, indent=1, default=_plain) + "\n")
    staged.replace(path)
    return path


def _plain(value: object) -> object:
    """Value as JSON has it, of numpy's scalars and arrays."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} does not belong into the truth file")
