"""Reports of the weekly command loads (SMS): what was scheduled, as fixed columns of text in both
layouts.

The older layout (until 2011) names the high voltage by its state; the newer one gives both levels
and the position code of the aperture.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

import numpy as np

from simulator.acquisitions import search_of
from simulator.cards import day_of_year
from simulator.plan import ExposurePlan

__all__ = ["NEW_LAYOUT_START", "aside_lines", "report", "report_name", "weeks"]

NEW_LAYOUT_START: Final = 55927.0
"""MJD 2012-01-01: reports of 2010 and 2011 have the older layout, one of September 2012 the newer.
"""

_POSITION_CODES = {1: "1", 2: "B", 3: "", 4: "4", 5: "5", 6: "6", 7: "7"}
"""Letter beside the aperture's name by lifetime position: B in 2012 to 2015, none in 2016, 4 in
2018.
"""

_OLD_HEAD = (
    "Data                                                          Exposure Start    FUV    "
    "Mechanism Positions   "
    "Cent    Tsince Tsince       Lamp    STIMs      Flash",
    "Filename Prop  Target     PRG OB AL EX Conf Opmode    ExpTime yyyy.ddd:hh:mm:ss State  Aper "
    "OSM1     OSM2    "
    "Wave FP   OSM1   OSM2 Lamp  Curr    A   B  Dop # Dur T",
)
_NEW_HEAD = (
    "Data                                                          Exposure Start    FUV     "
    "Mechanism Positions     "
    "Cent    Tsince Tsince       Lamp    STIMs      Flash",
    "Filename Prop  Target     PRG OB AL EX Conf Opmode    ExpTime yyyy.ddd:hh:mm:ss State   Aper  "
    " OSM1     OSM2    "
    "Wave FP   OSM1   OSM2 Lamp  Curr    A   B  Dop # Dur T",
)


def weeks(plans: Iterable[ExposurePlan]) -> dict[float, list[ExposurePlan]]:
    """Return the exposures of each week, by the MJD of the Monday that it starts on."""
    found: dict[float, list[ExposurePlan]] = {}
    for plan in sorted(plans, key=lambda plan: plan.start):
        monday = float(np.floor((plan.start - 54955.0) / 7.0) * 7.0 + 54955.0)
        found.setdefault(monday, []).append(plan)
    return found


def report_name(monday: float, version: str = "b1") -> str:
    """Return the file name of a week's report: ``YYDDD7`` and a version."""
    year, day = day_of_year(monday).split(":")[0].split(".")
    return f"{year[2:]}{day}7{version}.txt"


def aside_lines(monday: float) -> list[str]:
    """Return lines that plan no exposure: a copy of memory, as real reports have, and alignments.

    Of alignments there is no sample: they are lines of exposures with such a mode.

    Parameters
    ----------
    monday
        MJD that the week of the report starts on.
    """
    when = day_of_year(monday + 0.5)
    memory = f"{'BDO A5 01 01':36s}{when}         COS MEMORY COPY -- DCE CODE IMAGE TO CS RAM"
    alignments = [
        f"lbdoa{number}hx 12046 {'NONE':10s} BDO A{number} 01 01 NUV  {mode:11s}{0:6.1f} {when} "
        f"{'':7s} {'PSA':6s} {'NCM1':8s} {'MIRRORA':7s} {0:4d} {0:2d} {0:6d} {0:6d}"
        for number, mode in ((6, "ALIGN/OSM"), (7, "ALIGN/APER"))
    ]
    return [f"lbdoa5hx 12046            {memory}", *alignments]


def report(
    monday: float,
    plans: Sequence[ExposurePlan],
    version: str = "b1",
    *,
    aside: Sequence[str] = (),
) -> str:
    """Return the text of a week's report.

    Parameters
    ----------
    monday
        MJD that the week starts on; it chooses the layout.
    plans
        Exposures in the order of time; a line of dashes is drawn between visits.
    version
        Version of the load: a letter and a character; a higher one replaces a lower.
    aside
        Lines that plan no exposure, after the others.
    """
    new = monday >= NEW_LAYOUT_START
    head = _NEW_HEAD if new else _OLD_HEAD
    rule = "-" * len(head[1])
    identity = report_name(monday, version).removesuffix(".txt").upper()
    lines = [f"COS Exposure Report: SMS {identity}", "", *head, rule]
    for _, visit in groupby(plans, key=lambda plan: plan.rootname[:6]):
        lines += [*(_line(plan, new=new) for plan in visit), rule]
    lines += [*aside, rule] if aside else []
    return "\n" + "\n".join(lines) + "\n"


def _line(plan: ExposurePlan, *, new: bool) -> str:
    fuv = plan.detector == "FUV"
    state = _state(plan, new=new) if fuv else ""
    aperture = "PSA" if plan.aperture == "N/A" else plan.aperture
    if new:
        aperture = f"{aperture} {_POSITION_CODES[plan.life_adj]}".strip()
    width_state, width_aperture = (7, 6) if new else (6, 4)
    nuv_dark = not fuv and plan.exptype == "DARK"
    osm1 = plan.opt_elem if fuv else ("G130M" if nuv_dark else "NCM1")
    osm2 = "-----" if fuv else plan.opt_elem
    since = f"{round(plan.since_osm1):6d} {round(plan.since_osm2):6d}"
    number = plan.linenum[3:]
    start = (
        f"{plan.rootname[:8]} {plan.proposal:5d} {plan.target.name:10.10s} "
        f"{plan.rootname[1:4].upper():3s} "
    )
    where = (
        f"{plan.linenum[:2]} {int(number):02d} 01 {plan.detector:3s}  "
        f"{_opmode(plan):11s}{plan.exptime:6.1f} "
    )
    setting = f"{osm1:8s} {osm2:7s} {plan.cenwave:4d} {plan.fpoffset:2d} {since}"
    when = f"{day_of_year(plan.start)} {state:{width_state}s} {aperture:{width_aperture}s} "
    return (start + where + when + setting + _tail(plan)).rstrip()


def _opmode(plan: ExposurePlan) -> str:
    return plan.exptype if plan.is_acquisition else plan.obsmode


def _state(plan: ExposurePlan, *, new: bool) -> str:
    if new:
        return f"{plan.hv_level_a:3d}/{plan.hv_level_b:3d}"
    return f"HVSeg{plan.segments[0][-1]}" if len(plan.segments) == 1 else "HVNom"


def _tail(plan: ExposurePlan) -> str:
    """Return the lamp, current, stim rates, Doppler correction, number, duration and type of
    flashes.

    Or an acquisition's scan.
    """
    if plan.exptype in ("ACQ/SEARCH", "ACQ/PEAKD", "ACQ/PEAKXD"):
        search = search_of(plan)
        step = round(1000.0 * search.step)
        if plan.exptype == "ACQ/SEARCH":
            return f" SCANSIZE={search.size} STEPSIZE={step:4d} {search.method}"
        if search.size > 1:
            return f"   DWELLS={search.size} STEPSIZE={step:4d} {search.method}"
    lit = plan.exptype in ("WAVECAL", "FLAT")
    lamp, current = (plan.lamp, "MED") if lit else ("", "")
    stims = ["LOW" if segment in plan.segments else "OFF" for segment in ("FUVA", "FUVB")]
    if plan.detector == "NUV" or plan.is_acquisition:
        stims = ["OFF", "OFF"] if plan.detector == "FUV" else ["", ""]
    text = f" {lamp:5s} {current:5s} {stims[0]:>4s} {stims[1]:>3s} NO "
    if plan.flashes:
        duration = round(plan.flashes[0].off - plan.flashes[0].on)
        text += f"{len(plan.flashes):2d} {duration:3d} S"
    return text
