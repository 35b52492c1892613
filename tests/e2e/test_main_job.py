"""The main job on a real association: physical results, pages of errors, and a backup."""

import asyncio
import io
import shutil
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from astropy.io import fits
from astropy.table import Table
from sqlalchemy import func, select

from services.monitor.response_models.datasets import DatasetDetail
from shared.database.base import Base
from shared.database.engine import Database
from shared.database.models.operations import Dataset, File
from shared.database.models.science import SCIENCE_TABLES
from shared.errors import PermanentError
from shared.urls import file_url, path_of
from tests.docs.reader import DOCS, follow, write_run

pytestmark = pytest.mark.e2e

Running = Any


def _binned(wavelength: Any, flux: Any, good: Any) -> Any:
    edges = np.arange(1150, 1951, 5)
    keep = np.asarray(good) > 0
    index = np.digitize(np.asarray(wavelength)[keep], edges)
    values = np.asarray(flux)[keep]
    return np.array([values[index == number].mean() for number in range(1, len(edges))])


def test_real_association(processed: Running, data_dir: Path) -> None:
    assert processed.state("ldfd01010") == "ingested"
    assert processed.state("ldfd01vlq") == "ingested"
    client = processed.client

    # flux of the association against the archive's own
    archive = fits.getdata(data_dir / "ldfd01010" / "archive" / "ldfd01010_x1dsum.fits.gz", 1)[0]
    ours = client.spectrum("ldfd01010", product="x1dsum").segments[0]
    theirs = _binned(archive["WAVELENGTH"], archive["FLUX"], archive["DQ_WGT"])
    ratio = _binned(ours.wavelength, ours.flux, ours.dq_wgt) / theirs
    assert 0.97 < np.nanmedian(ratio) < 1.03

    # lamp shifts
    headers = {row["rootname"]: row for row in client.rows("headers")}
    for rootname in ("ldfd01vnq", "ldfd01vpq"):
        path = data_dir / "ldfd01010" / "archive" / f"{rootname}_x1d.fits.gz"
        assert headers[rootname]["shift1a"] == pytest.approx(fits.getval(path, "SHIFT1A", 1), abs=4)
        assert headers[rootname]["cal_ver"].startswith("3.6.2")
    flashes = list(client.rows("lampflash", filetype="lampflash"))
    assert len(flashes) == 9
    assert all(row["found"] and row["x_shift"] is not None for row in flashes)
    assert {row["exptype"] for row in client.rows("acqs")} == {"ACQ/IMAGE"}

    # provenance, timeline and size
    dataset = client.dataset("ldfd01vpq")
    assert dataset.rootname == "ldfd01010"
    (run,) = dataset.runs
    assert (set(run.randseeds.values()), run.exit_status, run.calcos_version) == (
        {1},
        0,
        "3.6.2",
    )
    assert "ldfd01vnq_rawtag_a.fits.gz" in run.inputs
    assert run.references["23n1744jl_lamp.fits"]["keyword"] == "LAMPTAB"
    assert set(run.switches["acceleration"].values()) == {"PERFORM"}
    assert run.warnings == []
    assert run.cpu_seconds > 2
    assert run.peak_rss_mb > 200
    assert "CALCOS" in run.trailer
    assert sum(file.size for file in dataset.files) < 120e6
    names = [item.name for item in client.timeline("ldfd01010") if item.name != "attempt.started"]
    assert names == [
        "dataset.discovered",
        "dataset.fetched",
        "dataset.ingested",
        "dataset.calibrated",
        "dataset.ingested",
    ]
    _check_formats(processed, dataset)

    # nothing changed, so nothing is done again
    processed.scan(data_dir / "ldfd01010" / "raw")
    assert len(
        [item for item in client.timeline("ldfd01010") if item.name != "attempt.started"]
    ) == len(names)


def _check_formats(running: Running, dataset: DatasetDetail) -> None:
    web = httpx.Client(base_url=f"{running.machine.url}/api/v1", timeout=60)
    lengths = set()
    for name, reader in (("csv", "ascii.csv"), ("votable", "votable"), ("fits", "fits")):
        answer = web.get("/datasets/ldfd01010/spectrum", params={"format": name})
        lengths.add(len(Table.read(io.BytesIO(answer.content), format=reader)))
        answer = web.get("/tables/headers", params={"format": name, "detector": "FUV"})
        assert len(Table.read(io.BytesIO(answer.content), format=reader)) == 4
    assert len(lengths) == 1
    assert web.get("/tables/headers", params={"format": "parquet"}).content[:4] == b"PAR1"
    assert web.get("/datasets/ldfd01010/spectrum.png").content[:4] == b"\x89PNG"
    file = next(file for file in dataset.files if file.suffix == "x1dsum")
    whole = web.get(f"/files/{file.id}/content")
    part = web.get(f"/files/{file.id}/content", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    with web.stream("GET", "/events", params={"after": 0}) as stream:
        lines = stream.iter_lines()
        assert any(line == "event: dataset.discovered" for line in lines)
    for path in ("/", "/datasets/ldfd01010"):
        assert "ldfd01010" in httpx.get(f"{running.machine.url}{path}", timeout=60).text


def test_a_backup_is_complete(processed: Running, tmp_path: Path) -> None:
    """Made and restored by the commands of its page, while COSMO runs."""
    servers = processed.machine.environment["COSMO_DATABASE_URL"]
    store = path_of(processed.machine.environment["COSMO_STORE_URL"])
    assert store is not None
    kept, restored = tmp_path / "kept", tmp_path / "restored"
    binaries = Path(psutil.Process(processed.machine.pids()["postgres"]).exe()).parent
    new = servers.replace("/postgres?", "/restored?")
    write_run(tmp_path)
    follow(
        DOCS / "howto" / "back-up-and-restore.rst",
        tmp_path,
        {
            "pg_": f"{binaries}/pg_",
            "psql": f"{binaries}/psql",
            "postgresql://cosmo@HOST/cosmo": servers.replace("+asyncpg", ""),
            "postgresql://cosmo@NEWHOST/postgres": servers.replace("+asyncpg", ""),
            "postgresql://cosmo@NEWHOST/cosmo": new.replace("+asyncpg", ""),
            "DATABASE cosmo": "DATABASE restored",
        },
        {
            "tar -czf cosmo-data.tar.gz cosmo-data": lambda: None,
            "tar -xzf cosmo-data.tar.gz": lambda: None,
            "rsync -a /data/store/ BACKUP/store/": lambda: shutil.copytree(store, kept),
            "rsync -a BACKUP/store/ /data/store/": lambda: kept.rename(restored),
        },
        environment={"COSMO_DATABASE_URL": new, "COSMO_STORE_URL": file_url(restored)},
    )
    assert _counts(new) == _counts(servers)  # monitors run meanwhile


def _counts(url: str) -> dict[str, int]:
    """Count the datasets of a database, their files and what was read from these."""
    models: list[type[Base]] = [Dataset, File, *SCIENCE_TABLES.values()]

    async def count() -> dict[str, int]:
        database = Database(url)
        async with database.session() as session:
            counts = {
                model.__tablename__: (
                    await session.execute(select(func.count()).select_from(model))
                ).scalar_one()
                for model in models
            }
        await database.dispose()
        return counts

    return asyncio.run(count())


def test_requests(processed: Running) -> None:
    web = httpx.Client(base_url=f"{processed.machine.url}/api/v1", timeout=60)
    for path, status, word in (
        ("/datasets/nonesuch1", 404, "unknown_dataset"),
        ("/tables/nonesuch", 404, "unknown_table"),
        ("/tables/headers?nonesuch=1", 400, "unknown_column"),
        ("/tables/headers?exptime__gt=much", 400, "bad_value"),
        ("/tables/headers?exptime__near=1", 400, "unknown_operator"),
        ("/tables/headers?format=xls", 400, "unknown_format"),
        ("/datasets?cursor=abc", 400, "bad_cursor"),
        ("/datasets?limit=0", 422, "invalid_request"),
        ("/files/999999/content", 404, "unknown_file"),
        ("/nonesuch", 404, "http_error"),
    ):
        answer = web.get(path)
        assert (answer.status_code, answer.json()["error"]["type"]) == (status, word), path
    assert web.post("/failures/1/requeue").status_code == 401
    assert web.get("/health/ready").json() == {"status": "ok"}
    assert "COSMO_HEALTH_PORT" in web.get("/metrics").json()["error"]["message"]
    with pytest.raises(PermanentError, match="not on the list"):
        processed.client.requeue(1)
