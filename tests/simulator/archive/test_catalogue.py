"""Catalogue: it follows its folder, and what the folder's owner says of it."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from shared.errors import PermanentError
from simulator.archive.catalogue import Catalogue


def _entries(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    catalogue._next_look = 0.0  # the look that is due a moment later
    with catalogue.connection() as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("SELECT * FROM entry")
        return {row["name"]: dict(row) for row in rows}


@pytest.fixture
def folder(association: Path, tmp_path: Path) -> Path:
    """Copy of the association that may be changed."""
    for path in association.iterdir():
        (tmp_path / path.name).hardlink_to(path)
    return tmp_path


def test_associations_exposures_and_their_files(folder: Path) -> None:
    catalogue = Catalogue(folder)
    entries = _entries(catalogue)
    assert {name for name, row in entries.items() if row["is_top"]} == {"ldfd01010", "ldfd01vlq"}
    whole, part = entries["ldfd01010"], entries["ldfd01vnq"]
    assert (part["association"], whole["association"]) == ("ldfd01010", "ldfd01010")
    assert (whole["grating"], whole["detector"], whole["proposal"]) == ("G140L", "FUV", 14933)
    assert whole["start"] == part["start"] == pytest.approx(57934.20843387)
    assert whole["exposure"] > 4000
    jitter = catalogue.file("ldfd01vlj_jit.fits")
    assert jitter is not None
    assert jitter.dataset == "ldfd01vlq"
    catalogue.close()


def test_it_follows_the_folder(folder: Path) -> None:
    catalogue = Catalogue(folder)
    before = _entries(catalogue)["ldfd01010"]
    assert before["status"] == "PUBLIC"

    changed = folder / "ldfd01vnq_spt.fits"
    content = changed.read_bytes()
    changed.unlink()
    changed.write_bytes(content)
    os.utime(changed, (4e9, 4e9))
    after = _entries(catalogue)["ldfd01010"]
    assert after["archived"] > before["archived"]
    assert {**after, "archived": 0} == {**before, "archived": 0}

    for path in folder.glob("ldfd01vlq_*"):
        path.unlink()
    assert "ldfd01vlq" not in _entries(catalogue)

    (folder / "archive.toml").write_text("[exclusive]\nldfd01010 = 2100-01-01\n")
    entries = _entries(catalogue)
    assert {entries[name]["status"] for name in ("ldfd01010", "ldfd01vnq")} == {"PROPRIETARY"}
    (folder / "archive.toml").write_text("exclusive = 1")  # half written
    assert _entries(catalogue)["ldfd01010"]["status"] == "PROPRIETARY"
    (folder / "archive.toml").write_text("[exclusive]\n'ldfd*' = 2020-01-01T12:00:00+01:00\n")
    assert _entries(catalogue)["ldfd01010"]["released"] == "2020-01-01T11:00:00"
    assert _entries(catalogue)["ldfd01010"]["status"] == "PUBLIC"
    catalogue.close()


def test_entries_without_files(folder: Path) -> None:
    catalogue = Catalogue(folder, rows=1000)
    before = _entries(catalogue)
    assert len([row for row in before.values() if row["filler"] is not None]) == 1000
    assert len([row for row in before.values() if row["status"] == "PROPRIETARY"]) == 20
    (folder / "archive.toml").write_text("redelivered = 10\n")
    after = _entries(catalogue)
    changed = {name for name in before if before[name] != after[name]}
    assert len(changed) == 10
    assert all(after[name]["generated"] > before[name]["generated"] for name in changed)
    catalogue.close()


def test_damaged_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "lxyz01abq_rawtag_a.fits").write_bytes(b"no FITS file")
    (tmp_path / "lxyz01010_asn.fits").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no data")
    catalogue = Catalogue(tmp_path)
    assert set(_entries(catalogue)) == {"lxyz01abq", "lxyz01010"}
    catalogue.close()


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="nothing is not a folder that can be read: No such"):
        Catalogue(tmp_path / "nothing")
    (tmp_path / "archive.toml").write_text("[exclusive]\nx = 'soon'\n")
    with pytest.raises(PermanentError, match=r"archive\.toml: exclusive\.x") as caught:
        Catalogue(tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "archive.toml").write_text("[[[")
    with pytest.raises(PermanentError, match="cannot be read as TOML"):
        Catalogue(tmp_path)
