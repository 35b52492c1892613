"""Values of real files."""

from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from services.ingestor.datasets import DatasetFile, DatasetReader
from services.ingestor.extractors import References
from shared.errors import PermanentError
from shared.store import Store
from tests.services.ingestor.bench import extract_file, read_file, rows_of, sample


def _rows(data_dir: Path, name: str, table: str) -> list[dict[str, Any]]:
    return rows_of(extract_file(sample(data_dir, name), data_dir / "references"), table)


def test_headers(data_dir: Path) -> None:
    (row,) = _rows(data_dir, "ldfd01vnq_rawtag_a", "headers")
    header = fits.getheader(next(data_dir.rglob("ldfd01vnq_rawtag_a.fits.gz")), 1)
    assert row["rootname"] == "ldfd01vnq"
    assert (row["opt_elem"], row["cenwave"], row["segment"], row["life_adj"]) == (
        "G140L",
        1105,
        "FUVA",
        3,
    )
    assert row["expstart"] == header["EXPSTART"]
    assert row["lamptab"] == "23n1744jl_lamp.fits"
    assert row["neventsb"] is None


def test_shifts_that_were_not_measured_are_null(data_dir: Path) -> None:
    (raw,) = _rows(data_dir, "ldfd01vnq_rawtag_a", "headers")
    assert fits.getval(next(data_dir.rglob("ldfd01vnq_rawtag_a.fits.gz")), "SHIFT1A", 1) == 0.0
    assert {
        raw[f"{name}{segment}"] for name in ("shift1", "shift2", "dpixel1") for segment in "ab"
    } == {None}
    (calibrated,) = _rows(data_dir, "ldfd01vnq_x1d", "headers")
    header = fits.getheader(next(data_dir.rglob("ldfd01vnq_x1d.fits.gz")), 1)
    assert calibrated["shift1a"] == header["SHIFT1A"] == pytest.approx(-521.243)
    assert calibrated["dpixel1a"] == header["DPIXEL1A"]
    assert header["SHIFT1B"] == 0.0
    assert calibrated["shift1b"] is None


def test_spectrum(data_dir: Path) -> None:
    (row,) = _rows(data_dir, "ldfd01vnq_x1d", "data")
    assert (row["wl_min"], row["wl_max"]) == pytest.approx((1168.4228, 2276.4465))
    assert row["flux_max"] == pytest.approx(3.0290869e-13)


def test_flashes_are_numbered_within_segments(data_dir: Path) -> None:
    fuv = [
        (row["segment"], row["flash"])
        for row in _rows(data_dir, "ld1ce4dkq_lampflash", "lampflash")
    ]
    assert fuv == [("FUVA", 1), ("FUVA", 2), ("FUVB", 1), ("FUVB", 2)]
    nuv = [
        (row["segment"], row["flash"])
        for row in _rows(data_dir, "lb4c10niq_lampflash", "lampflash")
    ]
    assert nuv == [(f"NUV{stripe}", flash) for flash in (1, 2) for stripe in "ABC"]


def test_fp_offset_is_removed(data_dir: Path) -> None:
    first = _rows(data_dir, "ld1ce4dkq_lampflash", "lampflash")[0]
    assert first["shift_disp"] - first["x_shift"] == pytest.approx(-239.52, abs=0.01)
    assert first["found"] is True


def test_acquisitions(data_dir: Path) -> None:
    (image,) = _rows(data_dir, "lbhx1epiq_rawacq", "acqs")
    assert image["exptype"] == "ACQ/IMAGE"
    assert image["acqslewx"] == pytest.approx(0.653, abs=0.001)
    counted = fits.getdata(next(data_dir.rglob("lbhx1epiq_rawacq.fits.gz")), "SCI", 1).sum(
        dtype=int
    )
    assert image["nevents"] == counted
    (peak,) = _rows(data_dir, "ldngz2szq_rawacq", "acqs")
    assert peak["acqslewx"] is None
    (lamp,) = _rows(data_dir, "lbhx1epiq_rawacq", "lampflash")
    assert (lamp["x_shift"], lamp["y_shift"]) == (313.0, 813.0)


def test_support(data_dir: Path) -> None:
    (row,) = _rows(data_dir, "ldngz2szq_spt", "spt")
    assert row["lqtaxpos"] == pytest.approx(-193, abs=1) or row["lqtaxpos"] == pytest.approx(
        -64, abs=1
    )
    assert row["lmmcetmp"] is None or row["lmmcetmp"] < 100


def test_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ldfd01vnq_lampflash.fits"
    primary = fits.PrimaryHDU()
    primary.header["ROOTNAME"] = "ldfd01vnq"
    table = fits.BinTableHDU.from_columns(
        [fits.Column("SEGMENT", "4A", array=["FUVA"])], name="LAMPFLASH"
    )
    fits.HDUList([primary, table]).writeto(path)
    with pytest.raises(PermanentError, match="LAMPFLASH has no column NET"):
        extract_file(path)


def test_flash_of_no_segment_costs_itself(tmp_path: Path, data_dir: Path) -> None:
    path = tmp_path / "ld1ce4dkq_lampflash.fits"
    with fits.open(sample(data_dir, "ld1ce4dkq_lampflash")) as hdus:
        hdus[1].data["SEGMENT"][1] = "FUVD"
        hdus.writeto(path)
    content = read_file(path)
    assert len(rows_of(content.rows, "lampflash")) == len(fits.getdata(path, 1)) - 1
    assert content.problems == [
        f"{path.name}: LAMPFLASH, row 2: SEGMENT is 'FUVD', not FUVA, FUVB, NUVA, NUVB, NUVC, N/A"
    ]


def test_unreadable_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "ldfd01vnq_spt.fits"
    path.write_bytes(b"garbage")
    with pytest.raises(PermanentError, match="ldfd01vnq_spt"):
        extract_file(path)


def test_any_file_system_will_do(data_dir: Path) -> None:
    path = sample(data_dir, "ld9m10ujq_corrtag_a")
    store = Store("memory://cosmo")
    stored = store.publish(path, "products/x")
    file = DatasetFile(1, stored.path, stored.name, "ld9m10ujq", "corrtag_a")
    found = DatasetReader(store, [file], References(None)).read(file).rows
    assert [list(rows.dicts()) for rows in found] == [
        list(rows.dicts()) for rows in extract_file(path)
    ]
