"""The schedule of a mission: which visit when, drawn from its seed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from simulator.description import FIRST_LIGHT, Instrument
from simulator.mission.routines import ROUTINES, Routine
from simulator.mission.visits import Proposal, Visit, VisitBuilder, base36
from simulator.plan import ExposurePlan, Fault, FaultKind
from simulator.spots import draw_spots

__all__ = ["Mission", "Size", "draw"]

Size = Literal["small", "large", "huge", "brief", "full"]

_START: Final = 57477.0
"""MJD 2016-03-30: the default start, in the third lifetime position."""
_SHORTEN = 0.25
"""Factor on exposure times, unless the mission is full."""
_TIMES: Final[dict[Size, int]] = {"small": 1, "large": 6, "huge": 36, "brief": 0, "full": 0}
"""How many times the visits of a small mission are taken; 0 for all that are scheduled."""
_PAUSE = 900.0
"""Seconds between two visits."""
_YEAR = 365.25


@dataclass(frozen=True)
class Mission:
    """What a mission is drawn from.

    Parameters
    ----------
    years
        Its length.
    seed
        Random seed.
    size
        How many of the scheduled visits are taken, that is, get files. Small: a few of each kind,
        with short exposures. Large: six times as many. Huge: 36 times. Brief: all, with short
        exposures. Full: all, with real exposure times.
    start
        MJD of its start.
    faults
        Kinds of faults that shall occur, each in one exposure that can have it.
    routines
        Names of the routines that it consists of.
    spots
        How many hot spots its FUV segments have.
    dispersions
        Changes of dispersion relations, as of `simulator.description.Instrument`.
    changing_plans
        Whether the plans of some weeks change, and their reports with them
        (`simulator.mission.reports`).
    """

    years: float = 2.0
    seed: int = 1
    size: Size = "small"
    start: float = _START
    faults: tuple[FaultKind, ...] = ()
    routines: tuple[str, ...] = tuple(routine.name for routine in ROUTINES)
    spots: int = 0
    dispersions: tuple[tuple[str, float, float, float], ...] = ()
    changing_plans: bool = False

    @property
    def instrument(self) -> Instrument:
        """The instrument that it uses."""
        drawn = Instrument(seed=self.seed)
        stop = self.start + self.years * _YEAR
        spots = draw_spots(drawn.chance("hot spots"), self.spots, self.start, stop)
        return replace(drawn, spots=spots, dispersions=self.dispersions)


def draw(mission: Mission) -> list[Visit]:
    """Draw a mission's schedule: visits in the order of time, none of which overlap.

    Every proposal at its cadence.

    Raises
    ------
    ValueError
        If a fault is asked for that no exposure of the mission can have, a routine is unknown, or
        the mission starts before first light.
    """
    if mission.start < FIRST_LIGHT or mission.years <= 0.0:
        raise ValueError(
            f"a mission starts after MJD {FIRST_LIGHT:.0f} and lasts; not {mission.years} years"
        )
    unknown = set(mission.routines) - {routine.name for routine in ROUTINES}
    if unknown:
        names = ", ".join(routine.name for routine in ROUTINES)
        raise ValueError(f"no routine {', '.join(sorted(unknown))}; there are {names}")
    instrument, free = mission.instrument, mission.start
    proposals: dict[tuple[str, int], Proposal] = {}
    numbers: dict[Proposal, int] = {}
    visits = []
    for wanted, routine, taken in sorted(_wishes(mission, instrument), key=lambda wish: wish[0]):
        year = int((wanted - mission.start) / _YEAR)
        proposal = proposals.setdefault(
            (routine.name, year),
            Proposal(
                routine.proposal + 400 * year,
                f"d{base36(36 * (len(proposals) // 36 + 1) + len(proposals) % 36, 2)}",
                routine.investigator,
                routine.title,
            ),
        )
        numbers[proposal] = numbers.get(proposal, 0) + 1
        builder = VisitBuilder(
            instrument,
            proposal,
            numbers[proposal],
            routine.name,
            max(wanted, free),
            shorten=_SHORTEN if taken and mission.size != "full" else 1.0,
        )
        routine.build(builder)
        visit = builder.finish(taken)
        visits.append(visit)
        free = visit.exposures[-1].stop + _PAUSE / 86400.0
    return _with_faults(visits, mission, instrument)


def _wishes(mission: Mission, instrument: Instrument) -> Iterator[tuple[float, Routine, bool]]:
    """Yield when each routine would like its visits, regularly with some slack, and whether they
    are taken.
    """
    length = mission.years * _YEAR
    for routine in (routine for routine in ROUTINES if routine.name in mission.routines):
        chance = instrument.chance("schedule", routine.name)
        wanted = _TIMES[mission.size] * routine.small
        count = max(wanted, int(length / routine.days), 1)
        times = (
            mission.start + length * (np.arange(count) + chance.uniform(0.2, 0.8, count)) / count
        )
        taken = (
            {int((index + 0.5) * count / wanted) for index in range(wanted)}
            if wanted
            else set(range(count))
        )
        yield from ((float(time), routine, index in taken) for index, time in enumerate(times))


_OF_ASSOCIATIONS = (FaultKind.MISSING, FaultKind.LEFT_OUT)
_SEGMENTED = (FaultKind.SEGMENT_OFF, FaultKind.HV_STEP)


def _with_faults(visits: list[Visit], mission: Mission, instrument: Instrument) -> list[Visit]:
    """Give each fault to one exposure, drawn among those that can have it and have none yet."""
    taken: set[str] = set()
    for kind in mission.faults:
        able = [
            plan.rootname
            for visit in visits
            if visit.taken
            for plan in visit.exposures
            if plan.rootname not in taken and not plan.is_acquisition and _can_have(kind, plan)
            if plan.exptype != "WAVECAL" and (kind not in _OF_ASSOCIATIONS or plan.association)
        ]
        if not able:
            raise ValueError(
                f"no exposure of this mission can have the fault {kind}; ask for a longer or "
                "larger one"
            )
        chosen = str(instrument.chance("fault", kind).choice(able))
        taken.add(chosen)
        visits = [_faulty(visit, chosen, kind) for visit in visits]
    return visits


def _can_have(kind: FaultKind, plan: ExposurePlan) -> bool:
    if kind in _SEGMENTED:
        # A step of the voltage is one of the pulse heights of light.
        lit = kind is not FaultKind.HV_STEP or plan.target.spectrum is not None
        return plan.detector == "FUV" and plan.segment == "BOTH" and lit
    return plan.detector == "FUV" or kind not in (
        FaultKind.BURST,
        FaultKind.BAD_TIME,
        FaultKind.SAA,
    )


def _faulty(visit: Visit, rootname: str, kind: FaultKind) -> Visit:
    if all(plan.rootname != rootname for plan in visit.exposures):
        return visit

    exposures = tuple(
        replace(plan, faults=(*plan.faults, _fault(kind, plan.exptime)))
        if plan.rootname == rootname
        else plan
        for plan in visit.exposures
    )
    by_name = {plan.rootname: plan for plan in exposures}
    associations = tuple(
        replace(found, members=tuple(by_name[plan.rootname] for plan in found.members))
        for found in visit.associations
    )
    return replace(visit, exposures=exposures, associations=associations)


def _fault(kind: FaultKind, exptime: float) -> Fault:
    """Return the fault of a usual size: in the middle third of the exposure."""
    start, stop = round(exptime / 3.0, 1), round(exptime / 2.0, 1)
    match kind:
        case FaultKind.BURST | FaultKind.BAD_TIME:
            return Fault(kind, start, stop, amount=5000.0)
        case FaultKind.SAA:
            return Fault(kind, start, stop, amount=20.0)
        case FaultKind.HV_STEP:
            return Fault(kind, start, exptime, amount=-4.0, segment="FUVA")
        case FaultKind.SEGMENT_OFF:
            return Fault(kind, segment="FUVB")
        case _:
            return Fault(kind)
