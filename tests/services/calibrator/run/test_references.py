"""Wrong, damaged and changed references."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.run.headers import read_exposures, rewrite_references
from services.calibrator.run.references import Reference, ReferenceFolder
from shared.errors import PermanentError, TransientError
from shared.remote_references import RemoteReferences
from shared.store import sha256_of

MakeExposure = Any
DEADTIME = "DEADTIME REFERENCE TABLE"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "references"
    path.mkdir()
    return path


@pytest.fixture
def opened(folder: Path, tmp_path: Path) -> ReferenceFolder:
    return ReferenceFolder(folder, tmp_path / "cache", "3.6.2")


@pytest.fixture
def raw(make_exposure: MakeExposure) -> Any:
    return make_exposure(DEADCORR="PERFORM", DEADTAB="lref$x_dead.fits")


def write(
    path: Path, filetype: str = DEADTIME, version: str | None = "3.0", value: float = 1.0
) -> None:
    header = fits.Header([("FILETYPE", filetype)] + ([("VCALCOS", version)] if version else []))
    fits.PrimaryHDU(np.full((100, 100), value, np.float32), header).writeto(path, overwrite=True)


def resolve(opened: ReferenceFolder, raw: Any) -> Reference:
    (found,) = opened.resolve([raw])
    return found


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("1.9", "at least 2.0"),
        (None, "at least 2.0"),
        ("3.6.3", "3.6.3 or later"),
        ("3.10", "3.10 or later"),
    ],
)
def test_wrong_version_is_refused(
    folder: Path, opened: ReferenceFolder, raw: Any, version: str | None, message: str
) -> None:
    write(folder / "x_dead.fits", version=version)
    with pytest.raises(PermanentError, match=rf"DEADTAB.*x_dead.fits.*{message}"):
        resolve(opened, raw)


def test_version_in_range_passes(folder: Path, opened: ReferenceFolder, raw: Any) -> None:
    write(folder / "x_dead.fits", version="2.13b")
    assert (resolve(opened, raw).keyword, resolve(opened, raw).name) == ("DEADTAB", "x_dead.fits")


def test_files_behind_a_url_are_those_of_now(raw: Any, tmp_path: Path) -> None:
    write(tmp_path / "x_dead.fits")
    memory = fsspec.filesystem("memory")
    remote = RemoteReferences(f"memory://{tmp_path}", tmp_path / "cache")
    opened = ReferenceFolder(remote, tmp_path / "cache", "3.6.2")
    with pytest.raises(PermanentError, match=rf"x_dead.fits is not in memory://{tmp_path}"):
        resolve(opened, raw)
    checksums = []
    for value in (1.0, 2.0):
        write(tmp_path / "x_dead.fits", value=value)
        memory.put_file(str(tmp_path / "x_dead.fits"), f"{tmp_path}/x_dead.fits")
        run = opened.for_run(None, {})
        found = resolve(run, raw)
        run.link([found], tmp_path / f"lref-{value}")
        assert sha256_of(tmp_path / f"lref-{value}" / "x_dead.fits") == found.sha256
        checksums.append(found.sha256)
    assert checksums[1] == sha256_of(tmp_path / "x_dead.fits") != checksums[0]


def test_wrong_type_is_refused(folder: Path, opened: ReferenceFolder, raw: Any) -> None:
    write(folder / "x_dead.fits", "DISPERSION RELATION REFERENCE TABLE")
    with pytest.raises(PermanentError, match=r"DEADTAB.*x_dead.fits is a DISPERSION"):
        resolve(opened, raw)


@pytest.mark.parametrize("size", [-2880, 1000, 0])
def test_truncated_is_refused(folder: Path, opened: ReferenceFolder, raw: Any, size: int) -> None:
    path = folder / "x_dead.fits"
    write(path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(PermanentError, match=r"DEADTAB of ldfd01vnq_rawtag_a.fits: x_dead.fits"):
        resolve(opened, raw)


def damaged(whole: bytes, damage: str) -> bytes:
    packed = bytearray(gzip.compress(whole, mtime=0))
    if damage == "cut":
        return bytes(packed[: len(packed) // 2])
    if damage == "tail":
        packed[-6] ^= 0xFF  # a byte of the checksum
        return bytes(packed)
    if damage == "middle":
        packed[30:60] = b"\xff" * 30
        return bytes(packed)
    return b"\x1f\x8b\x08\x00" + b"\xff" * 200


@pytest.mark.parametrize("damage", ["cut", "tail", "middle", "garbage"])
def test_damaged_gzip_is_refused_by_name(
    folder: Path, opened: ReferenceFolder, raw: Any, tmp_path: Path, damage: str
) -> None:
    write(tmp_path / "whole.fits")
    (folder / "x_dead.fits.gz").write_bytes(damaged((tmp_path / "whole.fits").read_bytes(), damage))
    with pytest.raises(PermanentError, match=r"DEADTAB of .*x_dead.fits.gz: damaged gzip file"):
        resolve(opened, raw)
    assert list((tmp_path / "cache").iterdir()) == []


def test_full_disk_is_transient(folder: Path, raw: Any, small_disk: Callable[[str], Path]) -> None:
    disk = small_disk("16k")
    write(folder / "x_dead.fits")
    with pytest.raises(TransientError, match="free space"):
        resolve(ReferenceFolder(folder, disk / "cache", "3.6.2"), raw)
    assert list((disk / "cache").iterdir()) == []


def test_changed_reference_is_unpacked_again_and_a_run_keeps_its_own(
    folder: Path, opened: ReferenceFolder, raw: Any, tmp_path: Path
) -> None:
    write(tmp_path / "x_dead.fits", value=1.0)
    packed = folder / "x_dead.fits.gz"
    packed.write_bytes(gzip.compress((tmp_path / "x_dead.fits").read_bytes()))
    first = resolve(opened, raw)
    cached = tmp_path / "cache" / "x_dead.fits"
    before = cached.stat().st_ino
    assert resolve(opened, raw) == first
    assert cached.stat().st_ino == before
    opened.link([first], tmp_path / "lref")
    write(tmp_path / "x_dead.fits", value=2.0)
    packed.write_bytes(gzip.compress((tmp_path / "x_dead.fits").read_bytes()))
    assert resolve(opened, raw).sha256 != first.sha256
    assert fits.getdata(cached)[0, 0] == 2.0
    assert fits.getdata(tmp_path / "lref" / "x_dead.fits")[0, 0] == 1.0


def test_missing_reference_is_named(
    data_dir: Path, opened: ReferenceFolder, raw: Any, folder: Path
) -> None:
    with pytest.raises(
        PermanentError, match=r"DEADTAB of .*: x_dead.fits is not in .*references; put it there"
    ):
        resolve(opened, raw)
    shutil.copyfile(data_dir / "references" / "s7g1700gl_dead.fits.gz", folder / "x_dead.fits.gz")
    assert resolve(opened, raw).name == "x_dead.fits"


def test_a_path_inside_the_folders_is_used_as_it_is(
    folder: Path, tmp_path: Path, make_exposure: MakeExposure
) -> None:
    (folder / "mine").mkdir()
    write(folder / "x_dead.fits", value=1.0)
    write(folder / "mine" / "x_dead.fits", value=2.0)
    source = tmp_path / "source"
    source.mkdir()
    write(source / "x_dead.fits", value=3.0)
    opened = ReferenceFolder(folder, tmp_path / "cache", "3.6.2", source=str(source))
    for number, place in enumerate((folder, folder / "mine", source), 1):
        raw = make_exposure(DEADCORR="PERFORM", DEADTAB=f"{place}/x_dead.fits")
        found = resolve(opened, raw)
        assert (found.name, found.warning) == ("x_dead.fits", "")
        opened.link([found], tmp_path / f"lref{number}")
        assert fits.getdata(tmp_path / f"lref{number}" / "x_dead.fits")[0, 0] == number


def test_a_path_outside_stands_for_its_name_with_a_warning(
    folder: Path, opened: ReferenceFolder, tmp_path: Path, make_exposure: MakeExposure
) -> None:
    write(folder / "x_dead.fits", value=1.0)
    write(tmp_path / "x_dead.fits", value=2.0)
    write(tmp_path / "y_dead.fits", value=2.0)
    found = resolve(opened, make_exposure(DEADCORR="PERFORM", DEADTAB=f"{tmp_path}/x_dead.fits"))
    assert "outside the folders of references" in found.warning
    opened.link([found], tmp_path / "lref")
    assert fits.getdata(tmp_path / "lref" / "x_dead.fits")[0, 0] == 1.0
    for value in (f"{tmp_path}/y_dead.fits", "lref$../y_dead.fits"):
        with pytest.raises(PermanentError, match=r"y_dead.fits is not in .*references"):
            resolve(opened, make_exposure(DEADCORR="PERFORM", DEADTAB=value))


def test_two_files_of_one_name_are_refused(
    folder: Path, opened: ReferenceFolder, tmp_path: Path, make_exposure: MakeExposure
) -> None:
    (folder / "mine").mkdir()
    write(folder / "x_dead.fits", value=1.0)
    write(folder / "mine" / "x_dead.fits", value=2.0)
    values = ("lref$x_dead.fits", "lref$mine/x_dead.fits", f"{folder}/x_dead.fits")
    first, second, same = opened.resolve(
        [make_exposure(DEADCORR="PERFORM", DEADTAB=value) for value in values]
    )
    with pytest.raises(PermanentError, match="two reference files of one name"):
        opened.link([first, second, same], tmp_path / "lref")


def test_staged_headers_name_the_files_of_the_run(
    folder: Path, opened: ReferenceFolder, tmp_path: Path
) -> None:
    write(folder / "x_dead.fits")
    path = tmp_path / "ldfd01vnq_rawtag_a.fits"
    keywords = {
        "DEADCORR": "perform",
        "DEADTAB": f"{folder}/x_dead.fits",
        "FLATCORR": "OMIT",
        "FLATFILE": "/etc/passwd",
        "BRSTTAB": "/outside/x_brst.fits",
        "GEOFILE": "N/A",
        "TDSTAB": "lref$x_tds.fits",
    }
    fits.HDUList(
        [fits.PrimaryHDU(header=fits.Header(list(keywords.items()))), fits.ImageHDU()]
    ).writeto(path)
    exposures = read_exposures(tmp_path)
    found = opened.resolve(exposures)
    rewrite_references(exposures, {(item.keyword, item.value): item.name for item in found})
    (staged,) = read_exposures(tmp_path)
    texts = {
        name: staged.text(name) for name in ("DEADTAB", "FLATFILE", "BRSTTAB", "GEOFILE", "TDSTAB")
    }
    assert texts == {
        "DEADTAB": "lref$x_dead.fits",
        "FLATFILE": "N/A",
        "BRSTTAB": "lref$x_brst.fits",
        "GEOFILE": "N/A",
        "TDSTAB": "lref$x_tds.fits",
    }
