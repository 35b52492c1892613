"""SMS reports of both layouts."""

import re
import shutil
from pathlib import Path

import pytest

from services.ingestor.datasets import check_readable
from shared.cos.dates import parse_day_of_year
from shared.errors import PermanentError
from tests.services.ingestor.bench import extract_file, read_file, rows_of

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
    rows = {
        row["rootname"]: row
        for row in rows_of(extract_file(data_dir / "sms" / "100047aa.txt"), "sms")
    }
    search, exposure = rows["lbb906asq"], rows["lbb906brq"]
    assert (search["opmode"], search["fuvhvstate"], search["tsinceosm1"]) == (
        "ACQ/SEARCH",
        "HVSegA",
        87.0,
    )
    assert (search["flashes"], search["aperture_position"]) == (None, None)
    assert (exposure["flashes"], exposure["flash_duration"], exposure["cenwave"]) == (1, 7.0, 1230)
    assert (exposure["osm1pos"], exposure["osm2pos"], exposure["exptime"]) == ("G140L", None, 160.0)


def test_second_layout(data_dir: Path) -> None:
    rows = {
        row["rootname"]: row
        for row in rows_of(extract_file(data_dir / "sms" / "162567b1.txt"), "sms")
    }
    row = rows["ld1ce4dkq"]
    assert (row["fuvhvstate"], row["fppos"], row["tsinceosm1"], row["flashes"]) == (
        "167/169",
        2,
        34064.0,
        2,
    )
    assert (row["exposure"], row["sms_id"], row["version"]) == ("D1CE40407", "162567", "b1")
    acquisition = rows["ldao23dwq"]
    assert (acquisition["fuvhvstate"], acquisition["osm2pos"], acquisition["cenwave"]) == (
        None,
        "MIRRORB",
        0,
    )


@pytest.mark.parametrize("report", ["100047aa", "162567b1"])
@pytest.mark.parametrize(
    ("old", "new", "columns"),
    [
        (" PSA ", " RELATIVE ", {"aperture": "RELATIVE"}),
        (" PSA  ", " RELATIVE ", {"aperture": "RELATIVE"}),
        (" PSA ", " FCA-OLD ", {"aperture": "FCA-OLD"}),
        (" TIME-TAG ", " TIME/TAG2 ", {"opmode": "TIME/TAG2"}),
        (" G130M ", " NCM1FLAT ", {"osm1pos": "NCM1FLAT"}),
    ],
)
def test_words_of_any_kind(
    data_dir: Path, tmp_path: Path, report: str, old: str, new: str, columns: dict[str, str]
) -> None:
    whole, path = data_dir / "sms" / f"{report}.txt", tmp_path / f"{report}.txt"
    path.write_text(
        "".join(line.replace(old, new, 1) for line in whole.read_text().splitlines(keepends=True))
    )
    changed = {
        line[:8] for line in path.read_text().splitlines() if new in line and _EXPOSURE.match(line)
    }
    assert changed
    expected = [
        row | (columns if row["rootname"][:8] in changed else {})
        for row in rows_of(extract_file(whole), "sms")
    ]
    assert rows_of(extract_file(path), "sms") == expected


def test_position_behind_a_long_aperture(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "181137b4.txt"
    path.write_text((data_dir / "sms" / path.name).read_text().replace(" PSA 4 ", " RELATIVE 4 "))
    found = {
        (row["aperture"], row["aperture_position"]) for row in rows_of(extract_file(path), "sms")
    }
    assert ("RELATIVE", "4") in found


def test_report_of_three_characters_in_its_version(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "181137b4a.txt"
    path.write_text(
        (data_dir / "sms" / "181137b4.txt").read_text().replace("181137B4", "181137B4A")
    )
    row = rows_of(extract_file(path), "sms")[0]
    assert (row["report"], row["sms_id"], row["version"]) == ("181137b4a", "181137", "b4a")


def test_unreadable_lines_are_named_and_counted(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "111078a6.txt"
    shutil.copy(data_dir / "sms" / "bad_111078a6.txt", path)
    content = read_file(path)
    assert [row["rootname"] for row in rows_of(content.rows, "sms")] == ["lbmum1c5q"]
    (problem,) = content.problems
    assert problem.startswith(
        "111078a6.txt: 1 of 2 lines are no exposure of an SMS report and left out (line 9: 'lbl2"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"FUV ", b"F\0V "),
        (b"2018.11", b"2018.41"),
        (b"PSA 4", b""),
        (b"15341", "15 341é".encode()),
    ],
)
def test_damaged_lines_cost_themselves(
    data_dir: Path, tmp_path: Path, old: bytes, new: bytes
) -> None:
    whole = data_dir / "sms" / "181137b4.txt"
    lines = whole.read_bytes().splitlines(keepends=True)
    damaged = [
        number for number, line in enumerate(lines) if line.startswith(b"l") and old in line
    ][:7]
    for number in damaged:
        lines[number] = lines[number].replace(old, new)
    path = tmp_path / whole.name
    path.write_bytes(b"".join(lines))
    content, kept = (
        read_file(path),
        {row["rootname"] for row in rows_of(extract_file(whole), "sms")},
    )
    lost = kept - {row["rootname"] for row in rows_of(content.rows, "sms")}
    assert lost == {f"{lines[number][:8].decode()}q" for number in damaged}
    (problem,) = content.problems
    assert problem.startswith(f"181137b4.txt: {len(damaged)} of {len(kept)} lines are no exposure")
    assert f"line {damaged[0] + 1}: " in problem


def test_report_of_which_nothing_can_be_read_is_refused(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "181137b4.txt"
    path.write_bytes(
        (data_dir / "sms" / path.name)
        .read_bytes()
        .replace(b"TIME", b"T ME")
        .replace(b"ACQ/", b"acq/")
    )
    content = read_file(path)
    assert content.rows == []
    with pytest.raises(
        PermanentError, match=r"181137b4.txt: 65 of 65 lines are no exposure .*line 7: "
    ):
        check_readable([content])
    assert len(content.problems[0]) < 700


def test_report_under_another_name_is_refused(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "181137b5.txt"
    shutil.copy(data_dir / "sms" / "181137b4.txt", path)
    with pytest.raises(PermanentError, match="names the report 181137b4, not 181137b5"):
        extract_file(path)
