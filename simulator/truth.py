"""Truth of an exposure, in a machine-readable file beside its data."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simulator.forward.imaging import image_rate
from simulator.forward.recording import lamp_intervals
from simulator.forward.velocity import heliocentric_velocity
from simulator.instrument.modes import DISPERSION_SCALE, GRATINGS, setting
from simulator.observe import Observation

__all__ = ["TRUTH_NAME", "read_truth", "target_displacement", "truth_of", "write_truth"]

TRUTH_NAME = "truth.json"
"""Name of the file beside the data: a JSON object with one entry per exposure, by rootname."""


def truth_of(observation: Observation) -> dict[str, Any]:
    """Collect what was put into one exposure.

    Returns
    -------
    dict
        ``plan`` (all of it), ``image_rate`` (count/s of the target in an image), ``velocity``
        (km/s, V_HELIO), ``detectors`` (events, live time, mean dark rate in count/s/pixel before
        dead time and pulse-height limits, stim positions and sigmas in raw pixels, expected counts
        of each) and ``channels`` (of each lamp flash its middle in seconds and the shifts in
        pixels, FP-POS displacement included in SHIFT1; mean shifts over the exposure; lamp;
        displacement of the target's spectrum against the lamp's in pixels, stretch of both; mean
        sensitivity over the reference's).
    """
    plan, state = observation.plan, observation.state
    return {
        "plan": asdict(plan),
        "image_rate": image_rate(plan) if plan.obstype == "IMAGING" else 0.0,
        "target_offset": list(state.target_offset),
        "velocity": heliocentric_velocity(
            plan.target.ra, plan.target.dec, 0.5 * (plan.start + plan.stop)
        ),
        "detectors": {name: _detector(observation, name) for name in observation.recordings},
        "channels": {name: _channel(observation, name) for name in _channels(observation)},
    }


def _channels(observation: Observation) -> list[str]:
    plan = observation.plan
    if plan.opt_elem not in GRATINGS:
        return ["NUVA"] if plan.detector == "NUV" and plan.opt_elem.startswith("MIRROR") else []
    channels = GRATINGS[plan.opt_elem].channels
    return [name for name in channels if plan.detector == "NUV" or name in observation.recordings]


def _detector(observation: Observation, name: str) -> dict[str, Any]:
    detector, recording = observation.state.detectors[name], observation.recordings[name]
    return {
        "events": len(recording.time),
        "live_time": recording.live_time,
        "dark_rate": detector.dark_rate.mean(0.0, observation.plan.exptime)
        * float(detector.dark_map.mean()),
        "modal_gain": float(detector.modal_gain.mean()),
        "stims": [[stim.x, stim.y] for stim in detector.stims],
        "stim_sigmas": [[stim.sigma_x, stim.sigma_y] for stim in detector.stims],
        "stim_counts": 0.5 * detector.stim_rate * observation.plan.exptime
        if detector.stims
        else 0.0,
    }


def _channel(observation: Observation, name: str) -> dict[str, Any]:
    plan, channel = observation.plan, observation.state.channels[name]
    mode = setting(plan.opt_elem, plan.cenwave, name) if plan.opt_elem in GRATINGS else None
    commanded = mode.fp_shift(plan.fpoffset) if mode else 0.0
    has_lines = mode.has_lamp_lines if mode else True
    flashes = [
        {
            "middle": 0.5 * (flash.on + flash.off),
            "shift1": commanded + channel.shift_dispersion.mean(flash.on, flash.off),
            "shift2": channel.shift_cross.mean(flash.on, flash.off),
        }
        for flash in lamp_intervals(plan)
        if has_lines
    ]
    return {
        "fp_shift": commanded,
        "shift1": commanded + channel.shift_dispersion.mean(0.0, plan.exptime),
        "shift2": channel.shift_cross.mean(0.0, plan.exptime),
        "flashes": flashes,
        "lamp": channel.lamp,
        "wavelength_offset": channel.wavelength_offset,
        "wavelength_stretch": channel.wavelength_stretch,
        "sensitivity": dict(
            zip(map(str, channel.sensitivity.at), channel.sensitivity.values, strict=True)
        ),
    }


def target_displacement(exposure: Mapping[str, Any], channel: str) -> float:
    """Return how far a target's spectrum lies from that of the lamp along dispersion, pixels.

    Parameters
    ----------
    exposure
        Its truth.
    channel
        Segment or stripe.
    """
    along: float = exposure["target_offset"][0]
    offset: float = exposure["channels"][channel]["wavelength_offset"]
    return offset + along * DISPERSION_SCALE[exposure["plan"]["detector"]]


def write_truth(observations: Iterable[Observation], folder: Path) -> Path:
    """Write the truth of exposures beside their data, next to what is there already.

    Parameters
    ----------
    observations
        Exposures.
    folder
        Folder of their data.
    """
    path = folder / TRUTH_NAME
    content = read_truth(folder) if path.exists() else {}
    content |= {observation.plan.rootname: truth_of(observation) for observation in observations}
    staged = path.with_suffix(".part")
    staged.write_text(json.dumps(content, indent=1, sort_keys=True))
    staged.replace(path)
    return path


def read_truth(folder: Path) -> dict[str, Any]:
    """Read the truth beside data, by rootname."""
    content: dict[str, Any] = json.loads((folder / TRUTH_NAME).read_text())
    return content
