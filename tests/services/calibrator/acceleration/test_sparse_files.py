"""Files with holes hold what the original writes, and take less space."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io.fits.file import _File

from services.calibrator.acceleration.sparse_files import REPLACEMENT
from tests.services.calibrator.acceleration.conftest import pair

_BLOCK = 1 << 16


def _content(random: np.random.Generator, kind: str) -> Any:
    size = 40 * _BLOCK + int(random.integers(0, _BLOCK)) // 4 * 4
    if kind == "zeros":
        return np.zeros(size // 4, dtype=">f4")
    array = random.integers(1, 200, size).astype(np.uint8)
    if kind == "full":
        return array.view(np.int16)
    for start in random.integers(0, size, 6):
        array[start : start + int(random.integers(0, 8 * _BLOCK))] = 0
    if kind == "end":
        array[-3 * _BLOCK :] = 0
    return array.view(">f4") if kind == "big-endian" else array.view("<i2").reshape(2, -1)


def _written(write: Any, path: Path, arrays: list[Any], mode: str = "ostream", head: bytes = b"x" * 2880) -> bytes:
    file = _File(str(path), mode=mode, overwrite=mode == "ostream", memmap=False)
    file.write(head)
    for array in arrays:
        write(file, array)
        file.write(b"end")
    file.close()
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["mixed", "end", "zeros", "full", "big-endian"])
def test_same_bytes(random: np.random.Generator, kind: str, tmp_path: Path) -> None:
    original, fast = pair(REPLACEMENT, "writearray")
    arrays = [_content(random, kind), np.arange(7), np.zeros(0), _content(random, "end")]
    head = bytes(random.integers(0, 256, int(random.integers(0, 9000))).astype(np.uint8))
    assert _written(fast, tmp_path / "fast", arrays, head=head) == _written(
        original, tmp_path / "plain", arrays, head=head
    )


@pytest.mark.parametrize("mode", ["ostream", "append"])
def test_ends_with_a_hole(mode: str, tmp_path: Path) -> None:
    _, fast = pair(REPLACEMENT, "writearray")
    file = _File(str(tmp_path / "fast"), mode=mode, memmap=False)
    fast(file, np.zeros(1 << 22, dtype=np.float32))
    assert file.tell() == 1 << 24
    file.close()
    status = (tmp_path / "fast").stat()
    assert status.st_size == 1 << 24
    assert status.st_blocks * 512 < 1 << 18


@pytest.mark.parametrize("mode", ["append", "update"])
def test_what_exists_is_overwritten_or_kept(mode: str, random: np.random.Generator, tmp_path: Path) -> None:
    original, fast = pair(REPLACEMENT, "writearray")
    for name in ("fast", "plain"):
        (tmp_path / name).write_bytes(b"y" * (90 * _BLOCK))
    arrays = [_content(random, "mixed")]
    assert _written(fast, tmp_path / "fast", arrays, mode) == _written(original, tmp_path / "plain", arrays, mode)


def test_parts_of_arrays_and_views(tmp_path: Path) -> None:
    original, fast = pair(REPLACEMENT, "writearray")
    image = np.zeros((2000, 3000), dtype=np.int32)
    image[::500, ::7] = -1
    arrays = [image[:, ::2], image.T, image[300:], np.asfortranarray(image)]
    assert _written(fast, tmp_path / "fast", arrays) == _written(original, tmp_path / "plain", arrays)
