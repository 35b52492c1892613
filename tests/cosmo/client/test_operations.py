"""Operations on the real application, by both clients."""

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from astropy import units as u
from astropy.io import fits

from cosmo.client import AsyncClient, ConflictError, NotAllowedError, NotFoundError, RequestError
from shared.recipes import Recipe
from tests.cosmo.client.conftest import Ask, SeededDatabase

pytestmark = pytest.mark.integration


async def test_datasets(ask: Ask) -> None:
    found = await ask("datasets")  # two pages
    assert {dataset.rootname for dataset in found} == {"ldfd01010", "ldfd01vlq", "ldfd02010"}
    (failed,) = await ask("datasets", state="failed")
    assert (failed.rootname, failed.reason) == ("ldfd01vlq", "truncated")
    (waiting,) = await ask("datasets", since=failed.updated_at, rootname="ldfd02")
    assert waiting.missing == ["ldfd02aaq_rawtag_a.fits"]
    later = failed.updated_at + timedelta(days=1)
    assert await ask("datasets", since=later) == []
    dataset = await ask("dataset", "LDFD01VNQ")
    assert dataset.rootname == "ldfd01010"
    assert dataset.created_at.tzinfo is not None
    assert {file.suffix for file in dataset.files} == {"x1dsum", "rawtag_a"}
    assert [item.name for item in await ask("timeline", "ldfd01010")] == ["dataset.ingested"]
    forced = await ask("force", "ldfd02010")
    assert forced.accepted_missing == ["ldfd02aaq_rawtag_a.fits"]


async def test_spectrum(ask: Ask) -> None:
    spectrum = await ask("spectrum", "ldfd01010", segment="FUVA")
    (segment,) = spectrum.segments
    assert (segment.segment, len(segment.flux), segment.flux[0]) == ("FUVA", 50, None)
    table = await ask("spectrum_table", "ldfd01010")
    assert len(table) == 100
    assert table["flux"].unit == u.Unit("erg / (s cm2 Angstrom)")
    assert table["flux"].mask.sum() == 1
    assert set(table["segment"]) == {"FUVA", "FUVB"}
    assert (await ask("draw_spectrum", "ldfd01010")).startswith(b"\x89PNG")


async def test_runs_compared(ask: Ask, runs: list[int]) -> None:
    found = await ask("compare", "ldfd01vnq", runs[1], runs[0])
    assert [file.run_id for file in found.files] == runs[:2]
    assert [segment.segment for segment in found.segments] == ["FUVA", "FUVB"]
    assert found.segments[0].mean_ratio == pytest.approx(1.0)
    picture = await ask("draw_comparison", "ldfd01vnq", runs[1], first=runs[0])
    assert picture.startswith(b"\x89PNG")


async def test_tables(ask: Ask) -> None:
    tables = {table.name: table for table in await ask("tables")}
    units = {column.name: column.unit for column in tables["headers"].columns}
    assert units["exptime"] == "s"
    rows = await ask("rows", "headers", sort="-rootname")  # four pages
    assert [row["rootname"] for row in rows] == [f"ldfd01v{n}q" for n in range(6, -1, -1)]
    assert [row["exptime"] for row in rows[:3]] == [None, None, 400.0]
    (row,) = await ask("rows", "headers", rootname__in=["ldfd01v3q"], generation="all")
    assert row["proposid"] is None
    table = await ask("table", "headers", exptime__gt=150.0, sort="-exptime")
    times = table["exptime"].to(u.min).value.tolist()  # NaN is the largest, as in Postgres
    assert times[0] is None or math.isnan(times[0])
    assert times[1:] == pytest.approx([400 / 60, 5.0, 200 / 60])
    assert table["proposid"].mask.tolist() == [False, False, True, False]
    assert table["targname"][1] == 'Å 16, "b"'
    assert len(await ask("table", "headers", exptime__lt=-1.0)) == 0
    flashes = await ask("table", "lampflash", found=False)
    assert flashes["flash"].tolist() == [2]


async def test_jobs_and_failures(ask: Ask, client: AsyncClient, seeded: SeededDatabase) -> None:
    (job,) = await ask("jobs", state="failed")
    assert await ask("failures", stage="fetch") == [job]
    assert (job.rootname, job.error_kind) == ("ldfd01vlq", "permanent")
    assert (await client.requeue(job.id)).requeued == 1
    with pytest.raises(NotFoundError, match="not on the list"):
        await client.drop(job.id)
    assert (await client.requeue_all(kind="permanent")).requeued == 0


async def test_recalibration(ask: Ask, client: AsyncClient, fetched: None, tmp_path: Path) -> None:
    recipe: dict[str, Any] = {"keywords": {"XTRCTALG": "BOXCAR"}}
    found = await ask("recalibrate", "ldfd01010", recipe)
    same = await client.recalibrate("ldfd01010", Recipe.model_validate(recipe))
    assert (same.id, same.state) == (found.id, "queued")
    assert [one.id for one in await ask("calibrations", "ldfd01010")] == [found.id]
    assert (await ask("calibration", found.id)).files == []
    with pytest.raises(NotFoundError, match="no light curve"):
        await client.light_curve(found.id)
    with pytest.raises(NotFoundError, match="only a run that is done has an export"):
        await client.download_export(found.id, tmp_path)
    assert (await client.cancel(found.id)).cancelled == found.id
    assert (await ask("wait_for_calibration", found.id)).state == "cancelled"
    with pytest.raises(ConflictError) as caught:
        await client.cancel(found.id)
    assert (caught.value.status, caught.value.type) == (409, "not_pending")
    with pytest.raises(RequestError, match="XTRCTALG"):
        await client.recalibrate("ldfd01010", {"keywords": {"XTRCTALG": "NONE"}})
    assert "keywords" in (await ask("recipe_schema"))["properties"]


async def test_alerts_and_subscriptions(ask: Ask, client: AsyncClient) -> None:
    assert await ask("alerts", severity="warn", state="open") == []
    with pytest.raises(NotFoundError) as caught:
        await client.acknowledge(7)
    assert caught.value.type == "no_open_alert"
    made = await client.subscribe("webhook", "https://example.org/x", monitor="operations")
    assert (made.secret or "").startswith("whsec_")
    (listed,) = await ask("subscriptions")
    assert (listed.id, listed.monitor) == (made.id, "operations")
    assert (await client.enable_subscription(made.id)).failures == 0
    await client.unsubscribe(made.id)
    assert await ask("subscriptions") == []


async def test_service(ask: Ask, client: AsyncClient, address: str) -> None:
    status = await ask("status")
    assert status.datasets == {"discovered": 1, "failed": 1, "ingested": 1}
    assert status.failures[0].count == 1
    assert (await client.ready()).status == "ok"
    await client.force("ldfd02010")
    (entry,) = await ask("audit")
    assert (entry.token, entry.method, entry.status) == ("operator", "POST", 200)
    async with AsyncClient(address) as anybody:
        with pytest.raises(NotAllowedError) as caught:
            await anybody.requeue(1)
    assert caught.value.status == 401


async def test_files_and_references(
    ask: Ask, client: AsyncClient, seeded: SeededDatabase, tmp_path: Path
) -> None:
    path = await client.download_file(seeded.spectrum_file, tmp_path)
    assert path == tmp_path / "ldfd01010_x1dsum.fits.gz"
    assert path.read_bytes() == seeded.content
    with pytest.raises(NotFoundError, match="lists its files"):
        await client.download_file(99, tmp_path)
    flat = tmp_path / "my_flat.fits"
    header = fits.Header({"FILETYPE": "FLAT FIELD REFERENCE IMAGE", "VCALCOS": "3.0"})
    fits.PrimaryHDU(header=header).writeto(flat)
    kept = await ask("upload_reference", flat, "FLATFILE")
    assert (kept.name, kept.uploaded_by) == ("my_flat.fits", "operator")
    assert await ask("references", keyword="FLATFILE") == [kept]
    copy = await client.download_reference(kept.id, tmp_path / "copy.fits")
    assert copy.read_bytes() == flat.read_bytes()


async def test_monitors(ask: Ask, client: AsyncClient, measured: SeededDatabase) -> None:
    monitors = {monitor.name: monitor for monitor in await ask("monitors")}
    assert monitors["fuv-dark"].worst_alert is not None
    described = await ask("monitor", "fuv-dark")
    assert described.quantities["dark_rate"].unit == "count / (s pix)"
    values = await ask("values", "fuv-dark", quantity="dark_rate", region="inner")
    table = await ask("values_table", "fuv-dark", quantity="dark_rate", region="inner")
    assert table["value"].unit == u.count / u.s / u.pix
    assert sorted(table["value"].value.tolist()) == sorted(row["value"] for row in values)
    assert (await ask("values_table", "fuv-dark"))["value"].unit is None
    figures = await ask("figures", "fuv-dark")
    assert figures == described.figures
    assert "data" in await ask("figure", "fuv-dark", figures[0].name, columns=1)
    picture = await client.draw_figure("fuv-dark", figures[0].name, format="svg")
    assert b"<svg" in picture
    (run,) = await ask("monitor_runs", "fuv-dark")
    assert run == described.last_run
    assert await ask("artifacts", "fuv-dark", current=False) == []
    assert (await client.compute("fuv-dark")).status == "requested"
    (alert, *_) = await ask("alerts", monitor="fuv-dark")
    assert (await client.acknowledge(alert.id)).acknowledged == alert.id
    (same,) = [one for one in await ask("alerts") if one.id == alert.id]
    assert (same.state, same.acknowledged_by) == ("acknowledged", "operator")


async def test_events(client: AsyncClient) -> None:
    async for event in client.events(after=0):
        assert (event.name, event.rootname) == ("dataset.ingested", "ldfd01010")
        break
