"""Science tables over HTTP: filters, order, pages, formats."""

import io
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet
import pytest
from astropy.table import Table

pytestmark = pytest.mark.integration
API = "/api/v1/tables"


async def _roots(web: httpx.AsyncClient, query: str) -> list[str]:
    url, found = f"{API}/headers?{query}", []
    while url:
        answer = await web.get(url)
        assert answer.status_code == 200, answer.text
        found += [row["rootname"][-2] for row in answer.json()["items"]]
        url = answer.links.get("next", {}).get("url", "")
    return found


async def test_tables_tell_their_columns(web: httpx.AsyncClient) -> None:
    tables = {item["name"]: item for item in (await web.get(API)).json()["items"]}
    assert {"headers", "data", "spt", "lampflash", "acqs"} <= set(tables)
    exptime = next(column for column in tables["headers"]["columns"] if column["name"] == "exptime")
    assert (exptime["type"], exptime["unit"]) == ("float", "s")
    assert (await web.get(f"{API}/headers?limit=1")).json()["columns"] == tables["headers"][
        "columns"
    ]


async def test_files_are_a_table_of_their_current_versions(web: httpx.AsyncClient) -> None:
    answer = (await web.get(f"{API}/files?rootname=ldfd01010")).json()
    (file,) = answer["items"]
    assert (file["name"], file["suffix"], file["current"]) == (
        "ldfd01010_x1dsum.fits.gz",
        "x1dsum",
        True,
    )
    assert (await web.get(f"/api/v1/files/{file['id']}/content")).status_code == 200
    assert (
        len((await web.get(f"{API}/files?rootname=ldfd01010&generation=all")).json()["items"]) == 2
    )
    table = Table.read(
        io.BytesIO((await web.get(f"{API}/files?format=votable")).content), format="votable"
    )
    assert len(table) == 2


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("sort", "expected"),
    [("exptime", "0123456"), ("-exptime", "5432106"), ("id", "0123456"), ("-id", "6543210")],
)
async def test_pages_keep_the_order_with_nulls_last_and_nan_largest(
    web: httpx.AsyncClient, sort: str, expected: str, limit: int
) -> None:
    assert "".join(await _roots(web, f"sort={sort}&limit={limit}")) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("exptime__gte=100&exptime__lt=300&segment=FUVA", "12"),
        ("exptime__in=0,400", "04"),
        ("exptime__isnull=true", "6"),
        ("proposid__isnull=true", "3"),
        ("proposid__ne=14910", ""),
        ("targname__isnull=1", "2"),
        ("rootname__like=%25v1%25", "1"),
        ("exptime__eq=0", "0"),
    ],
)
async def test_filters(web: httpx.AsyncClient, query: str, expected: str) -> None:
    assert "".join(await _roots(web, query)) == expected


async def test_superseded_rows_only_when_asked_for(web: httpx.AsyncClient) -> None:
    assert len(await _roots(web, "generation=all")) == 8


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("nope=1", "unknown_column"),
        ("sort=nope", "unknown_column"),
        ("exptime__around=1", "unknown_operator"),
        ("exptime__like=1", "unknown_operator"),
        ("exptime__isnull=maybe", "unknown_operator"),
        ("exptime=long", "bad_value"),
        ("proposid=99999999999999999999999", "bad_value"),
        ("targname=%00", "bad_value"),
        ("generation=old", "bad_value"),
        ("limit=1001", "bad_value"),
        ("format=xlsx", "unknown_format"),
        ("cursor=%C3%A9", "bad_cursor"),
        ("cursor=WyJhIiwgImIiXQ==&sort=exptime", "bad_cursor"),
    ],
)
async def test_bad_requests_say_what_was_wrong(
    web: httpx.AsyncClient, query: str, kind: str
) -> None:
    answer = await web.get(f"{API}/headers?{query}")
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, kind)


async def test_an_unknown_column_names_those_that_exist(web: httpx.AsyncClient) -> None:
    error = (await web.get(f"{API}/headers?nope=1")).json()["error"]
    assert "exptime" in error["message"]
    assert "exptime" in error["detail"]


def _read(answer: httpx.Response, name: str) -> Table:
    if name == "parquet":
        return Table.from_pandas(pyarrow.parquet.read_table(io.BytesIO(answer.content)).to_pandas())
    source: Any = answer.text if name == "csv" else io.BytesIO(answer.content)
    return Table.read(source, format="ascii.csv" if name == "csv" else name)


@pytest.mark.parametrize("name", ["csv", "votable", "fits"])
async def test_files_keep_values_and_nulls(web: httpx.AsyncClient, name: str) -> None:
    table = _read(await web.get(f"{API}/headers?format={name}&sort=id"), name)
    assert len(table) == 7
    assert list(table["exptime"][:5]) == [0, 100, 200, 300, 400]
    assert np.ma.is_masked(table["exptime"][6]) or np.isnan(table["exptime"][6])
    assert [bool(np.ma.is_masked(value)) for value in table["proposid"]] == [
        number == 3 for number in range(7)
    ]
    assert table["targname"][0] == ('? 16, "b"' if name == "fits" else 'Å 16, "b"')
    flashes = _read(await web.get(f"{API}/lampflash?format={name}&sort=flash"), name)["found"]
    assert np.ma.is_masked(flashes[2])
    assert [str(value).lower() in ("true", "1") for value in flashes[:2]] == [True, False]


async def test_parquet_keeps_values_nulls_and_units(web: httpx.AsyncClient) -> None:
    answer = await web.get(
        f"{API}/headers?sort=id", headers={"Accept": "application/vnd.apache.parquet"}
    )
    table = pyarrow.parquet.read_table(io.BytesIO(answer.content))
    assert table["proposid"].to_pylist() == [14910, 14910, 14910, None, 14910, 14910, 14910]
    assert table["exptime"].to_pylist()[6] is None
    assert table.schema.field("exptime").metadata[b"unit"] == b"s"


@pytest.mark.parametrize("name", ["csv", "votable", "fits", "parquet"])
async def test_files_have_a_next_page_and_may_be_empty(web: httpx.AsyncClient, name: str) -> None:
    answer = await web.get(f"{API}/headers?format={name}&limit=5&sort=exptime")
    following = await web.get(answer.links["next"]["url"])
    assert following.status_code == 200
    assert "next" not in following.links
    assert (await web.get(f"{API}/headers?format={name}&rootname=none")).status_code == 200
