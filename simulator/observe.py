"""Observation: the forward model of an exposure, and its raw files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulator.files.raw import write_raw
from simulator.forward.fuv import record_segment
from simulator.forward.nuv import record_nuv
from simulator.forward.recording import Recording
from simulator.plan import ExposurePlan
from simulator.references.catalogue import Catalogue
from simulator.state import InstrumentState, Viewing

__all__ = ["Observation", "expose", "observe"]


@dataclass(frozen=True)
class Observation:
    """An exposure that was taken.

    Attributes
    ----------
    plan, state, viewing
        What it was taken of, with and from where.
    recordings
        What each detector (FUVA, FUVB, NUV) recorded.
    paths
        Raw files.
    """

    plan: ExposurePlan
    state: InstrumentState
    viewing: Viewing
    recordings: Mapping[str, Recording]
    paths: tuple[Path, ...]


def expose(
    plan: ExposurePlan, state: InstrumentState, viewing: Viewing, seed: int
) -> dict[str, Recording]:
    """Record an exposure; the same arguments give the same events.

    Parameters
    ----------
    plan, state, viewing
        The exposure.
    seed
        Of the mission; the exposure's rootname is mixed into it.

    Returns
    -------
    dict
        What each detector (FUVA, FUVB, NUV) recorded.
    """
    recordings = {}
    for number, segment in enumerate(plan.segments):
        generator = np.random.default_rng(
            [seed, int.from_bytes(plan.rootname.encode(), "big"), number]
        )
        if segment == "NUV":
            recordings[segment] = record_nuv(plan, state, viewing, generator)
        else:
            recordings[segment] = record_segment(plan, state, viewing, segment, generator)
    return recordings


def observe(
    plan: ExposurePlan,
    state: InstrumentState,
    viewing: Viewing,
    folder: Path,
    catalogue: Catalogue,
    seed: int = 0,
    context: str = "",
) -> Observation:
    """Take an exposure and write its raw science files.

    Parameters
    ----------
    plan, state, viewing
        The exposure.
    folder
        Where its files go; it must exist.
    catalogue
        Reference files in force, which the headers name.
    seed
        Of the mission.
    context
        CRDS context for the headers.
    """
    recordings = expose(plan, state, viewing, seed)
    references = {keyword: key.name for keyword, key in catalogue.select(plan).items()}
    paths = write_raw(plan, state, viewing, recordings, references, folder, context)
    return Observation(plan, state, viewing, recordings, tuple(paths))
