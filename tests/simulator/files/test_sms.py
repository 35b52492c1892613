"""Schedule reports, compared with lines of real ones."""

from dataclasses import replace

import pytest

from simulator.files.sms import report, report_name, weeks
from simulator.plan import ExposurePlan, Flash, Target

FLASHES = (Flash(0.0, 7.0), Flash(600.0, 607.0), Flash(2000.0, 2007.0))
SCIENCE = ExposurePlan(
    "ldie05khq",
    15341,
    "05.003",
    58231.8089352,
    2220.0,
    "FUV",
    "TIME-TAG",
    "EXTERNAL/SCI",
    "G140L",
    1105,
    Target("SDSSJ12420", 190.0, 2.0),
    fppos=1,
    life_adj=4,
    segment="FUVA",
    hv_level_a=163,
    hv_level_b=100,
    flashes=FLASHES,
    since_osm1=129.0,
    since_osm2=129.0,
)
NEW = [
    (
        SCIENCE,
        "ldie05kh 15341 SDSSJ12420 DIE 05 03 01 FUV  TIME-TAG   2220.0 2018.113:19:24:52 163/100 "
        "PSA 4  G140L    ----- "
        "  1105 -2    129    129              LOW OFF NO  3   7 S",
    ),
    (
        replace(
            SCIENCE,
            rootname="lda930f7q",
            proposal=14675,
            linenum="30.001",
            start=57643.8807,
            exptime=40.0,
            detector="NUV",
            obsmode="ACCUM",
            exptype="ACQ/IMAGE",
            opt_elem="MIRRORA",
            cenwave=0,
            aperture="BOA",
            target=Target("BI253"),
            fppos=3,
            life_adj=1,
            segment="N/A",
            flashes=(),
            since_osm1=222.0,
            since_osm2=222.0,
        ),
        "lda930f7 14675 BI253      DA9 30 01 01 NUV  ACQ/IMAGE    40.0 2016.256:21:08:12         "
        "BOA 1  NCM1     MIRROR"
        "A    0  0    222    222                      NO",
    ),
    (
        replace(
            SCIENCE,
            rootname="ldj105f4q",
            proposal=15168,
            linenum="05.001",
            start=58236.102,
            exptime=4.0,
            exptype="ACQ/SEARCH",
            opt_elem="G130M",
            cenwave=1291,
            target=Target("-PHI-LEO"),
            fppos=3,
            segment="BOTH",
            hv_level_b=163,
            flashes=(),
            since_osm1=79939.0,
            since_osm2=79939.0,
        ),
        "ldj105f4 15168 -PHI-LEO   DJ1 05 01 01 FUV  ACQ/SEARCH    4.0 2018.118:02:26:53 163/163 "
        "PSA 4  G130M    ----- "
        "  1291  0  79939  79939 SCANSIZE=3 STEPSIZE=1767 FLUXFLR",
    ),
]
OLD = [
    (
        replace(
            SCIENCE,
            rootname="lb1o04e0q",
            proposal=11741,
            linenum="04.004",
            start=55200.6583333,
            exptime=2406.0,
            opt_elem="G130M",
            cenwave=1309,
            target=Target("PG-1206+45"),
            fppos=1,
            life_adj=1,
            segment="BOTH",
            since_osm1=119.0,
            since_osm2=119.0,
        ),
        "lb1o04e0 11741 PG-1206+45 B1O 04 04 01 FUV  TIME-TAG   2406.0 2010.004:15:48:00 HVNom  "
        "PSA  G130M    -----   "
        "1309 -2    119    119              LOW LOW NO  3   7 S",
    ),
    (
        replace(
            SCIENCE,
            rootname="lb8r19cqq",
            proposal=11894,
            linenum="19.001",
            start=55200.4167708,
            exptime=1330.0,
            detector="NUV",
            exptype="DARK",
            opt_elem="G185M",
            cenwave=1850,
            target=Target("DARK"),
            fppos=3,
            life_adj=1,
            segment="N/A",
            flashes=(),
            since_osm1=11006.0,
            since_osm2=11006.0,
        ),
        "lb8r19cq 11894 DARK       B8R 19 01 01 NUV  TIME-TAG   1330.0 2010.004:10:00:09        "
        "PSA  G130M    G185M   "
        "1850  0  11006  11006                      NO",
    ),
    (
        replace(
            SCIENCE,
            rootname="lb6c01peq",
            proposal=11526,
            linenum="01.003",
            start=55202.9900,
            exptime=1.0,
            exptype="ACQ/PEAKD",
            opt_elem="G130M",
            cenwave=1291,
            target=Target("WD1040+492"),
            fppos=3,
            life_adj=1,
            segment="BOTH",
            flashes=(),
            since_osm1=3169.0,
            since_osm2=3169.0,
        ),
        "lb6c01pe 11526 WD1040+492 B6C 01 03 01 FUV  ACQ/PEAKD     1.0 2010.006:23:45:36 HVNom  "
        "PSA  G130M    -----   "
        "1291  0   3169   3169   DWELLS=5 STEPSIZE= 900 FLUXFLR",
    ),
]


@pytest.mark.parametrize(("plan", "line"), NEW)
def test_new_layout(plan: ExposurePlan, line: str) -> None:
    text = report(58228.0, [plan]).splitlines()
    assert text[:2] == ["", "COS Exposure Report: SMS 181107B1"]
    assert text[4].startswith("Filename Prop  Target")
    assert len(text[5]) == len(text[4])
    assert text[6] == line


@pytest.mark.parametrize(("plan", "line"), OLD)
def test_old_layout(plan: ExposurePlan, line: str) -> None:
    assert report(55200.0, [plan]).splitlines()[6] == line


def test_weeks_start_on_monday_and_visits_are_apart() -> None:
    later = replace(SCIENCE, rootname="ldie06aaq", start=SCIENCE.start + 7.0)
    second = replace(SCIENCE, rootname="ldie06abq", start=SCIENCE.start + 0.2)
    by_week = weeks([later, SCIENCE, second])
    assert [len(plans) for plans in by_week.values()] == [2, 1]
    monday = next(iter(by_week))
    assert monday % 7 == 5.0
    assert monday <= SCIENCE.start < monday + 7.0
    assert report_name(monday) == "181137b1.txt"
    lines = report(monday, by_week[monday]).splitlines()
    assert [line[:4] for line in lines[6:]] == ["ldie", "----", "ldie", "----"]


def test_each_mechanism_has_its_time_since_a_move() -> None:
    """8070 and 7646 s, as in the report of a real exposure with the NUV."""
    plan = replace(SCIENCE, since_osm1=8070.0, since_osm2=7646.0)
    assert "1105 -2   8070   7646" in report(58228.0, [plan])
    assert plan.since_osm_move == 8070.0
    assert replace(plan, detector="NUV").since_osm_move == 7646.0
