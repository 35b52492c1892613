"""Datasets, their spectra and files over HTTP."""

import gzip
import io
from typing import Any

import httpx
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from sqlalchemy import select

from shared.archived import ArchivedProduct, keep_products
from shared.database.models.operations import Dataset
from shared.store import StoredFile
from tests.services.monitor.conftest import ASIDE, SeededDatabase

pytestmark = pytest.mark.integration
API = "/api/v1"


async def _all(web: httpx.AsyncClient, url: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    while url:
        answer = await web.get(url)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        url = answer.links.get("next", {}).get("url", "")
    return items


async def test_pages_list_every_dataset_once(web: httpx.AsyncClient) -> None:
    found = await _all(web, f"{API}/datasets?limit=1")
    assert sorted(item["rootname"] for item in found) == ["ldfd01010", "ldfd01vlq", "ldfd02010"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=failed", ["ldfd01vlq"]),
        ("kind=association&rootname=LDFD02", ["ldfd02010"]),
        ("rootname=%25", []),
        ("since=2999-01-01T00:00:00Z", []),
        ("since=2000-01-01T00:00:00Z&state=ingested", ["ldfd01010"]),
    ],
)
async def test_filters(web: httpx.AsyncClient, query: str, expected: list[str]) -> None:
    assert [item["rootname"] for item in await _all(web, f"{API}/datasets?{query}")] == expected


async def test_a_member_finds_its_association(web: httpx.AsyncClient) -> None:
    found = (await web.get(f"{API}/datasets/LDFD01VNQ")).json()
    assert found["rootname"] == "ldfd01010"
    assert {file["name"] for file in found["files"]} == {
        "ldfd01010_x1dsum.fits.gz",
        "ldfd01vnq_rawtag_a.fits",
    }
    assert (await web.get(f"{API}/datasets/nothing00")).json()["error"]["type"] == "unknown_dataset"


async def test_what_was_left_aside_is_told(web: httpx.AsyncClient) -> None:
    found = (await web.get(f"{API}/datasets/ldfd02010")).json()
    assert found["left_aside"] == {
        "ldfd02abq": "ldfd02010_asn.fits says that it is not present (MEMPRSNT)"
    }
    assert "ldfd02abq: ldfd02010_asn.fits says" in (await web.get("/datasets/ldfd02010")).text
    scan = (await web.get(f"{API}/status")).json()["last_scan"]
    assert (scan["source"], scan["files"], scan["left_aside"]) == (
        "https://u:***@host/raw",
        9,
        ASIDE,
    )


async def test_problems_of_files_are_told(web: httpx.AsyncClient) -> None:
    problem = "ldfd01vnq_rawtag_a.fits: EVENTS: EXPTIME is '<long>' where a number belongs"
    found = (await web.get(f"{API}/datasets/ldfd01010")).json()
    assert found["problems"] == [problem]
    assert [file["problems"] for file in found["files"] if file["suffix"] == "rawtag_a"] == [
        [problem]
    ]
    assert (
        "EXPTIME is &#39;&lt;long&gt;&#39; where a number belongs"
        in (await web.get("/datasets/ldfd01010")).text
    )


async def test_timeline_has_events_and_attempts(web: httpx.AsyncClient) -> None:
    assert [
        i["name"] for i in (await web.get(f"{API}/datasets/ldfd01010/timeline")).json()["items"]
    ] == ["dataset.ingested"]
    (attempt,) = (await web.get(f"{API}/datasets/ldfd01vlq/timeline")).json()["items"]
    assert attempt["detail"]["outcome"] == "failed"


async def test_spectrum_as_json(web: httpx.AsyncClient) -> None:
    body = (await web.get(f"{API}/datasets/ldfd01010/spectrum")).json()
    assert body["units"]["wavelength"] == "Angstrom"
    assert [item["segment"] for item in body["segments"]] == ["FUVA", "FUVB"]
    assert body["segments"][0]["flux"][:2] == [None, pytest.approx(2e-14)]
    one = (await web.get(f"{API}/datasets/ldfd01010/spectrum?segment=fuvb&product=x1dsum")).json()
    assert [item["segment"] for item in one["segments"]] == ["FUVB"]


@pytest.mark.parametrize("query", ["segment=NUVA", "product=x1d", "exposure=ldfd01vpq"])
async def test_no_such_spectrum(web: httpx.AsyncClient, query: str) -> None:
    for ending in ("spectrum", "spectrum.png"):
        assert (await web.get(f"{API}/datasets/ldfd01010/{ending}?{query}")).status_code == 404


async def test_a_member_without_a_spectrum_does_not_get_that_of_its_association(
    web: httpx.AsyncClient,
) -> None:
    assert (await web.get(f"{API}/datasets/ldfd01vnq/spectrum")).status_code == 404


@pytest.mark.parametrize(
    ("accept", "reader"),
    [
        ("text/csv", "ascii.csv"),
        ("application/x-votable+xml", "votable"),
        ("application/fits", "fits"),
    ],
)
async def test_spectrum_as_a_table(web: httpx.AsyncClient, accept: str, reader: str) -> None:
    answer = await web.get(
        f"{API}/datasets/ldfd01010/spectrum",
        headers={"Accept": f"application/json;q=0.1, {accept}"},
    )
    assert answer.headers["content-type"].startswith(accept)
    table = Table.read(
        io.BytesIO(answer.content) if reader != "ascii.csv" else answer.text, format=reader
    )
    assert len(table) == 100
    assert np.isclose(table["wavelength"][0], 1290)
    assert reader == "ascii.csv" or table["wavelength"].unit == "Angstrom"


async def test_picture(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"{API}/datasets/ldfd01010/spectrum.png")
    assert answer.content[:4] == b"\x89PNG"


@pytest.fixture(params=[1 << 21, 3000], ids=["whole", "streamed"])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are read at once, and such that are read in parts."""
    monkeypatch.setattr("services.monitor.web.file_responses._CHUNK", request.param)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=-5", 206, slice(-5, None)),
        ("bytes=20-", 206, slice(20, None)),
        ("bytes=0-99999999", 206, slice(None)),
        ("bytes=0-1,4-5", 200, slice(None)),
        ("bytes=5-2", 200, slice(None)),
        ("furlongs=1-2", 200, slice(None)),
    ],
)
async def test_ranges(
    web: httpx.AsyncClient, seeded: Any, asked: str, status: int, part: slice
) -> None:
    answer = await web.get(f"{API}/files/{seeded.spectrum_file}/content", headers={"Range": asked})
    assert answer.status_code == status
    assert answer.content == seeded.content[part]
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.usefixtures("chunk")
async def test_content_is_what_is_stored(web: httpx.AsyncClient, seeded: Any) -> None:
    url = f"{API}/files/{seeded.spectrum_file}/content"
    whole = await web.get(url)
    assert fits.open(io.BytesIO(gzip.decompress(whole.content)))["SCI"].header["NAXIS2"] == 2
    etag = whole.headers["etag"]
    assert (await web.get(url, headers={"If-None-Match": etag})).status_code == 304
    assert (
        await web.get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    ).status_code == 200
    head = await web.head(url)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", etag)
    outside = await web.get(url, headers={"Range": "bytes=99999999-"})
    assert (outside.status_code, outside.headers["content-range"]) == (
        416,
        f"bytes */{len(whole.content)}",
    )


@pytest.mark.usefixtures("chunk")
async def test_a_file_that_the_store_lost_is_an_error_not_a_broken_answer(
    web: httpx.AsyncClient,
) -> None:
    found = (await web.get(f"{API}/datasets/ldfd01010")).json()["files"]
    lost = next(file["id"] for file in found if file["origin"] == "raw")
    answer = await web.get(f"{API}/files/{lost}/content")
    assert (answer.status_code, answer.json()["error"]["type"]) == (410, "file_gone")


async def test_products_of_the_archive_say_what_made_them(
    seeded: SeededDatabase, web: httpx.AsyncClient
) -> None:
    async with seeded.database.transaction() as session:
        dataset = (
            await session.execute(select(Dataset).where(Dataset.rootname == "ldfd01010"))
        ).scalar_one()
        stored = StoredFile("archive/ldfd01vnq/1", "ldfd01vnq_x1d.fits.gz", 1, "2" * 64)
        made = {"CAL_VER": "3.3.4 (2018-01-08)", "CRDS_CTX": "hst_0613.pmap"}
        await keep_products(
            session, dataset.id, [ArchivedProduct(stored, made, "the archive's trailer")]
        )
    page = (await web.get("/datasets/ldfd01010")).text
    assert "Products of the archive, made with CalCOS 3.3.4 (2018-01-08);" in page
    assert "ldfd01vnq_x1d.fits.gz: CAL_VER 3.3.4 (2018-01-08), CRDS_CTX hst_0613.pmap" in page
    assert "the archive&#39;s trailer" in page
    (run,) = (await web.get("/api/v1/datasets/ldfd01010")).json()["runs"]
    assert (run["kind"], run["provenance"]) == ("archive", {"ldfd01vnq_x1d.fits.gz": made})
