"""Jobs, failures, status, errors, tokens and pages over HTTP."""

import re
from datetime import timedelta
from html import escape
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.status import read_status
from services.monitor.web.app import create_app
from shared.database.models.operations import Dataset, DatasetState, Job, JobState, Stage, Worker

pytestmark = pytest.mark.integration
API = "/api/v1"
AUTHORISED = {"Authorization": "Bearer correct horse"}


@pytest.mark.parametrize(
    "path",
    ["/failures/requeue", "/failures/1/requeue", "/failures/1/drop", "/datasets/ldfd02010/force"],
)
@pytest.mark.parametrize(
    "sent", [None, "Bearer wrong", "Bearer ", "Bearer", "Basic correct horse", "Bearer é"]
)
async def test_changes_need_a_token(web: httpx.AsyncClient, path: str, sent: str | None) -> None:
    headers = httpx.Headers([] if sent is None else [(b"Authorization", sent.encode())])
    answer = await web.post(API + path, headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "unauthorised")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert (await web.get(f"{API}/failures")).json()["items"]


@pytest.mark.parametrize("tokens", [{}, {"unset": ""}])
async def test_without_a_configured_token_changes_are_refused(
    seeded: Any, tokens: dict[str, str]
) -> None:
    api = seeded.settings.api.model_validate({"tokens": tokens, "hosts": ["cosmo"]})
    app = create_app(seeded.settings.model_copy(update={"api": api}))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://cosmo") as web:
        answer = await web.post(f"{API}/failures/requeue", headers={"Authorization": "Bearer "})
    assert answer.status_code == 403
    assert "COSMO_API__TOKENS" in answer.json()["error"]["message"]


async def test_failures_are_listed_requeued_and_dropped(
    web: httpx.AsyncClient, seeded: Any
) -> None:
    url = f"{API}/failures"
    (failure,) = (await web.get(f"{url}?kind=permanent&stage=fetch&rootname=ldfd01vlq")).json()[
        "items"
    ]
    assert "truncated" in failure["error"]
    assert (await web.get(f"{url}?kind=transient")).json()["items"] == []
    assert (await web.post(f"{url}/requeue?kind=transient", headers=AUTHORISED)).json() == {
        "requeued": 0
    }
    assert (await web.post(f"{url}/requeue?stage=fetch", headers=AUTHORISED)).json() == {
        "requeued": 1
    }
    assert (await web.get(f"{API}/jobs?state=queued&queue=fetch")).json()["items"][0][
        "id"
    ] == seeded.failed_job
    assert (
        await web.post(f"{url}/{seeded.failed_job}/drop", headers=AUTHORISED)
    ).status_code == 404


async def test_a_failure_is_dropped(web: httpx.AsyncClient, seeded: Any) -> None:
    answer = await web.post(f"{API}/failures/{seeded.failed_job}/drop", headers=AUTHORISED)
    assert answer.json() == {"dropped": 1}
    assert (
        await web.post(f"{API}/failures/{seeded.failed_job}/requeue", headers=AUTHORISED)
    ).status_code == 200


async def test_lists_of_datasets_say_which_are_complete(web: httpx.AsyncClient) -> None:
    listed = (await web.get(f"{API}/datasets")).json()["items"]
    found = {item["rootname"]: item["complete"] for item in listed}
    assert found == {"ldfd01010": True, "ldfd01vlq": True, "ldfd02010": False}


async def test_an_incomplete_dataset_is_forced(web: httpx.AsyncClient) -> None:
    answer = await web.post(f"{API}/datasets/LDFD02010/force", headers=AUTHORISED)
    assert answer.json() == {
        "rootname": "ldfd02010",
        "accepted_missing": ["ldfd02aaq_rawtag_a.fits"],
    }
    assert (await web.get(f"{API}/datasets/ldfd02010")).json()["forced"] is True
    assert (
        await web.post(f"{API}/datasets/ldfd01010/force", headers=AUTHORISED)
    ).status_code == 409
    assert (
        await web.post(f"{API}/datasets/nothing00/force", headers=AUTHORISED)
    ).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/datasets", 405),
        ("GET", "/api/v1/datasets?state=happy", 422),
        ("GET", "/api/v1/datasets?limit=1001", 422),
        ("GET", "/api/v1/datasets?since=2020-01-01T00:00:00", 422),
        ("GET", "/api/v1/datasets?since=0.5", 422),
        ("GET", "/api/v1/datasets?since=1e9", 422),
        ("GET", "/api/v1/audit?since=1700000000", 422),
        ("GET", "/api/v1/datasets?cursor=WyJhIiwgImIiXQ==", 400),
        ("GET", "/api/v1/jobs?cursor=bm8=", 400),
        ("GET", "/api/v1/tables/nothing", 404),
        ("GET", "/api/v1/files/99999999999999999999/content", 422),
        ("GET", "/api/v1/files/12345/content", 404),
        ("GET", "/static/nothing.css", 404),
    ],
)
async def test_errors_have_one_shape(
    web: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await web.request(method, path, headers=AUTHORISED)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"type", "message", "detail"}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/v1/datasets", "GET, HEAD"),
        ("/api/v1/references", "GET, HEAD, POST"),
        ("/api/v1/subscriptions/1", "DELETE"),
        ("/api/v1/failures/1/drop", "POST"),
    ],
)
async def test_a_wrong_method_is_refused_with_those_that_there_are(
    web: httpx.AsyncClient, path: str, allowed: str
) -> None:
    for headers in (AUTHORISED, {}):  # what no route takes needs no token
        answer = await web.put(path, headers=headers)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


async def test_a_database_that_is_away_is_a_503(seeded: Any) -> None:
    nowhere = "postgresql+asyncpg://cosmo@127.0.0.1:1/cosmo"
    app = create_app(seeded.settings.model_copy(update={"database_url": nowhere}))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://cosmo") as web:
        assert (await web.get(f"{API}/health/live")).status_code == 200
        for path in ("/health/ready", "/datasets"):
            answer = await web.get(API + path)
            assert (answer.status_code, set(answer.json()["error"])) == (
                503,
                {"type", "message", "detail"},
            )


async def test_status(web: httpx.AsyncClient) -> None:
    status = (await web.get(f"{API}/status")).json()
    assert status["datasets"] == {"ingested": 1, "failed": 1, "discovered": 1}
    assert status["stages"]["fetch"] == {"failed": 1}
    assert status["failures"] == [{"stage": "fetch", "kind": "permanent", "count": 1}]
    assert (await web.get(f"{API}/health/ready")).json() == {"status": "ok"}


@pytest.mark.parametrize(("port", "place"), [(8081, "port 8081"), (0, "COSMO_HEALTH_PORT")])
async def test_metrics_are_elsewhere(seeded: Any, port: int, place: str) -> None:
    app = create_app(seeded.settings.model_copy(update={"health_port": port}))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://cosmo") as web:
        for path in ("/metrics", f"{API}/metrics"):
            answer = await web.get(path)
            assert answer.status_code == 404
            assert place in answer.json()["error"]["message"]


async def test_what_is_away_is_said(web: httpx.AsyncClient, seeded: Any) -> None:
    async with seeded.database.transaction() as session:
        for name, seconds, paused, fault in (
            ("archive", 0, None, None),
            ("calibrator-1", 0, None, None),
            ("calibrator-2", 60, None, None),
            ("ingestor", 0, "the store is <full>", None),
        ):
            seen = func.now() - timedelta(seconds=seconds)
            service = name.partition("-")[0]
            session.add(
                Worker(name=name, service=service, seen_at=seen, paused=paused, fault=fault)
            )
    # each service has somebody at work
    assert (await web.get(f"{API}/health/ready")).json() == {"status": "ok"}
    status = (await web.get(f"{API}/status")).json()
    assert {worker["name"]: worker["state"] for worker in status["workers"]} == {
        "archive": "at work",
        "calibrator-1": "at work",
        "calibrator-2": "away",
        "ingestor": "paused",
    }
    lines = ("calibrator-2: no sign of life for 6", "ingestor: paused: the store is <full>")
    assert all(found.startswith(line) for found, line in zip(status["trouble"], lines, strict=True))
    page = (await web.get("/")).text
    assert all(escape(line) in page for line in lines)
    async with seeded.database.transaction() as session:
        await session.execute(
            update(Worker).where(Worker.name == "archive").values(fault="the broker is away")
        )
        await session.execute(delete(Worker).where(Worker.name == "calibrator-1"))
    answer = await web.get(f"{API}/health/ready")
    assert answer.status_code == 503
    broker, silence = answer.json()["error"]["detail"]
    assert broker == "archive: the broker is away"
    assert silence.startswith("calibrator-2: no sign of life for")


async def test_queues_that_nobody_serves_are_named(web: httpx.AsyncClient, seeded: Any) -> None:
    async with seeded.database.transaction() as session:
        for name, queues, seconds in (
            ("calibrator-1", ["calibrate"], 0),
            ("calibrator-2", ["calibrate", "recalibrate"], 60),
        ):
            seen = func.now() - timedelta(seconds=seconds)
            session.add(Worker(name=name, service="calibrator", seen_at=seen, queues=queues))
        await session.execute(
            update(Job).values(state=JobState.QUEUED, stage=Stage.RECALIBRATE, queue="recalibrate")
        )
    status = (await web.get(f"{API}/status")).json()
    assert {worker["name"]: worker["queues"] for worker in status["workers"]} == {
        "calibrator-1": ["calibrate"],
        "calibrator-2": ["calibrate", "recalibrate"],
    }
    workers = {name: queue["workers"] for name, queue in status["queues"].items()}
    assert (workers["calibrate"], workers["recalibrate"], workers["fetch"]) == (1, 0, 0)
    line = "no worker serves the queue recalibrate, in which 1 jobs wait"
    assert status["trouble"][1:] == [line]
    assert line in (await web.get("/")).text


async def test_states_are_not_older_than_the_jobs_counted(seeded: Any) -> None:
    """The last job ends while the status is read."""
    async with seeded.database.transaction() as session:
        await session.execute(update(Job).values(state=JobState.RUNNING))
        await session.execute(update(Dataset).values(state=DatasetState.FETCHING))

    class Ending(AsyncSession):
        async def execute(self, *arguments: Any, **options: Any) -> Any:
            found = await super().execute(*arguments, **options)
            async with seeded.database.transaction() as other:
                await other.execute(update(Job).values(state=JobState.DONE))
                await other.execute(update(Dataset).values(state=DatasetState.FETCHED))
            return found

    async with Ending(seeded.database.engine) as session:
        status = await read_status(session)
    assert (status.datasets, set(status.jobs)) == ({"fetching": 3}, {"running"})  # one moment


async def test_pages_show_what_there_is_and_escape_it(web: httpx.AsyncClient) -> None:
    overview = (await web.get("/")).text
    assert "&lt;b&gt;truncated&lt;/b&gt;" in overview
    page = (await web.get("/datasets/ldfd01010")).text
    assert "ldfd01010_x1dsum.fits.gz" in page
    assert 'id="spectrum"' in page
    missing = await web.get("/datasets/%3Cscript%3E", headers={"accept": "text/html"})
    assert missing.status_code == 404
    assert "<script>" not in missing.text.split("<main>")[1].split("</main>")[0]


async def test_dataset_list_page_filters(web: httpx.AsyncClient) -> None:
    assert "ldfd02010" in (await web.get("/datasets")).text
    found = (await web.get("/datasets?state=failed&kind=&rootname=")).text
    assert "ldfd01vlq" in found
    assert "ldfd02010" not in found


async def test_pages_need_nothing_from_elsewhere(web: httpx.AsyncClient, app: FastAPI) -> None:
    for path in ("/", "/datasets", "/datasets/ldfd01010"):
        text = (await web.get(path)).text
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
        for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
            assert (await web.get(address)).status_code == 200
