"""Schedules: what a mission does, when, and in which state of the instrument."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from shared.cos.instrument_history import high_voltage, lifetime_position
from simulator.mission.routines import ROUTINES
from simulator.mission.schedule import Mission, draw
from simulator.mission.visits import Visit
from simulator.plan import ExposurePlan, FaultKind

MISSION = Mission(years=2.0, seed=4)


@pytest.fixture(scope="module")
def visits() -> Sequence[Visit]:
    return draw(MISSION)


def _exposures(visits: Sequence[Visit]) -> list[ExposurePlan]:
    return [plan for visit in visits for plan in visit.exposures]


def test_the_seed_decides(visits: Sequence[Visit]) -> None:
    assert draw(MISSION) == visits
    assert draw(Mission(years=2.0, seed=5)) != visits


def test_one_thing_at_a_time(visits: Sequence[Visit]) -> None:
    plans = _exposures(visits)
    assert all(later.start >= plan.stop for plan, later in pairwise(plans))
    assert plans[-1].stop < MISSION.start + 365.25 * MISSION.years + 7.0
    names = Counter(plan.rootname for plan in plans)
    names.update(found.rootname for visit in visits for found in visit.associations)
    assert set(names.values()) == {1}
    assert {len(name) for name in names} == {9}


@pytest.mark.parametrize("routine", ROUTINES, ids=lambda routine: routine.name)
def test_cadence(visits: Sequence[Visit], routine: object) -> None:
    starts = [visit.exposures[0].start for visit in visits if visit.kind == routine.name]  # type: ignore[attr-defined]
    days = routine.days  # type: ignore[attr-defined]
    assert np.mean(np.diff(starts)) == pytest.approx(days, rel=0.1)
    assert np.diff(starts).max() < 1.7 * days


def test_the_instrument_has_its_history(visits: Sequence[Visit]) -> None:
    plans = [plan for plan in _exposures(visits) if plan.detector == "FUV"]
    assert {plan.life_adj for plan in plans} == {3, 4}
    for plan in plans:
        assert plan.life_adj == lifetime_position(plan.start, plan.opt_elem, plan.cenwave).number
        if plan.segment == "BOTH":
            assert plan.hv_level_b == high_voltage("FUVB", plan.start)
    assert {plan.hv_level_b for plan in plans if plan.segment == "BOTH"} == {163, 169, 175}


def test_associations_hold_what_belongs_together(visits: Sequence[Visit]) -> None:
    for visit in visits:
        plans = {plan.rootname: plan for plan in visit.exposures}
        for association in visit.associations:
            for member in association.members:
                assert plans[member.rootname] == member
                assert member.association == association.rootname
        assert all(bool(plan.association) == bool(plan.member_type) for plan in visit.exposures)


def test_lamps_flash_until_the_split(visits: Sequence[Visit]) -> None:
    """Flashes beside the target up to the fifth position.

    From the sixth on, wavecals around each exposure.
    """
    assert not any(plan.member_type == "EXP-SWAVE" for plan in _exposures(visits))
    late = draw(Mission(years=0.3, seed=4, start=60000.0))
    for visit in late:
        kinds = [
            plan.member_type
            for plan in visit.exposures
            if (plan.opt_elem, plan.life_adj) == ("G160M", 6)
        ]
        if visit.kind == "fuv-standard":
            assert kinds == ["EXP-SWAVE", "EXP-FP", "EXP-SWAVE"] * (len(kinds) // 3)
            assert kinds
            assert not any(plan.flashes for plan in visit.exposures if plan.opt_elem == "G160M")


@pytest.mark.parametrize(("size", "factor"), [("small", 1), ("large", 6)])
def test_sizes(size: str, factor: int) -> None:
    visits = draw(Mission(years=2.0, size=size))  # type: ignore[arg-type]
    taken = Counter(visit.kind for visit in visits if visit.taken)
    assert taken == {routine.name: factor * routine.small for routine in ROUTINES}
    full = draw(Mission(years=0.2, size="full"))
    assert all(visit.taken for visit in full)
    assert max(plan.exptime for plan in _exposures(full)) == 1800.0
    brief = draw(Mission(years=0.2, size="brief"))
    assert all(visit.taken for visit in brief)
    assert [visit.kind for visit in brief] == [visit.kind for visit in full]
    assert max(plan.exptime for plan in _exposures(brief)) == 450.0


def test_every_fault_happens_once() -> None:
    visits = draw(Mission(years=1.0, seed=2, faults=tuple(FaultKind)))
    faults = [
        (fault.kind, visit.taken, plan)
        for visit in visits
        for plan in visit.exposures
        for fault in plan.faults
    ]
    assert sorted(kind for kind, _, _ in faults) == sorted(FaultKind)
    assert all(taken for _, taken, _ in faults)
    members = {
        plan.rootname: plan
        for visit in visits
        for found in visit.associations
        for plan in found.members
    }
    assert all(members.get(plan.rootname, plan) == plan for _, _, plan in faults)


def test_the_voltage_steps_where_there_is_light() -> None:
    visits = draw(
        Mission(
            years=1.0,
            size="large",
            routines=("fuv-dark", "fuv-standard"),
            faults=(FaultKind.HV_STEP,) * 6,
        )
    )
    stepped = [plan for plan in _exposures(visits) if plan.faults_of(FaultKind.HV_STEP)]
    assert len(stepped) == 6
    assert all(plan.target.spectrum is not None for plan in stepped)


def test_a_mission_is_possible() -> None:
    with pytest.raises(ValueError, match="starts after MJD 54952"):
        draw(Mission(start=50000.0))
    with pytest.raises(ValueError, match="lasts"):
        draw(Mission(years=0.0))
    with pytest.raises(ValueError, match="no routine nap; there are nuv-dark,"):
        draw(Mission(routines=("nuv-dark", "nap")))


def test_both_mechanisms_have_their_own_moves() -> None:
    """NUV gratings are chosen by OSM2, while OSM1 stays at the mirror that sends the light there;
    gratings of the FUV are on OSM1.
    """
    routines = ("nuv-standard", "fuv-standard", "fuv-accum", "acquisition", "nuv-dark")
    visits = draw(Mission(years=0.25, seed=4, routines=routines))
    for visit in visits:
        moved = [
            (plan.start - plan.since_osm1 / 86400.0, plan.start - plan.since_osm2 / 86400.0)
            for plan in visit.exposures
        ]
        for (earlier, before), (later, after) in pairwise(zip(visit.exposures, moved, strict=True)):
            same1, same2 = (
                old == pytest.approx(new, abs=1.0 / 86400.0)
                for old, new in zip(before, after, strict=True)
            )
            setting = (earlier.opt_elem, earlier.cenwave), (later.opt_elem, later.cenwave)
            both = {earlier.detector, later.detector}
            assert same1 == (both == {"NUV"} or setting[0] == setting[1])
            assert same2 == (later.detector == "FUV" or setting[0] == setting[1])
    standard = next(visit for visit in visits if visit.kind == "nuv-standard")
    first, *_, last = standard.exposures
    assert last.since_osm1 > last.since_osm2 + 1000.0
    assert first.since_osm1 == first.since_osm2
