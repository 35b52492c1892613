"""SMS reports of both layouts."""

import re
import shutil
from pathlib import Path

import pytest

from shared.cos.dates import parse_day_of_year
from shared.errors import PermanentError
from tests.services.ingestor.reading import extract_file, rows_of

_EXPOSURE = re.compile(r"l\w{7} (?!.*MEMORY)")


def test_every_line_of_the_real_reports(data_dir: Path) -> None:
    reports = sorted((data_dir / "sms").glob("1*.txt"))
    assert len(reports) == 7
    for path in reports:
        rows = rows_of(extract_file(path), "sms")
        lines = [line for line in path.read_text().splitlines() if _EXPOSURE.match(line)]
        assert [row["rootname"] for row in rows] == [f"{line[:8]}q" for line in lines]
        for row, line in zip(rows, lines, strict=True):
            start = re.search(r"\d{4}\.\d{3}:\S+", line)
            assert start is not None
            assert row["expstart"] == parse_day_of_year(start[0])
            assert row["proposid"] == int(line.split()[1])
            assert {row["osm1pos"], row["osm2pos"]} <= {*line.split(), None}


def test_first_layout(data_dir: Path) -> None:
    rows = {row["rootname"]: row for row in rows_of(extract_file(data_dir / "sms" / "100047aa.txt"), "sms")}
    search, exposure = rows["lbb906asq"], rows["lbb906brq"]
    assert (search["opmode"], search["fuvhvstate"], search["tsinceosm1"]) == ("ACQ/SEARCH", "HVSegA", 87.0)
    assert (search["flashes"], search["aperture_position"]) == (None, None)
    assert (exposure["flashes"], exposure["flash_duration"], exposure["cenwave"]) == (1, 7.0, 1230)
    assert (exposure["osm1pos"], exposure["osm2pos"], exposure["exptime"]) == ("G140L", None, 160.0)


def test_second_layout(data_dir: Path) -> None:
    rows = {row["rootname"]: row for row in rows_of(extract_file(data_dir / "sms" / "162567b1.txt"), "sms")}
    row = rows["ld1ce4dkq"]
    assert (row["fuvhvstate"], row["fppos"], row["tsinceosm1"], row["flashes"]) == ("167/169", 2, 34064.0, 2)
    assert (row["exposure"], row["sms_id"], row["version"]) == ("D1CE40407", "162567", "b1")
    acquisition = rows["ldao23dwq"]
    assert (acquisition["fuvhvstate"], acquisition["osm2pos"], acquisition["cenwave"]) == (None, "MIRRORB", 0)


def test_malformed_report_is_refused_as_a_whole(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "111078a6.txt"
    shutil.copy(data_dir / "sms" / "bad_111078a6.txt", path)
    with pytest.raises(PermanentError, match=r"111078a6.txt: line \d+ is no exposure"):
        extract_file(path)


def test_report_that_is_no_text_is_refused(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "181137b4.txt"
    path.write_bytes(
        (data_dir / "sms" / "181137b4.txt").read_bytes().replace(b"HVSeg", b"HVS\0g").replace(b"FUV", b"F\0V")
    )
    with pytest.raises(PermanentError, match=r"181137b4.txt: no text: byte \d+ is"):
        extract_file(path)


def test_report_under_another_name_is_refused(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "181137b5.txt"
    shutil.copy(data_dir / "sms" / "181137b4.txt", path)
    with pytest.raises(PermanentError, match="names the report 181137b4, not 181137b5"):
        extract_file(path)
