"""Remote archives with the whole system: discovered, fetched, calibrated, ingested, and a kill."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from shared.store import sha256_of
from simulator.archive.faults import FaultRule
from simulator.archive.server import running_archive
from tests.e2e.running import Running

pytestmark = pytest.mark.e2e

_ROOT, _LARGE = "ldfd01010", "lxfd01vnj_jit.fits"
_LARGE_BYTES = 100_000_000
_RATE = 25_000_000
"""Bytes a second, so that a kill meets the download on its way."""
_REPEATED = 8_000_000
"""Most bytes that are asked for a second time after a kill."""


@pytest.fixture
def folder(tmp_path: Path, data_dir: Path) -> Path:
    """Return a folder of an archive with the real association of one exposure."""
    raw, folder = data_dir / _ROOT / "raw", tmp_path / "archive"
    folder.mkdir()
    with fits.open(raw / f"{_ROOT}_asn.fits.gz") as hdus:
        hdus["ASN"].data = hdus["ASN"].data[[0, 4]]
        hdus.writeto(folder / f"{_ROOT}_asn.fits")
    for packed in raw.glob("ldfd01vnq_*.fits.gz"):
        (folder / packed.name.removesuffix(".gz")).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder


def test_an_archive_is_discovered_fetched_and_ingested_and_a_kill_costs_little(
    start: Callable[..., Running], folder: Path
) -> None:
    requests: list[str] = []
    slow = FaultRule(path=f"*{_LARGE}*", kind="slow", rate=_RATE, times=0)
    with running_archive(folder, rules=[slow], report=requests.append) as url:
        running = start(
            settings={
                "COSMO_ARCHIVE__SOURCES": "mast,s3,cadc",
                "COSMO_ARCHIVE__MAST_URL": url,
                "COSMO_ARCHIVE__S3_URL": url,
                "COSMO_ARCHIVE__CADC_URL": url,
                "COSMO_ARCHIVE__WANTED": json.dumps({"everything": True}),
                "COSMO_ARCHIVE__SCAN_SECONDS": "1",
                "COSMO_ARCHIVE__LISTING_SECONDS": "1",
            }
        )
        running.wait_for(_ROOT, "ingested", "failed")
        dataset = running.client.dataset(_ROOT)
        raw = {file.name: file.sha256 for file in dataset.files if file.origin == "raw"}
        assert raw == {path.name: sha256_of(path) for path in folder.iterdir()}
        assert running.events(_ROOT).count("dataset.calibrated") == 1

        _write_large(folder / _LARGE)
        parts = Path(running.machine.environment["COSMO_STORE_URL"].removeprefix("file://"))
        came = 0

        def is_on_its_way() -> bool:
            nonlocal came
            came = sum(path.stat().st_size for path in parts.rglob(f"{_LARGE}.part"))
            return came > 0.6 * _LARGE_BYTES

        running.wait(is_on_its_way, "60 % of the large file")
        running.kill("archive")
        before = len(requests)
        running.wait_for(_LARGE[:9], "ingested", "failed")
        (stored,) = running.client.dataset(_LARGE[:9]).files
        assert stored.sha256 == sha256_of(folder / _LARGE)
    asked = [line.split() for line in requests[before:] if _LARGE in line and "Download" in line]
    starts = [int(found[1]) for line in asked if (found := re.match(r"bytes=(\d+)-", line[2]))]
    assert len(asked) - len(starts) <= 1  # the one that the kill cut
    assert min(starts) > 0.6 * _LARGE_BYTES - _REPEATED


def _write_large(path: Path) -> None:
    """Write a support file of 100 MB, which is whole when it has its name."""
    header = fits.Header({"INSTRUME": "COS", "CONFIG": "COS/FUV", "PROPOSID": 14933})
    image = np.random.default_rng(1).integers(0, 2**31, _LARGE_BYTES // 4, dtype=np.int32)
    hdus = fits.HDUList([fits.PrimaryHDU(header=header), fits.ImageHDU(image)])
    hdus.writeto(path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)
