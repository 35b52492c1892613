"""MAST's portal: judged by astroquery, compared with recorded replies."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator.archive.faults import FaultRule, Kind
from simulator.archive.server import running_archive
from tests.simulator.archive.conftest import Judge, sha256
from tests.simulator.archive.recorded import assert_like


def test_astroquery_polls_pages_and_downloads(
    association: Path, judge: Judge, digests: dict[str, str], tmp_path: Path
) -> None:
    program = """
import json, warnings
from pathlib import Path
from astroquery.mast import Observations
found = Observations.query_criteria(
    instrument_name=["COS/FUV", "COS/NUV"], t_min=[50000, 62000], proposal_id="14933", pagesize=1)
many = Observations.query_criteria(obs_collection="HST", target_name="TARGET*", pagesize=4)
count = Observations.query_criteria_count(filters="G140L", dataproduct_type="spectrum")
near = Observations.query_region("209.32 -9.544", radius="1 arcmin")
products = Observations.get_product_list(found)
manifest = Observations.download_products(products, flat=True, verbose=False)
print(json.dumps({
    "found": list(found["obs_id"]), "rights": list(found["dataRights"]),
    "many": list(many["obs_id"]), "count": int(count), "near": list(near["obs_id"]),
    "parents": len(set(products["parent_obsid"])),
    "manifest": {Path(row["Local Path"]).name: row["Status"] for row in manifest},
}))
"""
    requests: list[str] = []
    rules = [FaultRule(path="/api/v0/invoke", kind=Kind.EXECUTING, times=2)]
    with running_archive(association, rules=rules, rows=10, report=requests.append) as url:
        found = judge(url, program)
    assert found["found"] == ["ldfd01010", "ldfd01vlq"] == found["near"]
    assert found["rights"] == ["PUBLIC", "PUBLIC"]
    assert len(found["many"]) == len(set(found["many"])) == 10
    assert (found["count"], found["parents"]) == (1, 2)
    assert found["manifest"] == dict.fromkeys(digests, "COMPLETE")
    assert {name: sha256(tmp_path / name) for name in digests} == digests
    polls = [line for line in requests if "/api/v0/invoke" in line]
    assert [line.endswith("executing") for line in polls[:3]] == [True, True, False]
    assert len(polls) == 2 + 2 + 3 + 1 + 1 + 1  # pages of one row, of four


def _ask(url: str, service: str, **params: Any) -> dict[str, Any]:
    request = json.dumps({"service": service, "params": params, "format": "json"})
    reply: dict[str, Any] = httpx.post(f"{url}/api/v0/invoke", data={"request": request}).json()
    return reply


def test_replies_are_like_recorded_ones(archive: str, recorded: Path) -> None:
    def sample(name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((recorded / name).read_text())
        found.pop("note", None)
        return found

    found = _ask(archive, "Mast.Caom.Filtered", columns="*", filters=[])
    # The columns that HST has beyond those which were recorded are in the notes of the clients.
    known = sample("advSearchPos.json")
    names = set(known["data"][0])
    for row in sample("caom.json")["data"]:  # of HST, by position alone
        known["data"].append({name: row.get(name, 0) for name in names})
    assert names <= set(found["data"][0])
    shown = [{name: row[name] for name in names} for row in found["data"]]
    kinds = [field for field in found["fields"] if field["name"] in names]
    assert_like({**found, "data": shown, "fields": kinds}, known)
    types = {field["name"]: field["type"] for field in known["fields"]}
    assert {field["name"]: field["type"] for field in kinds} == types

    counted = _ask(archive, "Mast.Caom.Filtered", columns="COUNT_BIG(*)", filters=[])
    assert_like(counted, sample("countsResp.json"))

    number = ",".join(str(row["obsid"]) for row in found["data"])
    products = _ask(archive, "Mast.Caom.Products", obsid=number)
    for row in products["data"]:
        assert row.pop("_selected_") is None
    known = sample("cos_products.json")
    for row in known["data"]:  # text, as astroquery shows what is a number in recorded replies
        row["obsID"], row["parent_obsid"] = int(row["obsID"]), int(row["parent_obsid"])
    for row in products["data"]:
        row["prvversion"] = row["prvversion"] or ""  # raw files of the sample have no CAL_VER
    types = {field["name"]: field["type"] for field in products["fields"]}
    assert types.pop("_selected_") == "boolean"
    assert types == {field["name"]: field["type"] for field in known["fields"]}
    assert_like(products, known)


def test_columns_are_those_of_the_portal(archive: str, recorded: Path) -> None:
    known = json.loads((recorded / "columnsconfig.json").read_text())
    found = httpx.post(
        f"{archive}/portal/Mashup/Mashup.asmx/columnsconfig",
        data={"colConfigId": "Mast.Caom.Cone"},
    ).json()
    assert list(found) == list(known)
    for name, entry in found.items():
        kind = known[name].get("vot.datatype", known[name].get("type"))
        assert entry.get("vot.datatype") == kind
        for key in ("separator", "remove"):
            assert entry.get(key) == known[name].get(key)


def test_members_may_have_rows_of_their_own(association: Path, tmp_path: Path) -> None:
    for path in association.iterdir():
        (tmp_path / path.name).hardlink_to(path)
    (tmp_path / "archive.toml").write_text("member_rows = true")
    with running_archive(tmp_path) as url:
        found = _ask(url, "Mast.Caom.Filtered", columns="*", filters=[])
        search = httpx.post(f"{url}/search/hst/api/v0.1/search", json={}).json()
    assert len(found["data"]) == search["totalResults"] == 6
    members = [row["sci_data_set_name"] for row in search["results"]]
    assert members == [row["obs_id"].upper() for row in found["data"]]


@pytest.mark.parametrize(
    "request_text",
    [
        "no JSON",
        '{"service": "Mast.Nothing", "params": {}}',
        '{"service": "Mast.Caom.Filtered", "params": {"filters": [{"paramName": "nothing"}]}}',
        '{"service": "Mast.Caom.Filtered", "params": {"filters": [1]}}',
        '{"service": "Mast.Caom.Cone", "params": {"ra": 1}}',
        '{"service": "Mast.Caom.Filtered", "params": {}, "page": -1}',
        '{"service": "Mast.Caom.Filtered", "params": 3}',
    ],
)
def test_bad_requests_are_refused(archive: str, request_text: str) -> None:
    reply = httpx.get(f"{archive}/api/v0/invoke", params={"request": request_text}).json()
    assert reply["status"] == "ERROR"
    assert reply["msg"]
