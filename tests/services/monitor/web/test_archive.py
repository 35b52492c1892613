"""Remote archives over HTTP: their datasets, plans, selections and state."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.status import read_status
from shared.alerts import open_alert, resolve_alerts
from shared.catalogues import REFUSED_SETTING
from shared.catalogues.selection import BY_SETTING
from shared.database.models.archive import (
    Access,
    ArchiveSelection,
    CatalogueEntryRow,
    CatalogueFileRow,
    CatalogueHealth,
    CatalogueListing,
    ListingKind,
    SelectionOrder,
)
from shared.database.models.monitoring import Severity
from shared.database.models.operations import Attempt, Dataset, Event, File, Job, JobState, Stage

pytestmark = pytest.mark.integration
API = "/api/v1/archive"
AUTHORISED = {"Authorization": "Bearer correct horse"}
_FIRST = datetime(2026, 5, 1, tzinfo=UTC)
_LAST = datetime(2026, 5, 3, tzinfo=UTC)


def _entry(dataset: str, **values: Any) -> CatalogueEntryRow:
    usual = {"proposal": 14933, "target": "NGC-4151", "configuration": "COS/FUV"}
    usual |= {"access": Access.PUBLIC, "source": "mast", "first_seen": _FIRST}
    return CatalogueEntryRow(dataset=dataset, **{**usual, **values})


def _listing(time: datetime, **values: Any) -> CatalogueListing:
    usual = {"catalogue": "mast", "kind": ListingKind.FULL, "entries": 3}
    return CatalogueListing(started_at=time, finished_at=time, **{**usual, **values})


@pytest.fixture
async def catalogues(seeded: Any) -> None:
    """Add what two catalogues have, one of which does not answer."""
    async with seeded.database.transaction() as session:
        session.add_all(
            [
                _entry("lbgu17010", association="lbgu17010", wanted=True, files_due=False),
                _entry("lbgu17qnq", association="lbgu17010", access=Access.EXCLUSIVE),
                _entry("lbxx01010", proposal=15000, target="M-31", ra=10.7, dec=41.3),
                _entry("lbxx02010", proposal=15000, missing_since=_LAST),
                _listing(_FIRST),
                _listing(_LAST, new=2, missing=1),
                _listing(_LAST, catalogue="cadc", error="cut", kind=ListingKind.SHORT),
                CatalogueHealth(catalogue="mast", last_answer=_LAST),
                CatalogueHealth(catalogue="cadc", failing_since=_LAST, error="no answer"),
            ]
        )
    async with seeded.database.transaction() as session:
        session.add(
            CatalogueFileRow(
                name="lbgu17010_asn.fits",
                dataset="lbgu17010",
                uri="mast:HST/product/lbgu17010_asn.fits",
                size=11520,
                access=Access.PUBLIC,
                identity="1",
                catalogue="mast",
            )
        )


@pytest.mark.usefixtures("catalogues")
async def test_datasets_are_listed_by_rootname(web: httpx.AsyncClient) -> None:
    async def listed(query: str) -> list[str]:
        answer = await web.get(f"{API}/datasets?{query}")
        assert answer.status_code == 200, answer.text
        return [item["dataset"] for item in answer.json()["items"]]

    assert await listed("") == ["lbgu17010", "lbgu17qnq", "lbxx01010", "lbxx02010"]
    assert await listed("dataset=LBXX") == ["lbxx01010", "lbxx02010"]
    assert await listed("proposals=14933,1") == ["lbgu17010", "lbgu17qnq"]
    assert await listed("targets=m-*") == ["lbxx01010"]
    assert await listed("cone=10.68,41.27,0.1") == ["lbxx01010"]
    assert await listed("access=exclusive") == ["lbgu17qnq"]
    assert await listed("wanted=true") == ["lbgu17010"]
    assert await listed("missing=true") == ["lbxx02010"]
    answer = await web.get(f"{API}/datasets?limit=3")
    rest = await web.get(answer.links["next"]["url"])
    (gone,) = rest.json()["items"]
    assert (gone["dataset"], "next" in rest.links) == ("lbxx02010", False)
    assert (gone["last_seen"], gone["missing_since"]) == (_FIRST.isoformat(), _LAST.isoformat())
    there = answer.json()["items"][0]
    assert (there["first_seen"], there["last_seen"]) == (_FIRST.isoformat(), _LAST.isoformat())
    assert (there["files_listed"], there["wanted"], there["source"]) == (True, True, "mast")


@pytest.mark.usefixtures("catalogues")
async def test_a_plan_says_what_would_come(web: httpx.AsyncClient) -> None:
    plan = (await web.get(f"{API}/plan?proposals=14933,99999")).json()
    assert (plan["datasets"], plan["coming"], plan["exclusive"]) == (2, 1, 1)
    assert (plan["files"], plan["bytes"], plan["estimated"]) == (1, 11520, 0)
    assert plan["unknown"] == ["proposal 99999"]
    assert plan["room"] > 0
    everything = (await web.get(f"{API}/plan?everything=true")).json()
    assert (everything["datasets"], everything["withdrawn"], everything["estimated"]) == (4, 1, 1)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "nothing is selected; give proposals"),
        ("proposals=x", "proposals.0: Input should be a valid integer"),
        ("cone=1,2", "cone: give right ascension, declination and radius, degree"),
        ("cone=1,2,x", "cone.radius: Input should be a valid number"),
        ("everything=true&proposals=1", "everything goes with nothing else"),
        ("first=2024-01-02T00:00:00Z&last=2024-01-01T00:00:00Z", "exchange the dates"),
    ],
)
async def test_selections_that_make_no_sense_are_refused(
    web: httpx.AsyncClient, query: str, message: str
) -> None:
    answer = await web.get(f"{API}/plan?{query}")
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, "invalid_request")
    assert message in answer.json()["error"]["message"]


@pytest.mark.usefixtures("catalogues")
async def test_selections_are_added_and_ended(web: httpx.AsyncClient) -> None:
    body = {"selection": {"proposals": [14933]}, "order": "oldest"}
    assert (await web.post(f"{API}/selections", json=body)).status_code == 401
    answer = await web.post(f"{API}/selections", json=body, headers=AUTHORISED)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["selection"], made["order"], made["created_by"]) == (
        {"proposals": [14933]},
        "oldest",
        "operator",
    )
    again = await web.post(f"{API}/selections", json=body, headers=AUTHORISED)
    assert again.json()["id"] == made["id"]
    status = (await web.get(f"{API}/status")).json()
    assert [found["description"] for found in status["selections"]] == ["proposals 14933"]
    assert (status["wanted"]["coming"], status["wanted"]["files"]) == (1, 1)
    number = made["id"]
    ended = await web.delete(f"{API}/selections/{number}", headers=AUTHORISED)
    assert ended.status_code == 204
    again = await web.delete(f"{API}/selections/{number}", headers=AUTHORISED)
    assert (again.status_code, again.json()["error"]["type"]) == (404, "unknown_selection")
    assert (await web.get(f"{API}/status")).json()["selections"] == []


@pytest.mark.usefixtures("catalogues")
async def test_selections_that_cannot_be_are_refused(
    web: httpx.AsyncClient, seeded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    body: dict[str, Any] = {"selection": {"proposals": [99999]}}
    answer = await web.post(f"{API}/selections", json=body, headers=AUTHORISED)
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        409,
        "no catalogue has anything of proposal 99999; check the spelling",
    )
    monkeypatch.setattr("shared.store.Store.free_bytes", 1000)
    body = {"selection": {"everything": True}}
    answer = await web.post(f"{API}/selections", json=body, headers=AUTHORISED)
    assert answer.status_code == 409
    assert "the disk of the store has room for" in answer.json()["error"]["message"]
    async with seeded.database.transaction() as session:
        setting = ArchiveSelection(
            selection={"proposals": [15000]},
            order=SelectionOrder.NEWEST,
            created_at=_FIRST,
            created_by=BY_SETTING,
        )
        session.add(setting)
    answer = await web.delete(f"{API}/selections/{setting.id}", headers=AUTHORISED)
    assert (answer.status_code, answer.json()["error"]["type"]) == (409, "set_by_settings")


@pytest.mark.usefixtures("catalogues")
async def test_the_status_says_which_catalogues_answer(web: httpx.AsyncClient, seeded: Any) -> None:
    status = (await web.get(f"{API}/status")).json()
    assert (status["entries"], status["refused"]) == (4, None)
    cadc, mast = status["catalogues"]
    assert (cadc["error"], cadc["failing_since"]) == ("no answer", _LAST.isoformat())
    assert (cadc["last_full"], cadc["last_short"]) == (None, None)
    assert (mast["failing_since"], mast["last_full"]["new"]) == (None, 2)
    async with AsyncSession(seeded.database.engine) as session:
        whole = await read_status(session)
    assert "cadc does not answer: no answer" in whole.trouble
    assert [found.catalogue for found in whole.catalogues] == ["cadc", "mast"]


@pytest.mark.usefixtures("catalogues")
async def test_what_the_settings_want_and_cannot_have_is_shown(
    web: httpx.AsyncClient, seeded: Any
) -> None:
    message = "COSMO_ARCHIVE__WANTED is refused: everything is 2 TB"
    async with seeded.database.transaction() as session:
        await open_alert(session, REFUSED_SETTING, Severity.WARN, message, rule="too large")
    assert (await web.get(f"{API}/status")).json()["refused"] == message
    assert message in (await web.get("/archive")).text
    async with seeded.database.transaction() as session:
        await resolve_alerts(session, REFUSED_SETTING)
    assert (await web.get(f"{API}/status")).json()["refused"] is None


@pytest.mark.usefixtures("catalogues")
async def test_the_rate_is_that_of_all_workers(web: httpx.AsyncClient, seeded: Any) -> None:
    """Two jobs of 40 s and 50 s that overlap bring 9 MB in a minute; older files do not count."""
    assert (await web.get(f"{API}/status")).json()["transfer"] is None
    now = datetime.now(UTC)
    async with seeded.database.transaction() as session:
        for number, (began, ended) in enumerate([(70, 30), (60, 10)]):
            dataset = Dataset(rootname=f"lbzz0{number}010", kind="association")
            session.add(dataset)
            await session.flush()
            job = Job(
                stage=Stage.FETCH,
                dataset_id=dataset.id,
                fingerprint="f",
                queue="fetch",
                trace="t",
                state=JobState.DONE,
            )
            session.add(job)
            await session.flush()
            at = now - timedelta(seconds=ended)
            session.add_all(
                [
                    Attempt(
                        job_id=job.id,
                        number=1,
                        worker="w",
                        started_at=now - timedelta(seconds=began),
                    ),
                    Event(
                        name="dataset.downloaded",
                        dataset_id=dataset.id,
                        job_id=job.id,
                        at=at,
                        sequence=9000 + number,
                    ),
                    _file(dataset.id, "raw", 4_500_000, at),
                    _file(dataset.id, "raw", 1_000_000, now - timedelta(days=1)),
                    _file(dataset.id, "calibrated", 7_000_000, at),
                ]
            )
    transfer = (await web.get(f"{API}/status")).json()["transfer"]
    assert (transfer["datasets"], transfer["bytes"]) == (2, 9_000_000)
    assert transfer["seconds"] == pytest.approx(60)
    assert transfer["bytes_per_second"] == pytest.approx(150_000)


def _file(dataset_id: int, origin: str, size: int, created: datetime) -> File:
    name = f"{origin}{size}.fits"
    return File(
        dataset_id=dataset_id,
        origin=origin,
        path=f"raw/{dataset_id}",
        name=name,
        rootname=name,
        suffix="raw",
        size=size,
        sha256=f"{dataset_id}{size}",
        created_at=created,
    )


@pytest.mark.usefixtures("catalogues")
async def test_the_page_shows_what_answers_waits_and_is_new(
    web: httpx.AsyncClient, seeded: Any
) -> None:
    async with seeded.database.transaction() as session:
        session.add_all(
            [
                _entry("lbyy01010", proposal=16000, archived=_FIRST, target="<b>HD 1</b>"),
                _entry(
                    "lbyy02010",
                    proposal=16000,
                    archived=_LAST,
                    access=Access.EXCLUSIVE,
                    public_from=_LAST,
                ),
            ]
        )
    page = (await web.get("/archive")).text
    assert "Nothing is wanted." in page
    assert "since 2026-05-03 00:00:00: no answer" in page
    assert "3 datasets, 2 new, 0 delivered again, 1 missing" in page
    assert "exclusive until 2026-05-03 00:00:00" in page
    assert page.index("lbyy02010") < page.index("lbyy01010")
    assert "&lt;b&gt;HD 1&lt;/b&gt;" in page
    body = {"selection": {"proposals": [14933]}}
    await web.post(f"{API}/selections", json=body, headers=AUTHORISED)
    page = (await web.get("/archive")).text
    assert "Waiting: 1 file, 11.5 kB" in page
    assert "proposals 14933" in page


async def test_the_page_without_an_archive_says_how_to_ask_one(web: httpx.AsyncClient) -> None:
    assert "COSMO_ARCHIVE__SOURCES=mast,s3,cadc" in (await web.get("/archive")).text
