"""CADC: judged by pyvo and astroquery, compared with recorded replies."""

import base64
import hashlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from simulator.archive.faults import FaultRule, Kind
from simulator.archive.server import running_archive
from tests.simulator.archive.conftest import Judge, sha256

_JOIN = (
    "SELECT {} FROM caom2.Observation AS o JOIN caom2.Plane AS p ON o.obsID = p.obsID "
    "JOIN caom2.Artifact AS a ON p.planeID = a.planeID WHERE o.collection = 'HST' "
    "AND o.instrument_name LIKE 'COS/%'"
)


def test_pyvo_queries_overflows_and_follows_links(
    association: Path, judge: Judge, digests: dict[str, str]
) -> None:
    program = """
import hashlib, json, os, warnings
import pyvo, requests
from pyvo.dal.exceptions import DALOverflowWarning, DALQueryError
base = os.environ["ARCHIVE"]
service = pyvo.dal.TAPService(base + "/argus")
found = service.search(os.environ["QUERY"])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    cut = service.search("SELECT observationID FROM caom2.Observation", maxrec=2)
    more = service.search("SELECT observationID FROM caom2.Observation ORDER BY observationID")
try:
    service.search("SELECT nothing FROM caom2.Observation")
except DALQueryError as error:
    refused = str(error)
planes = service.search("SELECT publisherID FROM caom2.Plane")
links = pyvo.dal.adhoc.DatalinkResults.from_result_url(
    base + "/caom2ops/datalink?" + "&".join(f"ID={row['publisherID']}" for row in planes))
digests = {}
for link in links:
    body = requests.get(link.access_url).content
    assert len(body) == link.content_length
    digests[link.access_url.rsplit("/", 1)[-1]] = hashlib.sha256(body).hexdigest()
print(json.dumps({
    "found": {row["uri"]: [row["contentChecksum"], int(row["contentLength"])] for row in found},
    "cut": [len(cut), cut.query_status], "more": [len(more), more.query_status],
    "overflows": sum(issubclass(one.category, DALOverflowWarning) for one in caught),
    "refused": refused, "digests": digests, "tables": list(service.tables.keys()),
}))
"""
    rule = FaultRule(path="*/sync*", kind=Kind.OVERFLOW, amount=3, request=3)
    query = _JOIN.format("a.uri, a.contentChecksum, a.contentLength")
    with running_archive(association, rules=[rule]) as url:
        found = judge(url, program, QUERY=query)
    content = {path.name: path.read_bytes() for path in association.iterdir()}
    assert found["found"] == {
        f"mast:HST/product/{name}": [f"md5:{hashlib.md5(data).hexdigest()}", len(data)]
        for name, data in content.items()
    }
    assert found["cut"] == [2, "OVERFLOW"]
    assert found["more"] == [3, "OVERFLOW"]
    assert found["overflows"] == 1  # not where the caller gave a MAXREC
    assert "nothing" in found["refused"]
    assert found["digests"] == digests
    assert "caom2.Observation" in found["tables"]


def test_astroquery_finds_services_by_the_registry(
    archive: str, judge: Judge, digests: dict[str, str], tmp_path: Path
) -> None:
    program = """
import json
from pathlib import Path
import requests
from astropy import units as u
from astroquery.cadc import Cadc
cadc = Cadc()
near = cadc.query_region("13h57m16.8s -09d32m39s", radius=0.02 * u.deg, collection="HST")
named = cadc.query_name("swiftj1357")
urls = cadc.get_data_urls(near, include_auxiliaries=True)
for url in urls:
    Path(url.rsplit("/", 1)[-1]).write_bytes(requests.get(url).content)
print(json.dumps({
    "near": sorted(near["observationID"]), "named": sorted(named["observationID"]),
    "far": len(cadc.query_region("00h00m00s 00d00m00s", radius=0.1 * u.deg)),
    "science": len(cadc.get_data_urls(near)), "all": len(urls),
    "collections": list(cadc.get_collections()),
}))
"""
    found = judge(archive, program)
    names = sorted(
        {name[:9] for name in digests if not name.startswith("ldfd01vlj")}
    )  # the acquisition's jitter files are called after no exposure
    assert found["near"] == found["named"] == names
    assert (found["far"], found["collections"]) == (0, ["HST"])
    assert (found["science"], found["all"]) == (5, len(digests))
    assert {name: sha256(tmp_path / name) for name in digests} == digests


def _fields(table: ElementTree.Element) -> list[dict[str, str]]:
    return [field.attrib for field in table.iter() if field.tag.endswith("FIELD")]


def _outline(element: ElementTree.Element) -> Any:
    """Return names of elements and attributes, without the rows and further resources."""
    name = element.tag.rsplit("}", 1)[-1]
    if name == "TABLEDATA":
        return name
    attributes = sorted(element.attrib) if name not in ("INFO", "FIELD") else []
    inner = [_outline(child) for child in element if child.attrib.get("type") != "meta"]
    return name, attributes, [part for part in inner if part[0] not in ("FIELD", "DESCRIPTION")]


def test_tables_are_like_recorded_ones(archive: str, recorded: Path) -> None:
    query = "SELECT TOP 3 uri, contentChecksum, contentLength, contentType FROM caom2.Artifact"
    for reply, name in (
        (httpx.get(f"{archive}/argus/sync", params={"QUERY": query}), "cadc_artifacts.xml"),
        (
            httpx.get(
                f"{archive}/caom2ops/datalink",
                params={"ID": "ivo://cadc.nrc.ca/mirror/HST?ldfd01010/ldfd01010"},
            ),
            "cadc_datalink.xml",
        ),
    ):
        found = ElementTree.fromstring(reply.text)
        sample = ElementTree.fromstring((recorded / name).read_text())
        assert _fields(found) == _fields(sample)
        assert _outline(found) == _outline(sample)


def test_descriptions_are_like_recorded_ones(archive: str, recorded: Path) -> None:
    sample = ElementTree.fromstring((recorded / "cadc_tables.xml").read_text())
    known = {
        table.findtext("name"): [column.findtext("name") for column in table.iter("column")]
        for table in sample.iter("table")
    }
    found = ElementTree.fromstring(httpx.get(f"{archive}/argus/tables").text)
    tables = {
        table.findtext("name"): [column.findtext("name") for column in table.iter("column")]
        for table in found.iter("table")
    }
    assert len(tables) == 4
    assert tables == {name: known[name] for name in tables}
    standards = [
        {entry.attrib.get("standardID") for entry in tree.iter("capability")}
        for tree in (
            ElementTree.fromstring(httpx.get(f"{archive}/argus/capabilities").text),
            ElementTree.fromstring((recorded / "cadc_capabilities.xml").read_text()),
        )
    ]
    assert standards[0] < standards[1]
    assert "true" in httpx.get(f"{archive}/argus/availability").text
    assert httpx.get(f"{archive}/nothing/capabilities").status_code == 404


def test_files_have_a_digest(archive: str, association: Path) -> None:
    name = "ldfd01010_asn.fits"
    reply = httpx.get(f"{archive}/raven/files/mast:HST/product/{name}")
    content = (association / name).read_bytes()
    assert reply.content == content
    digest = base64.b64encode(hashlib.md5(content).digest()).decode()
    assert reply.headers["Digest"] == f"md5={digest}"
    assert reply.headers["Accept-Ranges"] == "bytes"
    assert httpx.get(f"{archive}/raven/files/mast:HST/product/nothing").status_code == 404


def test_nothing_is_exclusive(association: Path, tmp_path: Path) -> None:
    name = "ldfd01vnq_rawtag_a.fits"
    (tmp_path / name).hardlink_to(association / name)
    (tmp_path / "archive.toml").write_text("[exclusive]\n'*' = 2100-01-01\n")
    with running_archive(tmp_path) as url:
        assert httpx.get(f"{url}/raven/files/mast:HST/product/{name}").status_code == 404
        query = {"QUERY": "SELECT count(*) AS number FROM caom2.Observation"}
        assert "<TD>0</TD>" in httpx.post(f"{url}/argus/sync", data=query).text
        links = httpx.get(
            f"{url}/caom2ops/datalink?ID=ivo://cadc.nrc.ca/mirror/HST?ldfd01vnq/ldfd01vnq"
        )
        assert "NotFoundFault" in links.text


@pytest.mark.parametrize(
    "query",
    [
        "",
        "SELECT",
        "SELECT * FROM caom2.Nothing",
        "DROP TABLE dataset",
        "DELETE FROM caom2.Observation",
        "SELECT 1; SELECT 2",
        "ATTACH 'x' AS y",
        "SELECT load_extension('x')",
        "SELECT planeID FROM caom2.Plane WHERE CONTAINS(POINT('x', 1), CIRCLE(1, 1, 1)) = 1",
    ],
)
def test_bad_queries_are_refused(archive: str, query: str) -> None:
    reply = httpx.get(f"{archive}/argus/sync", params={"QUERY": query})
    assert reply.status_code == 400
    assert 'value="ERROR"' in reply.text


def test_wrong_maxrec_is_refused(archive: str) -> None:
    asked = {"QUERY": "SELECT uri FROM caom2.Artifact", "MAXREC": "x"}
    assert httpx.get(f"{archive}/argus/sync", params=asked).status_code == 400


def test_results_of_many_rows(association: Path) -> None:
    with running_archive(association, rows=5000) as url:
        query = {"QUERY": "SELECT DISTINCT observationID FROM caom2.Observation"}
        reply = httpx.post(f"{url}/argus/sync", data=query).text
    assert reply.count("<TR>") == 4900 + 6  # one of 50 is exclusive
    ElementTree.fromstring(reply)
