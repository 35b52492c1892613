"""The file store."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import OutageError, PermanentError
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


def test_full_disk_is_transient_and_leaves_nothing(
    tmp_path: Path, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("64k")
    store = Store(f"file://{disk}/store")
    with pytest.raises(OutageError, match="free space"):
        store.publish(_file(tmp_path, 1_000_000), "raw/x")
    assert [path for path in disk.rglob("*") if path.is_file()] == []
