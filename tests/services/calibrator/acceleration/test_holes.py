"""Files with holes hold the bytes that were written, in less room."""

from pathlib import Path

import numpy as np
import pytest

from services.calibrator.acceleration.holes import HoleyFile

BLOCK = 4096


def _written(path: Path, *parts: bytes | memoryview) -> bytes:
    with HoleyFile(path) as file:
        for part in parts:
            assert file.write(part) == memoryview(part).nbytes
    return path.read_bytes()


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"\0"],
        [bytes(3 * BLOCK)],
        [b"a" * 2880, bytes(5 * BLOCK), b"b"],
        [b"a" * BLOCK, b"b" * BLOCK, bytes(BLOCK - 1)],
        [bytes(2 * BLOCK + 7), b"a", bytes(BLOCK)],
    ],
)
def test_the_bytes_are_those_written(tmp_path: Path, parts: list[bytes]) -> None:
    assert _written(tmp_path / "file", *parts) == b"".join(parts)


def test_random_parts(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    blocks = random.random(200) < 0.4
    content = b"".join(random.bytes(BLOCK) if filled else bytes(BLOCK) for filled in blocks)
    cuts = sorted(random.integers(0, len(content), 30).tolist())
    parts = [content[start:stop] for start, stop in zip([0, *cuts], [*cuts, None], strict=True)]
    assert _written(tmp_path / "file", *parts) == content


def test_zeros_take_no_room(tmp_path: Path) -> None:
    image = np.zeros((512, 1024), dtype=">f4")
    image[100:200] = 0.25
    assert _written(tmp_path / "file", b"h" * 2880, image.data) == b"h" * 2880 + image.tobytes()
    room = (tmp_path / "file").stat().st_blocks * 512
    assert 100 * 1024 * 4 <= room < 120 * 1024 * 4


def test_an_existing_file_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"there")
    with pytest.raises(FileExistsError):
        HoleyFile(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"there"
