"""Schedule reports of a mission: weekly, some of them as they come when plans change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from simulator.description import Instrument
from simulator.files.sms import aside_lines, report, report_name, weeks
from simulator.mission.visits import Visit
from simulator.plan import ExposurePlan

__all__ = ["ReportRole", "ScheduleReports", "schedule_reports"]

_LATER: Final = "b2"
"""Version of a report that replaces another one."""
_MULTIPLE = 2
"""Flashes of an exposure that shows a drift."""


class ReportRole(StrEnum):
    """What becomes of the report of a week."""

    REPLACED = "replaced"
    """The first version names exposures otherwise and plans one more visit; a second one is right.
    """
    EMPTIED = "emptied"
    """The second version plans no exposure."""
    LATE = "late"
    """It comes after the data of its week."""
    MISSING = "missing"
    """It never comes."""


@dataclass(frozen=True)
class ScheduleReports:
    """Schedule reports of a mission.

    Attributes
    ----------
    texts
        Content by name.
    roles
        Mondays (MJD) of the weeks whose reports are no usual ones.
    late
        Names of those that come after their data.
    unplanned
        Rootnames of exposures that no report that counts plans.
    """

    texts: dict[str, str] = field(default_factory=dict)
    roles: dict[ReportRole, float] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    unplanned: list[str] = field(default_factory=list)


def schedule_reports(
    instrument: Instrument, visits: Sequence[Visit], *, changing: bool = False
) -> ScheduleReports:
    """Write the reports of a schedule.

    Parameters
    ----------
    instrument
        Draws the weeks whose plans change.
    visits
        The schedule.
    changing
        Whether the plans of some weeks change: one for each `ReportRole`, among those in which
        exposures have several flashes.

    Raises
    ------
    ValueError
        If plans shall change and there are too few such weeks.
    """
    found = ScheduleReports()
    planned = weeks(plan for visit in visits for plan in visit.exposures)
    if changing:
        found.roles.update(_roles(instrument, planned))
    roles = {monday: role for role, monday in found.roles.items()}
    for monday, plans in planned.items():
        role = roles.get(monday)
        name, later = report_name(monday), report_name(monday, _LATER)
        if role in (ReportRole.EMPTIED, ReportRole.MISSING):
            found.unplanned.extend(plan.rootname for plan in plans)
        if role is ReportRole.MISSING:
            continue
        aside = aside_lines(monday)
        if role is ReportRole.REPLACED:
            first = [*map(_renamed, plans), _dropped(plans)]
            found.texts[name] = report(monday, first, aside=aside)
            found.texts[later] = report(monday, plans, _LATER, aside=aside)
            continue
        found.texts[name] = report(monday, plans, aside=aside)
        if role is ReportRole.EMPTIED:
            found.texts[later] = report(monday, [], _LATER, aside=aside)
        if role is ReportRole.LATE:
            found.late.append(name)
    return found


def _roles(
    instrument: Instrument, planned: dict[float, list[ExposurePlan]]
) -> Iterable[tuple[ReportRole, float]]:
    able = [
        monday
        for monday, plans in planned.items()
        if any(len(one.flashes) >= _MULTIPLE for one in plans)
    ]
    if len(able) < len(ReportRole):
        raise ValueError(
            f"plans change in {len(ReportRole)} weeks with lamp flashes, and this mission has "
            f"{len(able)}; ask for a longer or larger one"
        )
    chosen = instrument.chance("reports").choice(able, len(ReportRole), replace=False)
    return zip(ReportRole, map(float, chosen), strict=True)


def _renamed(plan: ExposurePlan) -> ExposurePlan:
    """Return an exposure as it was planned first: under another name, long after a move."""
    name = f"{plan.rootname[:6]}z{plan.rootname[7:]}"
    return replace(plan, rootname=name, since_osm1=plan.since_osm1 + 5000.0)


def _dropped(plans: Sequence[ExposurePlan]) -> ExposurePlan:
    """Return an exposure that was planned and never made."""
    last = plans[-1]
    name = f"{last.rootname[:6]}zzq"
    return replace(last, rootname=name, linenum=f"{last.linenum[:2]}.099", start=last.stop + 0.01)
