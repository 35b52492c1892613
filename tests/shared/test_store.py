"""The file store."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import PermanentError, TransientError
from shared.store import Store


def _file(folder: Path, size: int = 1000) -> Path:
    path = folder / "a.fits"
    path.write_bytes(b"x" * size)
    return path


@pytest.mark.parametrize("protocol", ["file", "memory"])
def test_publish_read_remove(tmp_path: Path, protocol: str) -> None:
    store = Store(f"{protocol}://{tmp_path}/store")
    stored = store.publish(_file(tmp_path), "raw/x")
    assert (stored.size, stored.name, len(stored.sha256)) == (1000, "a.fits", 64)
    with store.open("raw/x/a.fits") as stream:
        assert stream.read() == b"x" * 1000
    assert store.fetch("raw/x/a.fits", tmp_path / "local").read_bytes() == b"x" * 1000
    assert store.folders("raw") == ["x"]
    store.remove("raw/x")
    assert store.folders("raw") == []
    with pytest.raises(PermanentError, match="not in the store"), store.open("raw/x/a.fits"):
        pass


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if made.returncode != 0:
        pytest.skip("no right to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_is_transient_and_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    store = Store(f"file://{small_disk}/store")
    with pytest.raises(TransientError, match="free space"):
        store.publish(_file(tmp_path, 1_000_000), "raw/x")
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []
