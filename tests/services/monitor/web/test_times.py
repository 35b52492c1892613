"""Rows whose times are no times of COS.

Kept and flagged, an alert, never the newest, in no statistic.
"""

import asyncio
import json
import math
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import delete, select, update

from services.monitor.figures.packing import pack, unpack
from services.monitor.framework.freshness import ahead_findings
from shared.cos.dates import decimal_year
from shared.cos.times import now_mjd
from shared.database.models.monitoring import MonitorFigure, MonitorRun, MonitorValue
from shared.database.models.operations import Dataset, File
from shared.database.models.science import Acquisition, Dark, Header, ScheduledExposure
from shared.finite_json import finite_json
from shared.store import Store
from shared.worker.broker import Messenger
from tests.services.monitor.conftest import SeededDatabase
from tests.services.monitor.monitors.bench import run_monitor

pytestmark = pytest.mark.integration

_LATE = 94204.8
"""2116, MJD."""
_SECONDS = 5.0
"""Until an answer that was kept gives way to that of the next run."""

_PLACES = (
    "/",
    "/monitors",
    "/monitors/fuv-dark",
    "/monitors/plausibility",
    "/datasets",
    "/api/v1/status",
    "/api/v1/monitors",
    "/api/v1/monitors/fuv-dark",
    "/api/v1/monitors/fuv-dark/runs",
    "/api/v1/monitors/fuv-dark/data",
    "/api/v1/tables/headers",
    "/api/v1/tables/acqs",
    "/api/v1/alerts",
)


async def _file(seeded: SeededDatabase, name: str, suffix: str) -> int:
    async with seeded.database.transaction() as session:
        dataset = Dataset(rootname=name[:9], kind="exposure")
        session.add(dataset)
        await session.flush()
        file = File(
            dataset_id=dataset.id,
            origin="raw",
            path=f"raw/{name}",
            name=name,
            rootname=name[:9],
            suffix=suffix,
            size=1,
            sha256="3" * 64,
            shown=True,
        )
        session.add(file)
        await session.flush()
        return file.id


async def _darks(seeded: SeededDatabase, name: str, dates: list[float]) -> None:
    file = await _file(seeded, name, "darkrates")
    async with seeded.database.transaction() as session:
        session.add_all(
            Dark(
                file_id=file,
                rootname=f"{name[:6]}{number:02d}q",
                detector="FUVA",
                region="inner",
                mjd=mjd,
                date=float(decimal_year(np.array(mjd))),
                dark=1.2e-6,
                counts=150,
                exposure=25.0,
                npix=5_000_000,
                latitude=20.0,
                longitude=31.0,
                sun_lat=0.0,
                sun_lon=70.0,
                saa_distance=3000.0,
                temp=24.5,
                hvlevel=163,
            )
            for number, mjd in enumerate(dates)
        )


async def _run(seeded: SeededDatabase, messenger: Messenger, name: str, occasion: int = 0) -> None:
    await run_monitor(seeded.database, messenger, Store(seeded.settings.store_url), name, occasion)


async def _json(web: httpx.AsyncClient, path: str) -> Any:
    answer = await web.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("time", [1e9, 3e6, 1e20, -1.0, math.nan, math.inf, -1e300])
async def test_no_page_dies_of_one_header(
    seeded: SeededDatabase, web: httpx.AsyncClient, messenger: Messenger, time: float
) -> None:
    for name, start in (("lb4l02baq", 57569.0), ("lb4l02bbq", time)):
        file = await _file(seeded, f"{name}_rawacq.fits", "rawacq")
        async with seeded.database.transaction() as session:
            session.add(
                Header(file_id=file, rootname=name, preferred=True, expstart=start, expend=start)
            )
            session.add(Acquisition(file_id=file, rootname=name, expstart=start))
    await _run(seeded, messenger, "plausibility")
    for place in _PLACES:
        answer = await web.get(place)
        assert answer.status_code == 200, (place, answer.text)
    assert (await _json(web, "/api/v1/status"))["newest_exposure"].startswith("2016-06-30")
    assert [row["rootname"] for row in (await _json(web, "/api/v1/tables/acqs"))["items"]] == [
        "lb4l02baq",
        "lb4l02bbq",
    ]
    flagged = (await _json(web, "/api/v1/tables/doubtful_times"))["items"]
    assert {
        (row["name"], row["table_name"], row["column_name"], row["number"]) for row in flagged
    } == {
        ("lb4l02bbq_rawacq.fits", "headers", "expstart", 1),
        ("lb4l02bbq_rawacq.fits", "headers", "expend", 1),
        ("lb4l02bbq_rawacq.fits", "acqs", "expstart", 1),
    }
    (alert,) = (await _json(web, "/api/v1/alerts?monitor=plausibility&state=open"))["items"]
    assert alert["message"].startswith("lb4l02bbq_rawacq.fits: expstart in headers is ")
    assert alert["rootname"] == "lb4l02bbq"


async def test_a_dark_of_2116_changes_nothing_but_is_an_alert(
    seeded: SeededDatabase, web: httpx.AsyncClient, messenger: Messenger
) -> None:
    await _darks(seeded, "ldtest_darkrates.json", [57388.0 + 7 * number for number in range(40)])
    await _run(seeded, messenger, "fuv-dark")
    before = await _json(web, "/api/v1/monitors/fuv-dark")
    await _darks(seeded, "ldlate_darkrates.json", [_LATE, 1e20, math.nan])
    await _run(seeded, messenger, "fuv-dark", 1)
    await _run(seeded, messenger, "dark-orbit", 1)
    await _run(seeded, messenger, "plausibility", 1)
    after = await _json(web, "/api/v1/monitors/fuv-dark")
    assert (after["freshness"], after["last_run"]["newest_mjd"]) == (
        "stale",
        before["last_run"]["newest_mjd"],
    )
    assert after["statistics"] == before["statistics"]
    assert after["alerts"] == before["alerts"]
    (alert,) = (await _json(web, "/api/v1/alerts?monitor=plausibility"))["items"]
    assert "ldlate_darkrates.json: mjd in darks is 94204.8 to " in alert["message"]
    # Once the file is gone, so are its flags and its alert.
    async with seeded.database.transaction() as session:
        await session.execute(delete(File).where(File.name == "ldlate_darkrates.json"))
    await _run(seeded, messenger, "plausibility", 2)
    assert (await _json(web, "/api/v1/tables/doubtful_times"))["items"] == []
    (alert,) = (await _json(web, "/api/v1/alerts?monitor=plausibility"))["items"]
    assert alert["state"] == "resolved"


@pytest.mark.parametrize("newest", [_LATE, 1e9, 1e20, math.inf, math.nan])
async def test_what_a_run_left_before_does_not_keep_a_monitor_fresh(
    seeded: SeededDatabase, web: httpx.AsyncClient, messenger: Messenger, newest: float
) -> None:
    await _darks(seeded, "ldtest_darkrates.json", [57388.0 + 7 * number for number in range(40)])
    await _run(seeded, messenger, "fuv-dark")
    async with seeded.database.transaction() as session:
        await session.execute(update(MonitorRun).values(newest_mjd=newest, seconds=newest))
        await session.execute(update(MonitorValue).values(mjd=newest, value=newest))
        figure = (
            await session.execute(select(MonitorFigure).order_by(MonitorFigure.position).limit(1))
        ).scalar_one()
        content = json.loads(unpack(figure.content))
        content["panels"][0]["layers"][0]["x"][0] = newest
        figure.content = pack(finite_json(content).encode())
        picture = f"/api/v1/monitors/fuv-dark/figures/{figure.name}?format=png"
    for place in (
        *_PLACES,
        *(f"/api/v1/monitors/fuv-dark/data?format={name}" for name in ("csv", "fits", "votable")),
        picture,
    ):
        answer = await web.get(place)
        assert answer.status_code == 200, (place, answer.text)
    found = await _json(web, "/api/v1/monitors/fuv-dark")
    assert found["freshness"] == ("stale" if math.isnan(newest) else "ahead")
    # A run by this version finds the newest again.
    await _run(seeded, messenger, "fuv-dark", 1)
    async with asyncio.timeout(_SECONDS):
        while found["last_run"]["newest_mjd"] != 57388.0 + 7 * 39:
            await asyncio.sleep(0.02)
            found = await _json(web, "/api/v1/monitors/fuv-dark")
    assert found["freshness"] == "stale"


def test_newest_data_of_the_day_after_tomorrow_are_an_alert() -> None:
    assert ahead_findings(None) == ahead_findings(now_mjd() + 0.5) == []
    (finding,) = ahead_findings(_LATE)
    assert "2116-10-19" in finding.message


async def test_plans_may_lie_ahead(
    seeded: SeededDatabase, web: httpx.AsyncClient, messenger: Messenger
) -> None:
    file = await _file(seeded, "181137b4.txt", "sms")
    async with seeded.database.transaction() as session:
        for number, ahead in enumerate((20.0, 4000.0)):
            row = ScheduledExposure(
                file_id=file, rootname=f"sms{number}", preferred=True, expstart=now_mjd() + ahead
            )
            session.add(row)
    await _run(seeded, messenger, "plausibility")
    (row,) = (await _json(web, "/api/v1/tables/doubtful_times"))["items"]
    assert (row["table_name"], row["number"]) == ("sms", 1)
