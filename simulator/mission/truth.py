"""The truth of a mission, as one JSON file beside its data.

`SCHEMA` names its form, ``docs/explanation/simulator.rst`` describes it. Angles are degrees, times
MJD UTC.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.cos.instrument_history import HIGH_VOLTAGE, LIFETIME_POSITIONS
from simulator.files.rawacq import Acquired
from simulator.mission.reports import ScheduleReports
from simulator.mission.schedule import Mission
from simulator.mission.visits import Visit
from simulator.observe import Observation
from simulator.plan import ExposurePlan
from simulator.sky import is_day, saa_distance, solar_flux, subsolar
from simulator.state import InstrumentState
from simulator.truth import TRUTH_NAME, truth_of

__all__ = ["SCHEMA", "Taken", "exposure_truth", "write_json", "write_truth"]

SCHEMA = "cosmo-simulated-mission/1"

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
    """Return the truth of one exposure.

    That of `simulator.truth`, and where it stands in the mission.
    """
    plan, state = taken.plan, taken.state
    known = truth_of(taken.observation) if taken.observation else {"plan": asdict(plan)}
    return {
        "rootname": plan.rootname,
        "visit": taken.visit.name,
        "routine": taken.visit.kind,
        **known,
        "target_offset": list(state.target_offset),
        "orbit": _orbit(mission, 0.5 * (plan.start + plan.stop)),
        "temperatures": {
            segment: state.detectors[segment].temperature for segment in plan.segments
        },
        "lowest_gain": {
            segment: float(state.detectors[segment].modal_gain.min())
            for segment in plan.segments
            if segment != "NUV"
        },
        "acquisition": _acquisition(taken.acquired),
        "files": sorted(taken.files),
    }


def _orbit(mission: Mission, mjd: float) -> Record:
    """Return where HST is in the middle of an exposure, and what it meets there."""
    orbit = mission.instrument.orbit
    latitude, longitude = (float(angle) for angle in orbit.ground(mjd))
    sun_latitude, sun_longitude = (float(angle) for angle in subsolar(mjd))
    return {
        "latitude": latitude,
        "longitude": longitude,
        "sun_latitude": sun_latitude,
        "sun_longitude": sun_longitude,
        "saa_distance": float(saa_distance(mjd, latitude, longitude)),
        "solar_flux": float(solar_flux(mjd)),
        "day": bool(is_day(orbit, mjd)),
    }


def _acquisition(acquired: Acquired | None) -> Record | None:
    if acquired is None:
        return None
    return {"slew": list(acquired.slew), "success": acquired.success, "counts": acquired.counts}


def write_truth(
    mission: Mission,
    exposures: Sequence[Record],
    visits: Sequence[Visit],
    reports: ScheduleReports,
    folder: Path,
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
        Schedule reports.
    folder
        Where to.
    """
    content: Mapping[str, Any] = {
        "schema": SCHEMA,
        "mission": {**asdict(mission), "faults": [str(kind) for kind in mission.faults]},
        "instrument": {
            "sag": mission.instrument.sag,
            "high_voltage": {
                name: [list(step) for step in steps] for name, steps in HIGH_VOLTAGE.items()
            },
            "raises": [list(step) for step in mission.instrument.raises],
            "spots": [asdict(spot) for spot in mission.instrument.spots],
            "lifetime_positions": [asdict(position) for position in LIFETIME_POSITIONS],
        },
        "visits": [
            {
                "name": visit.name,
                "routine": visit.kind,
                "taken": visit.taken,
                "start": visit.exposures[0].start,
                "dominant_guide_star": visit.guiding.dominant,
                "secondary_guide_star": visit.guiding.secondary,
                "roll": visit.guiding.roll,
                "associations": {
                    found.rootname: [plan.rootname for plan in found.members]
                    for found in visit.associations
                },
            }
            for visit in visits
        ],
        "reports": sorted(reports.texts),
        "report_changes": {
            "weeks": {str(role): monday for role, monday in reports.roles.items()},
            "late": reports.late,
            "unplanned": reports.unplanned,
        },
        "exposures": sorted(exposures, key=lambda record: record["plan"]["start"]),
    }
    return write_json(content, folder / TRUTH_NAME)


def write_json(content: object, path: Path) -> Path:
    """Write values as JSON, all of the file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}")
    staged.write_text(json.dumps(content, indent=1, default=_plain) + "\n")
    staged.replace(path)
    return path


def _plain(value: object) -> object:
    """Return the value as JSON has it, of numpy's scalars and arrays."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} does not belong into the truth file")
