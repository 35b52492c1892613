"""MAST's search API: judged by astroquery, compared with recorded replies."""

import json
from pathlib import Path

import httpx
import pytest

from simulator.archive.server import running_archive
from tests.simulator.archive.conftest import Judge, sha256
from tests.simulator.archive.recorded import assert_like

_SEARCH = "/search/hst/api/v0.1/search"


def test_astroquery_searches_lists_and_downloads(
    archive: str, judge: Judge, digests: dict[str, str], tmp_path: Path
) -> None:
    program = """
import json
from astroquery.mast import MastMissions
missions = MastMissions(mission="hst")
found = missions.query_criteria(
    sci_instrume="COS", sci_start_time="2017-06-01..2017-07-31", sci_pep_id=[14933, 1],
    sci_targname="SWIFT*", select_cols=["sci_status", "sci_asn_id", "sci_generation_date"],
    sort_by="sci_data_set_name", limit=10)
pages = [missions.query_criteria(sci_instrume="COS", limit=1, offset=offset) for offset in (0, 1)]
products = missions.get_product_list(found)
for product in products:
    missions.download_file(product["uri"], local_path=product["filename"], verbose=False)
near = missions.query_region("209.32 -9.544", radius=1.0)
print(json.dumps({
    "found": [[str(value) for value in row] for row in found],
    "pages": [row["sci_data_set_name"] for page in pages for row in page],
    "files": sorted(products["filename"]),
    "near": list(near["sci_data_set_name"]),
}))
"""
    told = judge(archive, program)
    names = ["LDFD01010", "LDFD01VLQ"]
    assert [row[-1] for row in told["found"]] == told["pages"] == names
    assert told["found"][0][:3] == ["PUBLIC", "LDFD01010", "2018-03-24T00:00:00"]
    assert told["files"] == sorted(digests)
    assert {name: sha256(tmp_path / name) for name in told["files"]} == digests
    assert told["near"] == names


def test_astroquery_logs_in(association: Path, judge: Judge, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for path in association.iterdir():
        (folder / path.name).hardlink_to(path)
    (folder / "archive.toml").write_text(
        '[exclusive]\nldfd01010 = 2100-01-01\n[[tokens]]\nvalue = "good"\nname = "A. User"\n'
        '[[tokens]]\nvalue = "other"\nproposals = [1]\n'
        '[[tokens]]\nvalue = "old"\nexpires = 2020-01-01T00:00:00\n'
    )
    program = """
import json
from astroquery.exceptions import LoginError
from astroquery.mast import MastMissions
def outcome(token):
    missions = MastMissions(mission="hst")
    try:
        token and missions.login(token)
    except LoginError:
        return "refused"
    uri = "LDFD01010/ldfd01vnq_spt.fits"
    return missions.download_file(uri, local_path=f"{token}.fits", cache=False, verbose=False)[0]
missions = MastMissions(mission="hst")
rows = missions.query_criteria(sci_instrume="COS", select_cols=["sci_status", "sci_release_date"])
print(json.dumps({
    "rows": [[str(value) for value in row] for row in rows],
    "outcomes": {str(token): outcome(token) for token in (None, "good", "other", "old", "wrong")},
}))
"""
    with running_archive(folder) as url:
        told = judge(url, program)
    assert [row[0] for row in told["rows"]] == ["PROPRIETARY", "PUBLIC"]
    assert told["rows"][0][1] == "2100-01-01T00:00:00"
    assert told["outcomes"] == {
        "None": "ERROR",
        "good": "COMPLETE",
        "other": "ERROR",
        "old": "refused",
        "wrong": "refused",
    }


def test_replies_are_like_recorded_ones(archive: str, recorded: Path) -> None:
    sample = json.loads((recorded / "mission_results.json").read_text())
    asked = {**sample["search_params"], "target": ["209.32 -9.544"]}
    found = httpx.post(archive + _SEARCH, json=asked).json()
    assert_like(found, sample)
    assert {entry["name"]: entry["type"] for entry in found["info"]} == {
        entry["name"]: entry["type"] for entry in sample["info"]
    }
    products = httpx.get(
        f"{archive}/search/hst/api/v0.1/list_products", params={"dataset_ids": "LDFD01010"}
    ).json()
    assert_like(products, json.loads((recorded / "mission_products.json").read_text()))
    columns = httpx.get(f"{archive}/search/util/api/v0.1/column_list?mission=hst").json()
    known = json.loads((recorded / "mission_columns.json").read_text())
    assert_like(columns, known)
    for name in ("column_name", "qual_type", "datatype", "default_output"):
        assert [row[name] for row in columns] == [row[name] for row in known]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"sci_data_set_name": "ldfd01010"}, 1),
        ({"sci_data_set_name": "!LDFD01010"}, 1),
        ({"sci_data_set_name": "X*,*VLQ"}, 1),
        ({"sci_instrume": "STIS,COS"}, 2),
        ({"sci_actual_duration": ">100"}, 1),
        ({"sci_actual_duration": "60..80"}, 1),
        ({"sci_actual_duration": "<=70"}, 1),
        ({"sci_start_time": "<2017-06-30T04:55"}, 1),
        ({"sci_pep_id": "!14933"}, 0),
        ({"sci_obs_type": ""}, 2),
    ],
)
def test_conditions(archive: str, condition: dict[str, str], found: int) -> None:
    reply = httpx.post(archive + _SEARCH, json={"conditions": [condition]}).json()
    assert (reply["totalResults"], len(reply["results"])) == (found, found)


@pytest.mark.parametrize(
    "asked",
    [
        b"no JSON",
        b"[]",
        b'{"conditions": [{"nothing": "1"}]}',
        b'{"conditions": [{"sci_pep_id": "x"}]}',
        b'{"conditions": 1}',
        b'{"select_cols": ["nothing"]}',
        b'{"sort_by": ["1; DROP TABLE dataset"]}',
        b'{"limit": -1}',
        b'{"target": ["here"]}',
        b'{"target": ["1 2"], "radius": "x"}',
    ],
)
def test_bad_queries_are_refused(archive: str, asked: bytes) -> None:
    assert httpx.post(archive + _SEARCH, content=asked).status_code == 400


def test_pages_of_many_entries(association: Path) -> None:
    with running_archive(association, rows=12_000) as url:
        asked = {"conditions": [{"sci_instrume": "COS"}], "select_cols": ["sci_data_set_name"]}
        names: list[str] = []
        while True:
            page = httpx.post(url + _SEARCH, json={**asked, "offset": len(names)}).json()
            names += [row["sci_data_set_name"] for row in page["results"]]
            if len(names) >= page["totalResults"]:
                break
    assert len(names) == len(set(names)) == 12_002
    assert names == sorted(names)


def test_paths_in_the_cloud_are_like_recorded_ones(archive: str, recorded: Path) -> None:
    sample = json.loads((recorded / "mast_relative_path.json").read_text())
    uris = ["mast:HST/product/ldfd01vnq_spt.fits", "mast:HST/product/does_not_exist.fits"]
    found = httpx.get(f"{archive}/api/v0.1/path_lookup/", params={"uri": uris}).json()
    assert found[uris[0]]["path"] == "/hst/public/ldfd/ldfd01vnq/ldfd01vnq_spt.fits"
    assert_like([found[uri] for uri in uris], list(sample.values()))
    assert found[uris[1]] == sample[uris[1]]
