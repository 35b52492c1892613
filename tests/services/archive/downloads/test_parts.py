"""What nobody goes on with is swept."""

import os
import threading
from pathlib import Path

from services.archive.downloads import RemoteFile, sweep_parts
from services.archive.downloads.parts import PartFile


def test_sweep(tmp_path: Path) -> None:
    old, new, used = (
        PartFile(tmp_path, RemoteFile(f"http://a/{name}", name, ""))
        for name in ("old", "new", "in")
    )
    for part in (old, new, used):
        with part.locked(threading.Event()):
            part.begin('"1"', 4)
            part.append([b"12"])
    for part in (old, used):
        for path in part.complete.parent.iterdir():
            os.utime(path, (1e9, 1e9))
    with used.locked(threading.Event()):
        for path in used.complete.parent.iterdir():
            os.utime(path, (1e9, 1e9))
        assert sweep_parts(tmp_path, 3600.0) == ["old.part"]
    assert (old.size, new.size, used.size) == (0, 2, 2)
    assert len(list(tmp_path.iterdir())) == 2


def test_sweep_without_a_folder(tmp_path: Path) -> None:
    assert sweep_parts(tmp_path / "none", 0.0) == []


def test_a_record_that_was_cut_short_counts_for_nothing(tmp_path: Path) -> None:
    whole, cut = (PartFile(tmp_path, RemoteFile(f"http://a/{name}", name, "")) for name in "bc")
    for part in (whole, cut):
        with part.locked(threading.Event()):
            part.begin('"1"', 4)
            part.append([b"12"])
    (cut.complete.parent / "record.json").write_text('{"valid')
    assert (whole.validator, whole.expected) == ('"1"', 4)
    assert (cut.validator, cut.expected) == (None, None)
