"""Monitors, alerts and subscriptions over HTTP, and their pages."""

import io
import json
import re
from html import unescape
from typing import Any

import httpx
import pytest
from astropy.io import fits
from PIL import Image
from sqlalchemy import select

from services.monitor.monitors import monitors
from shared.database.models.monitoring import Alert, Artifact, Severity
from shared.database.models.operations import Dataset, File, Job, Stage
from shared.database.models.science import Dark
from shared.store import Store
from shared.worker.broker import Messenger
from tests.services.monitor.conftest import TOKEN, SeededDatabase
from tests.services.monitor.monitors.bench import run_monitor

pytestmark = pytest.mark.integration

_BEARER = {"Authorization": f"Bearer {TOKEN}"}
_EXPOSURES, _BINS, _NPIX = 12, 8, 5_000_000
_RATE = 4.0e-6


@pytest.fixture
async def measured(seeded: SeededDatabase, messenger: Messenger) -> SeededDatabase:
    """Twelve darks of FUVA, of which the last five have four times the expected rate.

    The dark monitors have run.
    """
    async with seeded.database.transaction() as session:
        dataset = Dataset(rootname="ldark0010", kind="exposure")
        session.add(dataset)
        await session.flush()
        for number in range(_EXPOSURES):
            name = f"ldark0{number:02d}q"
            file = File(
                dataset_id=dataset.id,
                origin="product",
                path=f"products/{name}",
                name=f"{name}_corrtag_a.fits.gz",
                rootname=name,
                suffix="corrtag_a",
                size=1,
                sha256="2" * 64,
                current=True,
                shown=True,
            )
            session.add(file)
            await session.flush()
            rate = _RATE * (4 if number >= _EXPOSURES - 5 else 1)
            session.add_all(
                Dark(
                    file_id=file.id,
                    rootname=name,
                    detector="FUVA",
                    region="inner",
                    bin=place,
                    mjd=57600.0 + 7 * number + place * 25 / 86400,
                    date=2016.6,
                    exposure=25.0,
                    npix=_NPIX,
                    counts=round(rate * _NPIX * 25),
                    dark=rate,
                    latitude=20.0,
                    longitude=5.0 * place,
                    sun_lat=5.0,
                    sun_lon=90.0,
                    saa_distance=3000.0,
                    hvlevel=163,
                )
                for place in range(_BINS)
            )
    for name in ("fuv-dark", "dark-orbit"):
        await run_monitor(seeded.database, messenger, Store(seeded.settings.store_url), name)
    return seeded


async def _items(web: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    answer = await web.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_index_tells_freshness_and_alarms(
    measured: SeededDatabase, web: httpx.AsyncClient
) -> None:
    found = {item["name"]: item for item in await _items(web, "monitors")}
    assert set(found) == set(monitors())
    dark = found["fuv-dark"]
    assert (dark["freshness"], dark["worst_alert"]) == (
        "stale",
        "alert",
    )  # the newest data are of 2016
    assert dark["last_run"]["outcome"] == "updated"
    assert found["nuv-dark"]["freshness"] == "empty"


async def test_values_lead_to_run_and_file(
    measured: SeededDatabase, web: httpx.AsyncClient
) -> None:
    answer = (
        await web.get("/api/v1/monitors/fuv-dark/data?sort=mjd&segment=FUVA&hvlevel=163")
    ).json()
    assert len(answer["items"]) == _EXPOSURES
    assert answer["quantities"]["dark_rate"]["unit"] == "count / (s pix)"
    first = answer["items"][0]
    counts = _BINS * round(_RATE * _NPIX * 25)
    assert first["value"] == pytest.approx(counts / (_BINS * 25 * _NPIX))
    (run,) = await _items(web, "monitors/fuv-dark/runs")
    assert first["run_id"] == run["id"]
    assert run["versions"]["monitor"] == monitors()["fuv-dark"].version
    async with measured.database.session() as session:
        assert (
            (await session.get_one(File, first["file_id"])).rootname
            == first["rootname"]
            == "ldark000q"
        )
    assert (
        len((await web.get("/api/v1/monitors/fuv-dark/data?mjd__gte=57670")).json()["items"]) == 2
    )
    table = (await web.get("/api/v1/monitors/fuv-dark/data?format=csv")).text
    assert len(table.splitlines()) > _EXPOSURES


async def test_figures_are_plotly_png_and_svg(
    measured: SeededDatabase, web: httpx.AsyncClient
) -> None:
    names = [item["name"] for item in await _items(web, "monitors/fuv-dark/figures")]
    assert names == ["rate", "histogram", "temperature"]
    path = "/api/v1/monitors/fuv-dark/figures/rate"
    answer = await web.get(path)
    points = next(trace for trace in answer.json()["data"] if trace["name"] == "FUVA")
    assert points["customdata"][0] == "ldark000q"
    again = await web.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    picture = Image.open(io.BytesIO((await web.get(f"{path}?format=png")).content))
    assert picture.size[0] > 800
    assert len(picture.convert("L").getcolors() or []) > 20
    assert "<svg" in (await web.get(f"{path}?format=svg")).text
    drawn = await web.get(f"{path}?format=svg")
    known = await web.get(f"{path}?format=svg", headers={"If-None-Match": drawn.headers["etag"]})
    assert (known.status_code, known.headers["vary"]) == (304, drawn.headers["vary"])
    unpacked = await web.get(f"{path}?format=svg", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in unpacked.headers
    assert "<svg" in unpacked.text
    assert (await web.get("/api/v1/monitors/fuv-dark/figures/nonesuch")).status_code == 404


async def test_panels_are_put_below_each_other(
    measured: SeededDatabase, web: httpx.AsyncClient
) -> None:
    path = "/api/v1/monitors/fuv-dark/figures/histogram"
    beside, below = [(await web.get(path + query)).json() for query in ("", "?columns=1")]
    left = [
        {axis["domain"][0] for name, axis in figure["layout"].items() if name.startswith("xaxis")}
        for figure in (beside, below)
    ]
    assert len(left[0]) > 1
    assert left[1] == {0.0}
    assert below["layout"]["height"] > beside["layout"]["height"]
    assert [trace["y"] for trace in below["data"]] == [trace["y"] for trace in beside["data"]]
    assert (await web.get(path + "?columns=0")).status_code == 422


async def test_artifacts_are_the_maps(measured: SeededDatabase, web: httpx.AsyncClient) -> None:
    (artifact,) = await _items(web, "monitors/dark-orbit/artifacts")
    content = (await web.get(f"/api/v1/artifacts/{artifact['id']}/content")).content
    with fits.open(io.BytesIO(content)) as hdus:
        assert hdus["COUNT"].data.sum() == _EXPOSURES * _BINS
        # latitude 20, longitudes 0 to 35 in steps of 5
        rates = hdus["RATE"].data[22]
        assert rates[:8] == pytest.approx([_RATE] * 8, rel=1e-5)
    part = await web.get(
        f"/api/v1/artifacts/{artifact['id']}/content", headers={"Range": "bytes=0-5"}
    )
    assert (part.status_code, part.content) == (206, b"SIMPLE")


async def test_files_come_in_pages(measured: SeededDatabase, web: httpx.AsyncClient) -> None:
    (first,) = await _items(web, "monitors/dark-orbit/artifacts")
    async with measured.database.transaction() as session:
        for number in range(120):
            names = {
                "name": f"map{number}.fits",
                "path": "elsewhere",
                "kind": "map",
                "size": 1,
                "sha256": "3" * 64,
            }
            session.add(
                Artifact(
                    monitor="dark-orbit", run_id=first["run_id"], current=True, detail={}, **names
                )
            )
    found, path, pages = [], "/api/v1/monitors/dark-orbit/artifacts?limit=50", 0
    while path:
        answer = await web.get(path)
        found += [item["name"] for item in answer.json()["items"]]
        path, pages = answer.links.get("next", {}).get("url", ""), pages + 1
    assert pages == 3
    assert found == [f"map{number}.fits" for number in range(119, -1, -1)] + [first["name"]]
    page = (await web.get("/monitors/dark-orbit")).text
    assert ">map20.fits<" in page
    assert ">map19.fits<" not in page
    (older,) = re.findall(r'href="(\?cursor=[^"#]+)#files"', page)
    page = (await web.get(f"/monitors/dark-orbit{unescape(older)}")).text
    assert ">map19.fits<" in page
    assert first["name"] in page
    assert "Older files" not in page


async def test_rules_are_listed_with_their_thresholds(
    measured: SeededDatabase, web: httpx.AsyncClient
) -> None:
    rules = (await web.get("/api/v1/monitors/phd")).json()["rules"]
    (low,) = [rule for rule in rules if rule["name"] == "lost-low"]
    assert low["severity"] == "warn"
    assert low["text"] == "median fraction below pulse height 2 of the last 5 exposures above 10%"
    assert [(one["from_mjd"], one["value"]) for one in low["thresholds"]] == [(0.0, 0.1)]
    assert low["source"] == low["thresholds"][-1]["source"] != ""
    assert low["text"] in (await web.get("/monitors/phd")).text


async def test_an_alert_is_acknowledged_with_a_token(
    measured: SeededDatabase, web: httpx.AsyncClient
) -> None:
    found = await _items(web, "alerts?state=open&monitor=fuv-dark&severity=alert")
    (alert,) = [item for item in found if "times the expected rate" in item["rule"]]
    assert alert["value"] == pytest.approx(4 * _RATE, rel=0.01)
    path = f"/api/v1/alerts/{alert['id']}/acknowledge"
    assert (await web.post(path)).status_code == 401
    assert (await web.post(path, headers=_BEARER)).status_code == 200
    assert (await web.post(path, headers=_BEARER)).status_code == 404
    async with measured.database.session() as session:
        kept = await session.get_one(Alert, alert["id"])
    assert (kept.state, kept.acknowledged_by) == ("acknowledged", "operator")


async def test_pages_show_severe_alerts_first(
    measured: SeededDatabase, web: httpx.AsyncClient
) -> None:
    (artifact,) = await _items(web, "monitors/dark-orbit/artifacts")
    async with measured.database.transaction() as session:
        for number, severity in enumerate([Severity.CRITICAL] + [Severity.WARN] * 109):
            said = {
                "key": f"rule|{number}",
                "rule": "a rule",
                "message": f"finding {number}.",
                "source": "a test",
            }
            session.add(
                Alert(monitor="dark-orbit", run_id=artifact["run_id"], severity=severity, **said)
            )
    (newest,) = await _items(web, "alerts?monitor=dark-orbit&state=open&limit=1")
    await web.post(f"/api/v1/alerts/{newest['id']}/acknowledge", headers=_BEARER)
    others = await _items(web, "alerts?monitor=fuv-dark&state=open")
    grave = sum(item["severity"] == "alert" for item in others)
    assert grave > 0
    for path, above, beside in (("/monitors", grave, len(others)), ("/monitors/dark-orbit", 0, 0)):
        shown, folded = (await web.get(path)).text.split('<details id="other-alerts">')
        assert re.findall(r"finding \d+", shown) == [
            "finding 0",
            *(f"finding {108 - n}" for n in range(7 - above)),
        ]
        assert f"<summary>{102 + beside} more</summary>" in folded
        assert f"<p>{10 + beside} more are not shown" in folded
        assert folded.count('<tr><td><span class="state') == 92


async def test_a_run_is_asked_for_with_a_token(
    measured: SeededDatabase, web: httpx.AsyncClient
) -> None:
    assert (await web.post("/api/v1/monitors/fuv-dark/runs")).status_code == 401
    assert (await web.post("/api/v1/monitors/fuv-dark/runs", headers=_BEARER)).status_code == 202
    async with measured.database.session() as session:
        waiting = select(Job).where(Job.stage == Stage.MONITOR, Job.state == "queued")
        assert [job.monitor for job in (await session.execute(waiting)).scalars()] == ["fuv-dark"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"channel": "webhook", "target": "file:///etc/passwd"}, "http or https"),
        ({"channel": "webhook", "target": "http://me:word@example.org/"}, "http or https"),
        ({"channel": "webhook", "target": "http://example.org/", "secret": "s3cret"}, "whsec_"),
        ({"channel": "email", "target": "nobody"}, "not an e-mail address"),
        ({"channel": "email", "target": "a@b.c\r\nBcc: d@e.f"}, "not an e-mail address"),
        ({"channel": "email", "target": "a@b@c"}, "not an e-mail address"),
        ({"channel": "email", "target": "a@b.c", "monitor": "nonesuch"}, "no monitor"),
        ({"channel": "pigeon", "target": "a"}, "channel"),
    ],
)
async def test_wrong_subscriptions_are_refused(
    web: httpx.AsyncClient, body: dict[str, str], reason: str
) -> None:
    answer = await web.post("/api/v1/subscriptions", json=body, headers=_BEARER)
    assert 400 <= answer.status_code < 500
    assert reason in json.dumps(answer.json())


async def test_subscriptions_come_and_go(web: httpx.AsyncClient) -> None:
    body = {"channel": "webhook", "target": "http://localhost:1/hook", "monitor": "fuv-dark"}
    assert (await web.post("/api/v1/subscriptions", json=body)).status_code == 401
    made = (await web.post("/api/v1/subscriptions", json=body, headers=_BEARER)).json()
    assert (made["signed"], made["created_by"]) == (True, "operator")
    assert made["secret"].startswith("whsec_")
    assert (await web.get("/api/v1/subscriptions")).status_code == 401
    listed = (await web.get("/api/v1/subscriptions", headers=_BEARER)).json()
    assert made["secret"] not in json.dumps(listed)
    assert (listed["items"][0]["disabled_at"], listed["items"][0]["failures"]) == (None, 0)
    enabled = await web.post(f"/api/v1/subscriptions/{made['id']}/enable", headers=_BEARER)
    assert enabled.json()["failures"] == 0
    assert (await web.post("/api/v1/subscriptions/999/enable", headers=_BEARER)).status_code == 404
    path = f"/api/v1/subscriptions/{made['id']}"
    assert (await web.delete(path, headers=_BEARER)).status_code == 204
    assert (await web.delete(path, headers=_BEARER)).status_code == 404


async def test_pages_show_the_monitors(measured: SeededDatabase, web: httpx.AsyncClient) -> None:
    index = (await web.get("/monitors")).text
    assert all(monitor.title in unescape(index) for monitor in monitors().values())
    assert "times the expected rate" in index
    page = (await web.get("/monitors/fuv-dark")).text
    for part in (
        "Description",
        "/api/v1/monitors/fuv-dark/figures/rate",
        "whole mission",
        "FUVA inner",
    ):
        assert part in page
    assert "dark_map_fuva_163.fits" in (await web.get("/monitors/dark-orbit")).text
    assert (await web.get("/monitors/nuv-dark")).status_code == 200
    assert (await web.get("/monitors/nonesuch", headers={"accept": "text/html"})).status_code == 404


async def test_errors_say_what_there_is(web: httpx.AsyncClient) -> None:
    for path in ("", "/data", "/figures", "/figures/rate", "/runs", "/artifacts"):
        answer = await web.get(f"/api/v1/monitors/nonesuch{path}")
        assert answer.status_code == 404
        assert "fuv-dark" in answer.json()["error"]["message"]
    assert (await web.get("/api/v1/artifacts/999/content")).status_code == 404
    assert (await web.get("/api/v1/alerts?monitor=nonesuch")).status_code == 404
