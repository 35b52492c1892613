"""Remote archives, from discovery to the store: a real stand-in, a real Postgres and broker."""

from collections.abc import Callable
from pathlib import Path

import pytest
from astropy.io import fits
from sqlalchemy import update
from structlog.testing import capture_logs

from services.archive.discovery.health import available, note_answer, note_failure
from services.archive.scan import scan, scan_archives
from services.archive.sources import open_source
from shared.database.models.archive import CatalogueEntryRow
from shared.database.models.operations import JobState, SourceFile, SourceVisit, Stage
from shared.errors import TransientError
from shared.jobs.events import Outbox
from simulator.archive.faults import FaultRule
from tests.services.archive.service_in_turns import RAW, SPT, ServiceInTurns

pytestmark = pytest.mark.integration


def _rewrite(path: Path, change: Callable[[fits.HDUList], None]) -> None:
    """Deliver a file again, as the archive does."""
    with fits.open(path, memmap=False) as hdus:
        change(hdus)
        hdus.writeto(path, overwrite=True)


def _of_delivery(hdus: fits.HDUList) -> None:
    hdus[0].header["DATE"] = "2026-11-30"
    hdus[0].header["OPUS_VER"] = "HSTDP 2026_3"
    hdus[0].header["DGEOFILE"] = "lref$zzz1616ql_dgeo.fits"


def _other_name(hdus: fits.HDUList) -> None:
    hdus[0].header["FLATFILE"] = "lref$zzz16117l_flat.fits"


def _other_data(hdus: fits.HDUList) -> None:
    hdus["EVENTS"].data["PHA"][0] += 1


@pytest.mark.parametrize(
    ("change", "calibrations"),
    [(_of_delivery, 1), (_other_name, 2), (_other_data, 2)],
    ids=["dates and names of delivery", "name of a reference", "data"],
)
async def test_deliveries_are_calibrated_where_calibration_reads_another_thing(
    service: ServiceInTurns, change: Callable[[fits.HDUList], None], calibrations: int
) -> None:
    with service.served():
        await service.settle()
        before = await service.files()
        _rewrite(service.folder / RAW, change)
        for _ in range(4):
            await service.turn()
    assert await service.files() == service.served_files()
    assert before[RAW] != service.served_files()[RAW]
    assert await service.files(current=False) == {RAW: before[RAW]}  # the older one is kept
    assert len(await service.jobs(Stage.CALIBRATE)) == calibrations
    assert len(await service.jobs(Stage.INGEST_RAW)) == 2
    fetched = await service.events("dataset.fetched")
    assert [set(one["calibrates_as"]) for one in fetched] == [
        set(),
        {RAW} if calibrations == 1 else set(),
    ]


async def test_a_scan_that_is_behind_writes_no_other_fetch(service: ServiceInTurns) -> None:
    """It loaded the files before the fetch ended that read their headers."""
    with service.served():
        await service.settle()
        async with service.database.transaction() as session:
            unread = SourceFile.facts.op("||")({"unread": True})
            await session.execute(update(SourceFile).values(facts=unread))
            await session.execute(update(SourceVisit).values(pending=1))
        await scan_archives(service.database, service.archives, Outbox(), is_news=False)
    assert [job.state for job in await service.jobs(Stage.FETCH)] == [JobState.DONE]


async def test_exclusive_data_are_listed_and_not_fetched(service: ServiceInTurns) -> None:
    description = service.folder / "archive.toml"
    description.write_text("exclusive = {ldfd01010 = 2035-01-01}\n")
    with service.served() as requests:
        for _ in range(3):
            await service.turn()
        assert not any("Download" in line for line in requests)
        assert await service.jobs(Stage.FETCH) == []
        description.unlink()
        await service.settle()
    assert await service.files() == service.served_files()


async def test_what_a_header_asks_for_is_missing_by_name(service: ServiceInTurns) -> None:
    """The header of a raw file that has come says which segment belongs to it."""
    (service.folder / SPT).rename(service.place / SPT)
    with service.served():
        await service.turn_until_missing(["ldfd01vnq_spt"])
        assert await service.jobs(Stage.FETCH) == []
        (service.place / SPT).rename(service.folder / SPT)
        _rewrite(service.folder / RAW, lambda hdus: hdus[0].header.set("DETECTHV", "NomAB"))
        await service.turn_until_missing(["ldfd01vnq_rawtag_b"])
        assert RAW in await service.files()  # it had to come to say so
        assert await service.events("dataset.fetched") == []
        _rewrite(service.folder / RAW, lambda hdus: hdus[0].header.set("DETECTHV", "NomA"))
        await service.turn_until_missing([])
        await service.settle()
    assert (await service.dataset()).missing == []
    assert await service.files() == service.served_files()


async def test_a_dataset_that_is_withdrawn_or_no_longer_wanted_stays(
    service: ServiceInTurns,
) -> None:
    with service.served():
        await service.settle()
    service.folder = service.place / "empty"
    service.folder.mkdir()
    with service.served():
        for _ in range(3):
            await service.turn()
    assert (await service.dataset()).missing == []
    assert len(await service.jobs(Stage.CALIBRATE)) == 1
    async with service.database.transaction() as session:
        await session.execute(update(CatalogueEntryRow).values(wanted=False, missing_since=None))
    await scan_archives(service.database, service.archives, Outbox())
    assert (await service.dataset()).missing == []
    assert len(await service.jobs(Stage.FETCH)) == 1


async def test_one_archive_is_down_and_the_next_one_serves(service: ServiceInTurns) -> None:
    service.catalogues = ["mast", "s3"]
    down = FaultRule(path="/api/v0.1/Download/*", kind="status", status=503, times=0)
    with service.served([down]), capture_logs() as lines:
        await service.settle()
    assert await service.files() == service.served_files()
    assert len(await service.jobs(Stage.CALIBRATE)) == 1
    assert {
        line["catalogue"] for line in lines if line["event"] == "catalogue does not answer"
    } == {"mast"}


async def test_an_archive_that_fails_with_one_file_is_asked_for_others(
    service: ServiceInTurns,
) -> None:
    fault = FaultRule(path=f"*Download*{RAW}*", kind="status", status=500, times=0)
    with service.served([fault]) as requests, capture_logs() as lines:
        for _ in range(4):
            await service.turn()
        assert await available(service.database, ["mast"]) == ["mast"]
    assert any(SPT in line for line in requests)
    events = [line["event"] for line in lines]
    assert "not to be had from this archive" in events
    assert "catalogue does not answer" not in events
    (job,) = await service.jobs(Stage.FETCH)
    assert job.state is JobState.QUEUED


async def test_folders_are_fetched_while_no_archive_answers(service: ServiceInTurns) -> None:
    folder = service.place / "folder"
    folder.mkdir()
    (folder / SPT.replace("ldfd", "lxxx")).write_bytes((service.folder / SPT).read_bytes())
    with service.served():
        await service.discovery.look()
        await scan_archives(service.database, service.archives, Outbox())
        await note_failure(service.database, "mast", TransientError("it is down"), 60.0)
        await service.work(Stage.FETCH)
        assert service.runner.trouble is None
        await scan(service.database, open_source(str(folder)), Outbox())
        await service.work(Stage.FETCH)
        remote, local = await service.jobs(Stage.FETCH)
        assert (remote.state, remote.attempts, remote.error_kind) == (JobState.QUEUED, 0, "outage")
        assert remote.error == "no remote archive answers; they are asked again after a while"
        assert local.state is JobState.DONE
        await note_answer(service.database, "mast")
        await service.work(Stage.FETCH)
    assert [job.state for job in await service.jobs(Stage.FETCH)] == [JobState.DONE] * 2
