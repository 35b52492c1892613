"""MAST: what it lists, what it is asked, and what it may answer."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.archive.catalogues import open_catalogue
from services.archive.catalogues.base import Access, ArchiveFile, IncompleteListingError
from services.archive.catalogues.mast import MastCatalogue
from services.archive.catalogues.mast_replies import read_entry, read_products, read_search
from services.archive.catalogues.rows import BadRowError
from shared import __version__
from shared.errors import TransientError
from simulator.archive.faults import FaultRule, Kind
from simulator.archive.server import running_archive
from tests.services.archive.catalogues.conftest import (
    Replies,
    fault_id,
    left_out,
    patience,
    settings_at,
)

_SEARCH = "/search/hst/api/v0.1/search"
_ROW = {
    "sci_data_set_name": "LDFD01010",
    "sci_asn_id": "LDFD01010",
    "sci_pep_id": 14933,
    "sci_targname": "SWIFTJ1357.2-0933",
    "sci_ra": 209.32,
    "sci_dec": -9.544,
    "sci_instrume": "COS   ",
    "sci_instrument_config": "COS/FUV",
    "sci_start_time": "2017-06-30T04:55:16.633000",
    "sci_release_date": "2017-12-30T01:02:03",
    "sci_generation_date": "2018-03-24T00:00:00",
    "sci_archive_date": "2018-03-24T01:00:00",
    "sci_status": "PUBLIC",
}


def _mast(url: str, **settings: Any) -> MastCatalogue:
    found = open_catalogue("mast", settings_at(url, **settings))
    assert isinstance(found, MastCatalogue)
    return found


def test_what_is_there(archive: str) -> None:
    (page,) = _mast(archive).entries()
    assert [entry.dataset for entry in page] == ["ldfd01010", "ldfd01vlq"]
    entry = page[0]
    assert (entry.association, entry.proposal) == ("ldfd01010", 14933)
    assert (entry.target, entry.configuration) == ("SWIFTJ1357.2-0933", "COS/FUV")
    assert (entry.ra, entry.dec) == pytest.approx((209.32, -9.544), abs=0.01)
    assert entry.start is not None
    assert entry.start.isoformat().startswith("2017-06-30T")
    assert entry.generated == datetime(2018, 3, 24, tzinfo=UTC)
    assert entry.access is Access.PUBLIC
    assert entry.version.startswith("2018-03-24T00:00:00 20")
    assert page[1].association == ""


def test_files_of_an_association_are_its_members_too(
    archive: str, checksums: dict[str, str]
) -> None:
    found = _mast(archive).files(["ldfd01010", "ldfd01vlq", "nothing00"])
    assert list(found) == ["ldfd01010", "ldfd01vlq"]
    files = {file.name: file for listed in found.values() for file in listed}
    assert files.keys() == checksums.keys()
    assert files["ldfd01vnq_rawtag_a.fits"].dataset == "ldfd01010"
    assert {file.uri for file in files.values()} == {f"mast:HST/product/{name}" for name in files}
    assert {file.access for file in files.values()} == {Access.PUBLIC}


def test_pages_are_asked_for_in_a_fixed_order(replies: Replies, monkeypatch: Any) -> None:
    monkeypatch.setattr("services.archive.catalogues.mast._PAGE", 1)
    second = {**_ROW, "sci_data_set_name": "LDFD01VLQ", "sci_asn_id": "NONE"}
    replies.say(*({"results": [row], "totalResults": 2} for row in (_ROW, second)))
    since = datetime(2018, 3, 1, 12, tzinfo=UTC)
    pages = list(_mast(replies.url).entries(since))
    assert [[entry.dataset for entry in page] for page in pages] == [["ldfd01010"], ["ldfd01vlq"]]
    assert pages[1][0].association == ""
    asked = [json.loads(body) for _, body, _ in replies.asked]
    assert [query["offset"] for query in asked] == [0, 1]
    for query in asked:
        assert (query["sort_by"], query["limit"]) == (["sci_data_set_name"], 1)
        assert query["conditions"] == [
            {"sci_instrume": "COS"},
            {"sci_archive_date": ">=2018-03-01T12:00:00"},
        ]
    path, _, headers = replies.asked[0]
    assert (path, headers["User-Agent"]) == (_SEARCH, f"COSMO/{__version__}")


def test_recorded_replies_are_understood(recorded: Path) -> None:
    rows, total = read_search(json.loads((recorded / "mission_results.json").read_text()))
    assert (len(rows), total) == (3, 3)
    with pytest.raises(BadRowError, match="w1dg8d06t is of WFPC, which was not asked for"):
        read_entry(rows[0])
    entry = read_entry({**rows[0], "sci_instrume": "COS   "})
    assert (entry.dataset, entry.proposal, entry.target) == ("w1dg8d06t", 4381, "HI-LAT")
    assert entry.start == datetime(1993, 9, 24, 21, 0, 16, 633000, tzinfo=UTC)
    assert entry.public_from == datetime(1994, 9, 24, 23, 3, 9, tzinfo=UTC)
    products = json.loads((recorded / "mission_products.json").read_text())
    for reply in (products, {"products": [products["products"]]}):
        names = [row["filename"] for row in read_products(reply)]
        assert names[0] == "z14z0104t_shf.fits"
        assert len(names) == 5


_SAVED = {"results": [_ROW], "totalResults": 1}


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ([], "MAST's reply has not a list of results"),
        ({"products": []}, "has not a list of results"),
        ({"results": ["LDFD01010"], "totalResults": 1}, "has not a list of results"),
        ({"results": [_ROW]}, "has not the number of results"),
        (
            {"results": [{"name": "x"}], "totalResults": 1},
            "has not the number of results and their",
        ),
        ({"results": [], "totalResults": 3}, r"listed 0 of 3 datasets .* it is asked again"),
        ({"results": [_ROW, _ROW], "totalResults": 1}, "its list changed meanwhile"),
    ],
)
def test_something_else_in_place_of_entries(replies: Replies, reply: Any, message: str) -> None:
    replies.say(reply)
    with pytest.raises(TransientError, match=message):
        list(_mast(replies.url).entries())


@pytest.mark.parametrize(
    "reply", [_SAVED, [], {"products": {"filename": "x"}}, {"products": ["x"]}, "text"]
)
def test_something_else_in_place_of_products(replies: Replies, reply: Any) -> None:
    replies.say(reply)
    with pytest.raises(TransientError, match="has not a list of products: its interface may have"):
        _mast(replies.url).files(["ldfd01010"])


_WRONG = {
    "no name": ({"sci_data_set_name": None}, "None is no rootname of 9 letters and digits"),
    "an empty name": ({"sci_data_set_name": " "}, "' ' is no rootname"),
    "a path": ({"sci_data_set_name": "../../etc"}, "'../../etc' is no rootname"),
    "last century": ({"sci_start_time": "1917-06-30T04:55:16"}, "ldfd01010: '1917-.*' is not betw"),
    "next century": ({"sci_archive_date": "2217-06-30T04:55:16"}, "not between the years 1990 and"),
    "no date": ({"sci_generation_date": "soon"}, "ldfd01010: 'soon' is no time"),
    "another instrument": ({"sci_instrume": "STIS  "}, "ldfd01010 is of STIS, which was not asked"),
}


@pytest.mark.parametrize(("wrong", "reason"), _WRONG.values(), ids=_WRONG)
def test_a_row_that_makes_no_sense_is_left_out_and_reported(
    wrong: dict[str, Any], reason: str, replies: Replies
) -> None:
    other = {**_ROW, "sci_data_set_name": "LDFD02010"}
    replies.say({"results": [{**_ROW, **wrong}, other], "totalResults": 2})
    with left_out("mast") as reasons:
        (page,) = _mast(replies.url).entries()
    assert [entry.dataset for entry in page] == ["ldfd02010"]
    (found,) = reasons
    assert re.search(reason, found)


def _product(name: str, dataset: str = "LDFD01010", access: str = "PUBLIC") -> dict[str, Any]:
    return {"dataset": dataset, "filename": name, "size": 2880, "access": access}


def test_files_that_are_not_used_are_passed_over(replies: Replies) -> None:
    names = ("LDFD01VNQ_RAWTAG_A.FITS", "ldfd01vnq_pha_a.fits", "ldfd01vnq_jit.fits")
    others = ("ldfd01vnq_x1d.fits", "ldfd01vnq_x1d_prev.jpg", "ldfd01vnq_trl.fits", "notes.txt")
    replies.say({"products": [_product(name) for name in (*names, *others, names[1])]})
    with left_out("mast") as reasons:
        found = _mast(replies.url).files(["ldfd01010"])
    assert [file.name for file in found["ldfd01010"]] == [name.lower() for name in names]
    assert found["ldfd01010"][0] == ArchiveFile(
        "ldfd01010",
        f"mast:HST/product/{names[0]}",
        names[0].lower(),
        2880,
        version="2880",
        access=Access.PUBLIC,
    )
    assert reasons == []


@pytest.mark.parametrize(
    ("product", "reason"),
    [
        (_product("../ldfd01010_asn.fits"), "'../ldfd01010_asn.fits' is no file name"),
        (_product("/etc/ldfd01010_asn.fits"), "'/etc/ldfd01010_asn.fits' is no file name"),
        (_product("..\\ldfd01010_asn.fits"), "is no file name"),
        (_product(".ldfd01010_asn.fits"), "is no file name"),
        (_product(f"{'l' * 300}_asn.fits"), r"'lll.*\.\.\. is too long for a file name"),
        (_product("ldfd01010_asn.fits\n"), r"'ldfd01010_asn.fits\\n' is no file name"),
        (_product("ldfd01010\x00_asn.fits"), r"\\x00_asn.fits' is no file name"),
        (_product(""), "'' is no file name"),
        ({"dataset": "LDFD01010"}, "None is no file name"),
        (_product("LDFD01010_spt.fits"), "two files of ldfd01010 have one name: ldfd01010_spt"),
        (_product("ldfd02010_asn.fits", "LDFD02010"), "a file of ldfd02010, which was not asked"),
        (_product("ldfd02010_asn.fits", "/etc"), "'/etc' is no rootname"),
    ],
)
def test_a_file_that_makes_no_sense_is_left_out_and_reported(
    product: dict[str, Any], reason: str, replies: Replies
) -> None:
    replies.say({"products": [_product("ldfd01010_spt.fits"), product]})
    with left_out("mast") as reasons:
        found = _mast(replies.url).files(["ldfd01010"])
    assert [file.name for file in found["ldfd01010"]] == ["ldfd01010_spt.fits"]
    (given,) = reasons
    assert re.search(reason, given)


def test_exclusive_data_are_listed_and_their_files_need_the_token(
    association: Path, tmp_path: Path
) -> None:
    (tmp_path / "ldfd01010_asn.fits").hardlink_to(association / "ldfd01010_asn.fits")
    (tmp_path / "archive.toml").write_text("[exclusive]\nldfd01010 = 2100-01-01\n")
    with running_archive(tmp_path) as url:
        mast = _mast(url, mast_token="secret")
        ((entry,),) = mast.entries()
        (file,) = mast.files(["ldfd01010"])["ldfd01010"]
    assert (entry.access, file.access) == (Access.EXCLUSIVE, Access.EXCLUSIVE)
    assert entry.public_from == datetime(2100, 1, 1, tzinfo=UTC)
    remote = mast.remote(file)
    assert remote.authorization == "token secret"
    assert remote.url == (f"{url}/api/v0.1/Download/file?uri=mast:HST/product/ldfd01010_asn.fits")
    assert mast.remote(replace(file, access=Access.PUBLIC)).authorization == ""
    assert _mast(url).remote(file).authorization == ""


_PASSING = [
    {"kind": Kind.STATUS, "status": 429, "retry_after": 0},
    *({"kind": Kind.STATUS, "status": status} for status in (500, 502, 503, 504)),
    {"kind": Kind.SILENCE},
    {"kind": Kind.SILENCE, "after": 100},
    {"kind": Kind.CUT, "after": 100},
    {"kind": Kind.EXECUTING, "times": 2},
]


@pytest.mark.parametrize("fault", _PASSING, ids=fault_id)
def test_what_passes_is_asked_for_again(fault: dict[str, Any], association: Path) -> None:
    rules = [FaultRule.model_validate({"path": f"{_SEARCH}*", **fault})]
    with running_archive(association, rules=rules) as url:
        (page,) = _mast(url, download_attempts=9, **patience(fault, 1.0)).entries()
    assert len(page) == 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": Kind.STATUS, "status": 400}, r"MAST refuses the query \(400\)"),
        ({"kind": Kind.STATUS, "status": 401}, r"MAST refuses the query \(401: fault 401\); it is"),
        ({"kind": Kind.STATUS, "status": 403}, r"MAST refuses the query \(403: fault 403\); it is"),
        ({"kind": Kind.STATUS, "status": 404}, r"MAST refuses the query \(404: fault 404\); it is"),
        ({"kind": Kind.EXPIRED_TOKEN}, "the token has expired: make another one .*MAST_TOKEN"),
        ({"kind": Kind.EXECUTING}, r"gives no answer: it is still executing the query \(EXECUTI"),
        ({"kind": Kind.STATUS, "status": 500}, r"MAST \(127.*\) gives no answer: it answers 500"),
        ({"kind": Kind.STATUS, "status": 503}, "gives no answer: it answers 503; it is asked aga"),
        ({"kind": Kind.STATUS, "status": 429, "retry_after": 999}, "it answers 429"),
        ({"kind": Kind.SILENCE}, "no byte came in time"),
        ({"kind": Kind.HTML}, r"MAST's reply \(text/html; charset=utf-8\) is no JSON"),
        ({"kind": Kind.CUT, "after": 100, "length": False}, r"\(application/json\) is no JSON"),
        ({"kind": Kind.WRONG_BYTES}, r"\(application/json\) is no JSON"),
        ({"kind": Kind.REDIRECT, "location": "http://127.0.0.1:9"}, "gives no answer: .*refused"),
    ],
    ids=fault_id,
)
def test_what_does_not_pass_is_said_and_left_for_later(
    fault: dict[str, Any], message: str, association: Path
) -> None:
    rules = [FaultRule.model_validate({"path": f"{_SEARCH}*", "times": 0, **fault})]
    with (
        running_archive(association, rules=rules) as url,
        pytest.raises(TransientError, match=message),
    ):
        list(_mast(url, **patience(fault, 0.2)).entries())


def test_a_server_that_is_down_is_named(association: Path) -> None:
    with pytest.raises(TransientError, match=r"MAST \(127.0.0.1:9\) gives no answer: .*refused"):
        list(_mast("http://127.0.0.1:9").entries())


@pytest.mark.parametrize("amount", [-1, 1])
def test_pages_that_shift_are_not_believed(
    amount: int, association: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.archive.catalogues.mast._PAGE", 10)
    rules = [FaultRule(path=_SEARCH, kind=Kind.SHIFT, amount=amount, times=0)]
    with running_archive(association, rules=rules, rows=30) as url:
        pages = _mast(url).entries()
        assert len(next(pages)) == 10
        with pytest.raises(IncompleteListingError, match="its list changed meanwhile"):
            list(pages)


def test_many_entries_come_in_pages(association: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.archive.catalogues.mast._PAGE", 20)
    with running_archive(association, rows=30) as url:
        pages = list(_mast(url).entries())
    assert [len(page) for page in pages] == [20, 12]
    assert len({entry.dataset for page in pages for entry in page}) == 32
