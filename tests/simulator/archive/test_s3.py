"""MAST's bucket on S3: judged by boto3, obstore and astroquery."""

from pathlib import Path

import httpx

from simulator.archive.server import running_archive
from tests.simulator.archive.conftest import Judge, sha256

_KEY = "hst/public/ldfd/ldfd01vnq/ldfd01vnq_rawtag_a.fits"


def test_boto3_lists_and_downloads(
    archive: str, judge: Judge, digests: dict[str, str], tmp_path: Path
) -> None:
    program = """
import json, hashlib
import boto3, botocore
config = botocore.client.Config(signature_version=botocore.UNSIGNED)
client = boto3.client("s3", config=config)
pages = client.get_paginator("list_objects_v2").paginate(
    Bucket="stpubdata", Prefix="hst/public/", PaginationConfig={"PageSize": 4})
listed = {entry["Key"]: entry for page in pages for entry in page["Contents"]}
for key, entry in listed.items():
    head = client.head_object(Bucket="stpubdata", Key=key)
    assert (head["ContentLength"], head["ETag"]) == (entry["Size"], entry["ETag"]), key
    client.download_file("stpubdata", key, key.rsplit("/", 1)[-1])
key = "hst/public/ldfd/ldfd01vnq/ldfd01vnq_rawtag_a.fits"
part = client.get_object(Bucket="stpubdata", Key=key, Range="bytes=2880-2889")
folders = client.list_objects_v2(Bucket="stpubdata", Prefix="hst/public/ldfd/", Delimiter="/")
try:
    missing = client.head_object(Bucket="stpubdata", Key="hst/public/nothing")
except botocore.exceptions.ClientError as error:
    missing = error.response["Error"]["Code"]
print(json.dumps({
    "keys": list(listed), "range": part["ContentRange"], "missing": missing,
    "part": part["Body"].read().decode("latin-1"), "etag": listed[key]["ETag"],
    "folders": [entry["Prefix"] for entry in folders["CommonPrefixes"]],
}))
"""
    found = judge(archive, program)
    assert {key.rsplit("/", 1)[-1] for key in found["keys"]} == set(digests)
    assert {name: sha256(tmp_path / name) for name in digests} == digests
    content = (tmp_path / "ldfd01vnq_rawtag_a.fits").read_bytes()
    assert found["range"] == f"bytes 2880-2889/{len(content)}"
    assert found["part"] == content[2880:2890].decode("latin-1")
    assert found["missing"] == "404"
    roots = sorted({name[:9] for name in digests})
    assert found["folders"] == [f"hst/public/ldfd/{root}/" for root in roots]


def test_obstore_lists_and_reads(archive: str, judge: Judge, digests: dict[str, str]) -> None:
    program = """
import hashlib, json, os
import obstore
from obstore.store import S3Store
store = S3Store("stpubdata", endpoint=os.environ["ARCHIVE"], skip_signature=True,
    region="us-east-1", client_options={"allow_http": True})
listed = [entry for page in obstore.list(store, prefix="hst/public") for entry in page]
digests = {}
for entry in listed:
    digest = hashlib.sha256()
    for chunk in obstore.get(store, entry["path"]).stream():
        digest.update(chunk)
    digests[entry["path"].rsplit("/", 1)[-1]] = digest.hexdigest()
key = "hst/public/ldfd/ldfd01vnq/ldfd01vnq_rawtag_a.fits"
head = obstore.head(store, key)
part = bytes(obstore.get_range(store, key, start=80, length=8)).decode()
print(json.dumps({"digests": digests, "part": part, "tag": head["e_tag"], "size": head["size"]}))
"""
    found = judge(archive, program)
    assert found["digests"] == digests
    assert found["part"] == "BITPIX  "


def test_astroquery_downloads_from_the_cloud(
    archive: str, judge: Judge, digests: dict[str, str], tmp_path: Path
) -> None:
    program = """
import json, os
import astroquery.mast.utils as utils
from astroquery.mast import Observations
plain = utils._simple_request  # the address of the path lookup is no setting
utils._simple_request = lambda url, params=None: plain(
    url.replace("https://mast.stsci.edu", os.environ["ARCHIVE"]), params)
Observations.enable_cloud_dataset()
found = Observations.query_criteria(proposal_id="14933")
products = Observations.get_product_list(found)
uris = Observations.get_cloud_uris(products)
manifest = Observations.download_products(products, flat=True, cloud_only=True, verbose=False)
print(json.dumps({"uris": uris, "outcomes": list(manifest["Status"])}))
"""
    found = judge(archive, program)
    assert f"s3://stpubdata/{_KEY}" in found["uris"]
    assert set(found["outcomes"]) == {"COMPLETE"}
    assert {name: sha256(tmp_path / name) for name in digests} == digests


def test_exclusive_files_are_not_there(association: Path, tmp_path: Path) -> None:
    name = "ldfd01vnq_rawtag_a.fits"
    (tmp_path / name).hardlink_to(association / name)
    (tmp_path / "archive.toml").write_text("[exclusive]\n'ldfd*' = 2100-01-01\n")
    with running_archive(tmp_path) as url:
        assert httpx.get(f"{url}/stpubdata/{_KEY}").status_code == 404
        listed = httpx.get(f"{url}/stpubdata", params={"list-type": "2"}).text
        assert "<KeyCount>0</KeyCount>" in listed
        for wrong in ({"max-keys": "x"}, {"continuation-token": "\N{MICRO SIGN}"}):
            asked = {"list-type": "2", **wrong}
            assert httpx.get(f"{url}/stpubdata", params=asked).status_code == 400
        assert httpx.get(f"{url}/stpubdata").status_code == 501
