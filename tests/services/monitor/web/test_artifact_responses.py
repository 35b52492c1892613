"""Files that monitors made, over HTTP: from the store the first time, small ones from memory
then.
"""

from pathlib import Path

import httpx
import pytest

from shared.database.models.monitoring import Artifact, MonitorRun, Outcome
from shared.store import Store
from tests.services.monitor.conftest import SeededDatabase

pytestmark = pytest.mark.integration

_CONTENT = b"SIMPLE  =                    T".ljust(2880)


@pytest.fixture
async def artifact(seeded: SeededDatabase, tmp_path: Path) -> Artifact:
    """File of a run in the store."""
    made = tmp_path / "map.fits"
    made.write_bytes(_CONTENT)
    stored = Store(seeded.settings.store_url).publish(made, "monitors/dark-orbit/1")
    async with seeded.database.transaction() as session:
        run = MonitorRun(
            monitor="dark-orbit", outcome=Outcome.UPDATED, generation=1, versions={}, seconds=1.0
        )
        session.add(run)
        await session.flush()
        row = Artifact(
            monitor="dark-orbit",
            run_id=run.id,
            kind="map",
            name=stored.name,
            path=stored.path,
            size=stored.size,
            sha256=stored.sha256,
            current=True,
            detail={},
        )
        session.add(row)
    return row


def _path(seeded: SeededDatabase, artifact: Artifact) -> Path:
    return Path(seeded.settings.store_url.removeprefix("file://")) / artifact.path / artifact.name


def _lose(seeded: SeededDatabase, artifact: Artifact) -> None:
    _path(seeded, artifact).unlink()


async def test_a_small_file_is_read_once(
    seeded: SeededDatabase, artifact: Artifact, web: httpx.AsyncClient
) -> None:
    address = f"/api/v1/artifacts/{artifact.id}/content"
    first = await web.get(address)
    _lose(seeded, artifact)
    again = await web.get(address)
    assert first.content == again.content == _CONTENT
    assert first.headers["etag"] == f'"{artifact.sha256}"'
    assert {**again.headers, "x-request-id": ""} == {**first.headers, "x-request-id": ""}
    assert (await web.head(address)).headers["content-length"] == str(len(_CONTENT))
    part = await web.get(address, headers={"Range": "bytes=-2870"})
    assert (part.status_code, part.content) == (206, _CONTENT[10:])
    assert (await web.get(address, headers={"Range": "bytes=2880-"})).status_code == 416
    assert (
        await web.get(address, headers={"If-None-Match": first.headers["etag"]})
    ).status_code == 304


async def test_a_large_file_is_not_kept(
    seeded: SeededDatabase,
    artifact: Artifact,
    web: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.monitor.web.artifact_responses._LARGEST", len(_CONTENT) - 1)
    address = f"/api/v1/artifacts/{artifact.id}/content"
    assert (await web.get(address)).content == _CONTENT
    _lose(seeded, artifact)
    gone = await web.get(address)
    assert (gone.status_code, gone.json()["error"]["type"]) == (410, "file_gone")


async def test_a_damaged_file_is_not_kept(
    seeded: SeededDatabase, artifact: Artifact, web: httpx.AsyncClient
) -> None:
    address, path = f"/api/v1/artifacts/{artifact.id}/content", _path(seeded, artifact)
    path.write_bytes(_CONTENT.replace(b"T", b"F"))
    assert (await web.get(address)).content != _CONTENT
    path.write_bytes(_CONTENT)
    assert (await web.get(address)).content == _CONTENT


async def test_who_has_it_needs_no_file(
    seeded: SeededDatabase, artifact: Artifact, web: httpx.AsyncClient
) -> None:
    _lose(seeded, artifact)
    headers = {"If-None-Match": f'"{artifact.sha256}"'}
    assert (
        await web.get(f"/api/v1/artifacts/{artifact.id}/content", headers=headers)
    ).status_code == 304


async def test_a_file_that_is_gone_is_an_error(
    seeded: SeededDatabase, artifact: Artifact, web: httpx.AsyncClient
) -> None:
    _lose(seeded, artifact)
    gone = await web.get(f"/api/v1/artifacts/{artifact.id}/content")
    assert (gone.status_code, gone.json()["error"]["type"]) == (410, "file_gone")
