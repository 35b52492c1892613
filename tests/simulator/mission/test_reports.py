"""Schedule reports of a mission whose plans change, as the ingestor reads them."""

from pathlib import Path
from typing import Any

import pytest

from shared.cos.dates import parse_day_of_year
from simulator.mission.make import MissionSimulation
from simulator.mission.reports import ReportRole, ScheduleReports, schedule_reports
from simulator.mission.schedule import Mission
from simulator.mission.visits import Visit
from tests.services.ingestor.bench import extract_file, rows_of


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> MissionSimulation:
    mission = Mission(years=0.5, size="brief", changing_plans=True)
    return MissionSimulation(mission, tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def reports(simulation: MissionSimulation) -> ScheduleReports:
    return simulation.write_reports()


def _rows(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    rows = rows_of(extract_file(folder / "sms" / name), "sms")
    return {row["rootname"]: row for row in rows}


def _planned(visits: list[Visit], monday: float) -> dict[str, float]:
    return {
        plan.rootname: plan.since_osm1
        for visit in visits
        for plan in visit.exposures
        if monday <= plan.start < monday + 7.0
    }


def test_reports_of_weeks_whose_plans_change(
    simulation: MissionSimulation, reports: ScheduleReports
) -> None:
    folder, visits = simulation.folder, list(simulation.visits)
    assert set(reports.roles) == set(ReportRole)
    unplanned: set[str] = set()
    for role, monday in reports.roles.items():
        mine = {}
        for name in reports.texts:
            year, day = int(name[:2]), name[2:5]
            if parse_day_of_year(f"20{year}.{day}:00:00:00") == monday:
                mine[name[6:8]] = _rows(folder, name)
        true = _planned(visits, monday)
        if role is ReportRole.MISSING:
            assert mine == {}
            unplanned |= true.keys()
        elif role is ReportRole.EMPTIED:
            assert mine["b1"].keys() == true.keys()
            assert not mine["b2"]
            unplanned |= true.keys()
        elif role is ReportRole.REPLACED:
            assert len(mine["b1"]) == len(true) + 1
            assert not mine["b1"].keys() & true.keys()
            assert mine["b2"].keys() == true.keys()
        else:
            assert mine.keys() == {"b1"}
            (late,) = reports.late
            assert late.endswith("b1.txt")
        newest = mine.get("b2", mine.get("b1", {}))
        for rootname, row in newest.items():
            assert row["tsinceosm1"] == pytest.approx(true[rootname], abs=0.5)
    assert set(reports.unplanned) == unplanned


def test_reports_that_do_not_change_plan_every_exposure(simulation: MissionSimulation) -> None:
    found = schedule_reports(simulation.mission.instrument, simulation.visits)
    assert (found.roles, found.late, found.unplanned) == ({}, [], [])
    text = "".join(found.texts.values())
    plans = [plan for visit in simulation.visits for plan in visit.exposures]
    assert all(plan.rootname[:8] in text for plan in plans)
    assert all(word in text for word in ("MEMORY", "ALIGN/OSM", "ALIGN/APER"))


def test_a_mission_that_is_too_short_for_changes() -> None:
    mission = Mission(routines=("nuv-dark",))
    with pytest.raises(ValueError, match="this mission has 0"):
        schedule_reports(mission.instrument, [], changing=True)
