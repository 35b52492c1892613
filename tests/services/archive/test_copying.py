"""Copies of a dataset's files from a web server, which hands one of them out only later."""

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from services.archive.copying import DatasetCopy
from services.archive.downloads import Downloader
from services.archive.sources import open_source
from shared.errors import PermanentError
from shared.settings import ArchiveSettings
from shared.store import Store, sha256_of

_NAMES = ("ldfd01010_asn.fits.gz", "ldfd01vnq_rawtag_a.fits.gz", "ldfd01vnq_spt.fits.gz")


def test_what_came_is_kept_until_all_is_there(
    data_dir: Path, tmp_path: Path, serve: Callable[[Path], Any]
) -> None:
    folder, parts = tmp_path / "source", tmp_path / "parts"
    folder.mkdir()
    for name in _NAMES:
        shutil.copyfile(data_dir / "ldfd01010" / "raw" / name, folder / name)
    server = serve(folder)
    source, store = open_source(server.url), Store(f"file://{tmp_path}/store")
    listed = [asdict(file) for file in source.list().files]
    one_by_one = Downloader(parts, ArchiveSettings(download_connections=1))

    server.locked.add(_NAMES[-1])
    with pytest.raises(PermanentError, match=rf"{_NAMES[-1]} is refused .403."):
        DatasetCopy(source, store, one_by_one, "ldfd01010").copy(listed, {})
    assert {path.name for path in parts.glob("*/*.gz")} == set(_NAMES[:-1])

    server.locked = {_NAMES[0], _NAMES[1]}
    copied = DatasetCopy(source, store, one_by_one, "ldfd01010").copy(listed, {})
    assert {file.stored.name: file.stored.sha256 for file in copied.files} == {
        name: sha256_of(folder / name) for name in _NAMES
    }
    assert list(parts.iterdir()) == []
