"""CADC: what it lists, what it is asked, and what it may answer."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from services.archive.catalogues import open_catalogue
from services.archive.catalogues.base import Access, IncompleteListingError
from services.archive.catalogues.cadc import CadcCatalogue
from services.archive.catalogues.cadc_tables import read_table
from shared import __version__
from shared.errors import TransientError
from simulator.archive.faults import FaultRule, Kind
from simulator.archive.server import running_archive
from simulator.archive.votable import Field, error_table, table
from tests.services.archive.catalogues.conftest import (
    Replies,
    fault_id,
    left_out,
    patience,
    settings_at,
)

_SYNC = "/argus/sync*"
_ASN = "ldfd01010_asn.fits"


def _cadc(url: str, **settings: Any) -> CadcCatalogue:
    found = open_catalogue("cadc", settings_at(url, **settings))
    assert isinstance(found, CadcCatalogue)
    return found


def test_what_is_there(archive: str) -> None:
    (page,) = _cadc(archive).entries()
    found = {entry.dataset: entry for entry in page}
    members = ["ldfd01vnq", "ldfd01vpq", "ldfd01vrq", "ldfd01vtq"]
    assert list(found) == ["ldfd01010", "ldfd01vlq", *members]
    assert [name for name, entry in found.items() if entry.association == "ldfd01010"] == [
        "ldfd01010",
        *members,
    ]
    assert found["ldfd01vlq"].association == ""
    entry = found["ldfd01vnq"]
    assert (entry.proposal, entry.target) == (14933, "SWIFTJ1357.2-0933")
    assert (entry.configuration, entry.access) == ("COS/FUV", Access.PUBLIC)
    assert (entry.ra, entry.dec) == pytest.approx((209.32, -9.544), abs=0.01)
    assert entry.start is not None
    assert entry.start.isoformat().startswith("2017-06-30T")
    assert entry.version == f"{entry.generated} {entry.archived}"


def test_files_of_an_association_are_its_members_too(
    archive: str, checksums: dict[str, str]
) -> None:
    found = _cadc(archive).files(["ldfd01010", "ldfd01vlq", "nothing00"])
    assert list(found) == ["ldfd01010", "ldfd01vlq"]
    files = {file.name: file for listed in found.values() for file in listed}
    assert {name: file.md5 for name, file in files.items()} == checksums
    assert files["ldfd01vnq_rawtag_a.fits"].dataset == "ldfd01010"
    assert {file.access for file in files.values()} == {Access.PUBLIC}
    remote = _cadc(archive).remote(files[_ASN])
    assert remote.url == f"{archive}/raven/files/mast:HST/product/{_ASN}"
    assert (remote.md5, remote.authorization) == (checksums[_ASN], "")


def test_what_is_new_since(association: Path) -> None:
    with running_archive(association, rows=100) as url:
        cadc = _cadc(url)
        (page,) = cadc.entries(datetime(2024, 1, 1, tzinfo=UTC))
        assert all(entry.archived and entry.archived.year >= 2024 for entry in page)
        assert 6 < len(page) < 100


def test_pages_end_between_visits(association: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.archive.catalogues.cadc._PAGE", 40)
    lines: list[str] = []
    with running_archive(association, rows=100, report=lines.append) as url:
        pages = list(_cadc(url).entries())
    names = [entry.dataset for page in pages for entry in page]
    assert names == sorted(set(names))
    assert len(names) == 6 + 98  # two are exclusive
    assert "ldfd01010" in names
    owners = {entry.dataset: entry.association for page in pages for entry in page}
    assert owners["ldfd01vtq"] == "ldfd01010"
    assert len(pages) > 2
    assert len([line for line in lines if "reg" in line]) == 1


def test_a_visit_that_is_longer_than_a_page_is_not_believed(
    archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.archive.catalogues.cadc._PAGE", 3)
    with pytest.raises(IncompleteListingError, match="CADC lists more than 3 rows of ldfd01"):
        list(_cadc(archive).entries())


def test_recorded_replies_are_understood(recorded: Path) -> None:
    rows = read_table((recorded / "cadc_artifacts.xml").read_bytes(), 4)
    assert rows[0] == (
        "ad:IRIS/I001B1H0.fits",
        "md5:b6ead425ae84289246e4528bbdd7da9a",
        1008000,
        "application/fits",
    )
    assert len(rows) == 3
    links = read_table((recorded / "cadc_datalink.xml").read_bytes(), 9)
    assert links[0][7:] == (18616320, True)
    assert links[1][7] is None


_KINDS = (
    "char",
    "char",
    "char",
    "double",
    "double",
    "char",
    "char",
    "char",
    "double",
    *["char"] * 2,
)
_FIELDS = [Field(f"c{n}", kind, "*" if kind == "char" else "") for n, kind in enumerate(_KINDS)]
_ROW = (
    *("ldfd01vnq", "14933", "SWIFTJ1357.2-0933", 209.32, -9.544, "COS/FUV", None),
    *("2018-03-24T00:00:00.000", 57934.2, "2017-12-30T01:02:03.000", "2018-03-24T00:00:00.000"),
)


def _tables(replies: Replies, *rows: tuple[Any, ...], count: int | None = None) -> None:
    """Prepare a registry, a count and a page."""
    number = len(rows) if count is None else count
    registry = f"ivo://cadc.nrc.ca/argus = {replies.url}/argus/capabilities"
    counted = "".join(table([Field("number", "long")], [(number,)], query="q"))
    replies.kind = "application/x-votable+xml"
    replies.bodies = [
        text.encode() for text in (registry, counted, "".join(table(_FIELDS, rows, query="q")))
    ]


def test_what_it_is_asked(replies: Replies) -> None:
    _tables(replies, _ROW)
    ((entry,),) = _cadc(replies.url).entries(datetime(2018, 3, 1, 12, tzinfo=UTC))
    assert (entry.dataset, entry.association) == ("ldfd01vnq", "")
    assert entry.public_from == datetime(2017, 12, 30, 1, 2, 3, tzinfo=UTC)
    path, body, headers = replies.asked[-1]
    assert (path, headers["User-Agent"]) == ("/argus/sync", f"COSMO/{__version__}")
    (query,) = parse_qs(body.decode())["QUERY"]
    assert query.startswith("SELECT TOP 5000 o.observationID, o.proposal_id")
    assert "o.maxLastModified >= '2018-03-01T12:00:00.000'" in query
    assert query.endswith("ORDER BY o.observationID")


_OTHER = ("ldfd02vnq", *_ROW[1:])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((None, *_ROW[1:]), "is no rootname of 9 letters and digits"),
        (("../x", *_ROW[1:]), r"'\.\./x' is no rootname"),
        ((*_ROW[:7], "1918-03-24T00:00:00", *_ROW[8:]), "ldfd01vnq: '1918-.*' is not between"),
        ((*_ROW[:8], 157934.2, *_ROW[9:]), "ldfd01vnq: .*2291.* is not between the years"),
        ((*_ROW[:8], 1e300, *_ROW[9:]), "ldfd01vnq: .* is no time"),
        ((*_ROW[:9], "soon", _ROW[10]), "ldfd01vnq: 'soon' is no time"),
    ],
)
def test_a_row_that_makes_no_sense_is_left_out_and_reported(
    row: tuple[Any, ...], reason: str, replies: Replies
) -> None:
    _tables(replies, row, _OTHER)
    with left_out("cadc") as reasons:
        (page,) = _cadc(replies.url).entries()
    assert [entry.dataset for entry in page] == ["ldfd02vnq"]
    (found,) = reasons
    assert re.search(reason, found)


def test_planes_of_an_observation_are_one_dataset(replies: Replies) -> None:
    later = (*_ROW[:8], 57934.1, "2100-01-01T00:00:00", "2019-01-01T00:00:00")
    _tables(replies, _ROW, later)
    ((entry,),) = _cadc(replies.url).entries()
    assert entry.start is not None
    assert (entry.start.hour, entry.access) == (2, Access.EXCLUSIVE)
    assert entry.generated == datetime(2019, 1, 1, tzinfo=UTC)


def test_a_sum_that_is_another_is_not_believed(replies: Replies) -> None:
    _tables(replies, _ROW, count=2)
    with pytest.raises(IncompleteListingError, match="CADC listed 1 of 2 rows"):
        list(_cadc(replies.url).entries())


def test_a_table_with_an_error_is_said(replies: Replies) -> None:
    _tables(replies, _ROW)
    replies.bodies[1] = error_table("the database is away").encode()
    with pytest.raises(TransientError, match="CADC refuses the query: the database is away"):
        list(_cadc(replies.url).entries())
    after_rows = "".join(table(_FIELDS, [_ROW])).replace('value="OK"', 'value="ERROR"')
    with pytest.raises(TransientError, match="CADC refuses the query"):
        read_table(after_rows.encode(), len(_FIELDS))
    with pytest.raises(TransientError, match="CADC's reply has 11 columns, not the 1 that were"):
        read_table("".join(table(_FIELDS, [_ROW])).encode(), 1)


def test_a_registry_without_the_service_is_said(replies: Replies) -> None:
    replies.bodies = [b"<html>maintenance</html>"]
    with pytest.raises(TransientError, match="resource-caps does not say where CADC's TAP"):
        list(_cadc(replies.url).entries())


def test_exclusive_data_are_not_there(association: Path, tmp_path: Path) -> None:
    (tmp_path / _ASN).hardlink_to(association / _ASN)
    (tmp_path / "archive.toml").write_text("[exclusive]\nldfd01010 = 2100-01-01\n")
    with running_archive(tmp_path) as url:
        assert list(_cadc(url).entries()) == [[]]
        assert _cadc(url).files(["ldfd01010"]) == {}


def test_an_overflow_is_not_believed(association: Path) -> None:
    rules = [FaultRule(path=_SYNC, kind=Kind.OVERFLOW, amount=2, request=2)]
    with (
        running_archive(association, rules=rules) as url,
        pytest.raises(IncompleteListingError, match=r"the first 2 rows .* more \(OVERFLOW\)"),
    ):
        list(_cadc(url).entries())


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": Kind.STATUS, "status": status} for status in (429, 500, 502, 503)),
        {"kind": Kind.SILENCE},
        {"kind": Kind.CUT, "after": 100},
    ],
    ids=fault_id,
)
def test_what_passes_is_asked_for_again(fault: dict[str, Any], association: Path) -> None:
    rules = [FaultRule.model_validate({"path": _SYNC, **fault})]
    with running_archive(association, rules=rules) as url:
        (page,) = _cadc(url, download_attempts=9, **patience(fault, 1.0)).entries()
    assert len(page) == 6


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": Kind.STATUS, "status": 400}, r"CADC refuses the query \(400: fault 400\)"),
        ({"kind": Kind.STATUS, "status": 401}, r"CADC refuses the query \(401: fault 401\)"),
        ({"kind": Kind.STATUS, "status": 403}, r"CADC refuses the query \(403: fault 403\)"),
        ({"kind": Kind.EXECUTING}, r"gives no answer: it is still executing the query \(EXECUTI"),
        ({"kind": Kind.STATUS, "status": 500}, r"CADC \(127.*\) gives no answer: it answers 500"),
        ({"kind": Kind.STATUS, "status": 429, "retry_after": 999}, "it answers 429"),
        ({"kind": Kind.SILENCE}, "no byte came in time"),
        ({"kind": Kind.HTML}, "CADC's reply is no VOTable"),
        ({"kind": Kind.CUT, "after": 900, "length": False}, "CADC's reply is no VOTable"),
        ({"kind": Kind.WRONG_BYTES}, "CADC's reply is no VOTable"),
    ],
    ids=fault_id,
)
def test_what_does_not_pass_is_said_and_left_for_later(
    fault: dict[str, Any], message: str, association: Path
) -> None:
    rules = [FaultRule.model_validate({"path": _SYNC, "times": 0, **fault})]
    with (
        running_archive(association, rules=rules) as url,
        pytest.raises(TransientError, match=message),
    ):
        list(_cadc(url, **patience(fault, 0.2)).entries())
