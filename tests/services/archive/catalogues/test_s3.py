"""MAST's bucket on S3: what it lists, and what it may answer."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.archive.catalogues import open_catalogue
from services.archive.catalogues.base import (
    Access,
    ArchiveFile,
    IncompleteListingError,
    product_uri,
)
from services.archive.catalogues.s3 import S3Catalogue
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

_KEYS = "/stpubdata[?]*"
_ASN = "ldfd01010_asn.fits"


def _s3(url: str, **settings: Any) -> S3Catalogue:
    found = open_catalogue("s3", settings_at(url, **settings))
    assert isinstance(found, S3Catalogue)
    return found


def test_datasets_are_made_of_keys(archive: str) -> None:
    (page,) = _s3(archive).entries()
    found = {entry.dataset: entry for entry in page}
    members = ["ldfd01vnq", "ldfd01vpq", "ldfd01vrq", "ldfd01vtq"]
    assert list(found) == ["ldfd01010", "ldfd01vlq", *members]
    assert {name: entry.association for name, entry in found.items() if entry.association} == {
        "ldfd01010": "ldfd01010"
    }
    assert {found[name].configuration for name in members} == {"COS/FUV"}
    assert found["ldfd01vlq"].configuration == ""  # an acquisition does not say
    assert {entry.access for entry in page} == {Access.PUBLIC}
    assert len({entry.version for entry in page}) == 6
    assert all(entry.archived and entry.archived.tzinfo for entry in page)


def test_what_is_new_is_not_asked_for(archive: str) -> None:
    assert list(_s3(archive).entries(datetime(2020, 1, 1, tzinfo=UTC))) == []


def test_files_are_those_of_members_too(archive: str, checksums: dict[str, str]) -> None:
    found = _s3(archive).files(["ldfd01010", "ldfd01vlq", "nothing00"])
    assert list(found) == ["ldfd01010", "ldfd01vlq"]
    files = {file.name: file for listed in found.values() for file in listed}
    assert {name: file.md5 for name, file in files.items()} == checksums
    assert {file.version for file in files.values()} == set(checksums.values())
    assert files["ldfd01vlj_jit.fits"].dataset == "ldfd01vlq"  # called after no exposure
    remote = _s3(archive).remote(files[_ASN])
    assert remote.url == f"{archive}/stpubdata/hst/public/ldfd/ldfd01010/{_ASN}"
    assert (remote.md5, remote.authorization) == (checksums[_ASN], "")


def test_a_file_that_another_catalogue_listed_has_an_address(archive: str) -> None:
    name = "ldfd01vnq_rawtag_a.fits"
    file = ArchiveFile("ldfd01010", product_uri(name), name)
    assert _s3(archive).remote(file).url == (
        f"{archive}/stpubdata/hst/public/ldfd/ldfd01vnq/{name}"
    )


def test_a_redelivery_is_another_version(association: Path, tmp_path: Path) -> None:
    for name in (_ASN, "ldfd01vlq_spt.fits"):
        (tmp_path / name).write_bytes((association / name).read_bytes())
    with running_archive(tmp_path) as url:
        ((before, other),) = _s3(url).entries()
        content = (tmp_path / _ASN).read_bytes()
        (tmp_path / _ASN).write_bytes(content[:-1] + b"x")
        page: list[Any] = [before, other]
        while page[0] == before:  # until the stand-in has looked again
            (page,) = _s3(url).entries()
    assert page[0].dataset == "ldfd01010"
    assert page[0].version != before.version
    assert page[1] == replace(other)


def test_a_table_that_cannot_be_read_is_reported(association: Path, tmp_path: Path) -> None:
    (tmp_path / _ASN).write_bytes(b"no FITS file")
    (tmp_path / "ldfd01vnq_spt.fits").hardlink_to(association / "ldfd01vnq_spt.fits")
    with running_archive(tmp_path) as url, left_out("s3") as reasons:
        found = _s3(url).files(["ldfd01010", "ldfd01vnq"])
    assert [[file.name for file in listed] for listed in found.values()] == [
        [_ASN],
        ["ldfd01vnq_spt.fits"],
    ]
    (reason,) = reasons
    assert reason.startswith(f"its members are not known: {_ASN}")


def _keys(*keys: str) -> bytes:
    found = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2020-01-01T00:00:00.000Z</LastModified>"
        f'<ETag>"{number:032x}-2"</ETag><Size>2880</Size></Contents>'
        for number, key in enumerate(keys)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>stpubdata</Name>'
        f"<IsTruncated>false</IsTruncated>{found}</ListBucketResult>"
    ).encode()


def test_keys_that_make_no_sense_are_left_out(replies: Replies) -> None:
    good = "hst/public/ldfd/ldfd01vnq/ldfd01vnq_rawtag.fits"
    replies.kind = "application/xml"
    replies.bodies = [
        _keys(
            "hst/public/l/ldfd01vpq_rawtag.fits",
            "hst/public/ldfd/LDFD01VNQ!/ldfd01vnq_spt.fits",
            "hst/public/ldfd/ldfd01vaq/preview.jpg",
            good,
            "hst/public/odfd/odfd01vnq/odfd01vnq_raw.fits",
        ),
        _keys(good),
    ]
    with left_out("s3") as reasons:
        (page,) = _s3(replies.url).entries()
    assert [(entry.dataset, entry.configuration) for entry in page] == [("ldfd01vnq", "COS/NUV")]
    assert [reason.split(" is ")[0] for reason in reasons] == ["'l'", "'LDFD01VNQ!'"]
    (file,) = _s3(replies.url).files(["ldfd01vnq"])["ldfd01vnq"]
    assert (file.md5, file.version) == ("", f"{0:032x}-2")  # uploaded in parts


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": Kind.STATUS, "status": status} for status in (429, 500, 502, 503)),
        {"kind": Kind.SILENCE},
    ],
    ids=fault_id,
)
def test_what_passes_is_asked_for_again(fault: dict[str, Any], association: Path) -> None:
    rules = [FaultRule.model_validate({"path": _KEYS, **fault})]
    with running_archive(association, rules=rules) as url:
        (page,) = _s3(url, download_attempts=9, **patience(fault, 1.0)).entries()
    assert len(page) == 6


@pytest.mark.parametrize("request_number", [1, 2])
def test_a_page_in_html_is_not_the_end_of_the_list(
    request_number: int, association: Path, tmp_path: Path
) -> None:
    for number in range(1100):  # more than a page
        (tmp_path / f"ldfd{number:04}q_spt.fits").touch()
    rules = [FaultRule(path=_KEYS, kind=Kind.HTML, request=request_number)]
    with (
        running_archive(tmp_path, rules=rules) as url,
        pytest.raises(IncompleteListingError, match="and then has hst/public/ldfd"),
    ):
        list(_s3(url).entries())


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": Kind.STATUS, "status": status} for status in (400, 401, 403, 404, 500, 503)),
        {"kind": Kind.SILENCE},
        {"kind": Kind.HTML},
        {"kind": Kind.EXECUTING},
        {"kind": Kind.CUT, "after": 300},
        {"kind": Kind.CUT, "after": 300, "length": False},
        {"kind": Kind.WRONG_BYTES},
    ],
    ids=fault_id,
)
def test_what_does_not_pass_is_said_and_left_for_later(
    fault: dict[str, Any], association: Path
) -> None:
    rules = [FaultRule.model_validate({"path": _KEYS, "times": 0, **fault})]
    message = r"the bucket stpubdata at http://127.* it is asked again"
    with running_archive(association, rules=rules) as url:
        s3 = _s3(url, **patience(fault, 0.2))
        with pytest.raises(TransientError, match=message):
            list(s3.entries())
        with pytest.raises(TransientError, match=message):
            s3.files(["ldfd01010"])
