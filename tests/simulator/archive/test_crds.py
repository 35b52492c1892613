"""CRDS: judged by its own client."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from simulator.archive.server import running_archive
from tests.simulator.archive.conftest import Judge, sha256

_REFERENCE = "u1t1616ql_wcp.fits"


@pytest.fixture(scope="module")
def served(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address of a stand-in, and its folder with real rules and reference files."""
    folder = tmp_path_factory.mktemp("rules")
    shutil.copytree(data_dir / "crds", folder / "crds")
    (folder / "references").mkdir()
    for packed in sorted((data_dir / "references").glob("*.gz"))[:3]:
        shutil.copy(packed, folder / "references")
    shutil.copy(data_dir / "references" / f"{_REFERENCE}.gz", folder / "references")
    with running_archive(folder) as url:
        yield url, folder


def _sync(url: str, cache: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "CRDS_PATH": str(cache),
        "CRDS_SERVER_URL": url,
        "CRDS_OBSERVATORY": "hst",
        "CRDS_MODE": "auto",
    }
    environment.pop("CRDS_READONLY_CACHE", None)
    return subprocess.run(
        [sys.executable, "-m", "crds.sync", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_crds_syncs_a_context(served: tuple[str, Path], data_dir: Path, tmp_path: Path) -> None:
    url, _ = served
    done = _sync(url, tmp_path, "--contexts", "hst_0613.pmap")
    assert done.returncode == 0, done.stderr
    rules = tmp_path / "mappings" / "hst"
    fetched = {path.name: sha256(path) for path in rules.iterdir()}
    assert len(fetched) == 26
    assert fetched == {name: sha256(data_dir / "crds/mappings/hst" / name) for name in fetched}
    assert "hst_0613.pmap" in (tmp_path / "config" / "hst" / "server_config").read_text()


def test_crds_syncs_a_reference_file(
    served: tuple[str, Path], data_dir: Path, tmp_path: Path
) -> None:
    url, _ = served
    done = _sync(url, tmp_path, "--files", _REFERENCE)
    assert done.returncode == 0, done.stderr
    (found,) = (tmp_path / "references" / "hst").rglob(_REFERENCE)
    packed = data_dir / "references" / f"{_REFERENCE}.gz"
    assert found.read_bytes() == gzip.decompress(packed.read_bytes())
    unknown = _sync(url, tmp_path, "--files", "nothing_wcp.fits")
    assert unknown.returncode == 1


def test_crds_asks_for_contexts(served: tuple[str, Path], judge: Judge, tmp_path: Path) -> None:
    program = """
import json
from crds.client import api
info = api.get_server_info()
print(json.dumps({
    "operational": info["operational_context"], "bad": info["bad_files_list"],
    "default": api.get_default_context("hst"), "history": api.get_context_history("hst"),
    "mappings": api.get_mapping_names("hst_1028.pmap"),
    "references": api.get_reference_names("hst_0613.pmap"),
    "listed": api.list_mappings("hst", "*.pmap"), "held": api.list_references("hst", "*_wcp*"),
    "url": api.get_flex_uri("u1t1616ql_wcp.fits"),
}))
"""
    url, _ = served
    environment = {"CRDS_SERVER_URL": url, "CRDS_PATH": str(tmp_path), "CRDS_OBSERVATORY": "hst"}
    found = judge(url, program, **environment)
    assert found["operational"] == found["default"] == "hst_0613.pmap"
    assert found["listed"] == ["hst_0613.pmap", "hst_1028.pmap"]
    assert len(found["mappings"]) == 26
    assert _REFERENCE in found["references"]
    assert _REFERENCE in found["held"]
    assert found["url"] == f"{url}/unchecked_get/references/hst/{_REFERENCE}"
    assert [entry[1] for entry in found["history"]] == ["hst_0613.pmap", "hst_0614.pmap"]


def test_description_has_the_keys_of_a_real_one(served: tuple[str, Path]) -> None:
    url, folder = served
    sent = {"jsonrpc": "1.0", "method": "get_server_info", "params": [], "id": "7"}
    reply = httpx.post(f"{url}/json/get_server_info/7/", json=sent).json()
    assert (reply["error"], reply["id"]) == (None, "7")
    config = (folder / "crds" / "config" / "hst" / "server_config").read_text()
    for name in reply["result"]:
        assert f"'{name}'" in config or name in ("latest_context", "max_headers_per_rpc")


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("get_nothing", [], "there is no method get_nothing"),
        ("get_mapping_names", ["hst_9999.pmap"], "unknown context"),
        ("get_mapping_names", [], "does not take 0 parameters"),
        ("get_file_info_map", ["hst", ["../x"], None], "unknown file ../x"),
    ],
)
def test_bad_calls_are_refused(
    served: tuple[str, Path], method: str, params: list[object], message: str
) -> None:
    sent = json.dumps({"method": method, "params": params, "id": "1"})
    reply = httpx.post(f"{served[0]}/json/{method}/1/", content=sent).json()
    assert message in reply["error"]["message"]


def test_other_files_are_not_there(served: tuple[str, Path]) -> None:
    url, _ = served
    for path in ("mappings/hst/nothing.pmap", "references/hst/..%2fx.fits", "other/hst/x"):
        assert httpx.get(f"{url}/unchecked_get/{path}").status_code == 404
    assert httpx.post(f"{url}/json/x/1/", content=b"no JSON").json()["error"]
