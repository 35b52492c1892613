"""Telemetry of one mnemonic: lines of MJD and reading, however they are separated."""

from pathlib import Path

import pytest

from services.ingestor.datasets import check_readable
from shared.errors import PermanentError
from tests.services.ingestor.bench import extract_file, read_file, rows_of


def _write(folder: Path, content: str, mnemonic: str = "LMCHAMPT") -> Path:
    path = folder / f"{mnemonic}.txt"
    path.write_bytes(content.encode("latin-1"))
    return path


@pytest.mark.parametrize("between", [" ", "\t", "   ", " \t ", "\t\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", " \t\n"])
def test_columns_are_separated_by_blanks_or_tabs(tmp_path: Path, between: str, end: str) -> None:
    path = _write(tmp_path, f"57000.0{between}24.5{end}{end}  57000.5{between}-1.5E-3")
    assert rows_of(extract_file(path), "telemetry") == [
        {
            "rootname": "lmchampt",
            "mnemonic": "LMCHAMPT",
            "mjd": 57000.0,
            "value": 24.5,
            "text": None,
        },
        {
            "rootname": "lmchampt",
            "mnemonic": "LMCHAMPT",
            "mjd": 57000.5,
            "value": -0.0015,
            "text": None,
        },
    ]


@pytest.mark.parametrize("reading", ["NaN", "nan", "-NaN", "Inf", "-Infinity"])
def test_what_is_not_finite_is_null(tmp_path: Path, reading: str) -> None:
    (row,) = rows_of(extract_file(_write(tmp_path, f"57000.0 {reading}\n")), "telemetry")
    assert (row["value"], row["text"]) == (None, None)


@pytest.mark.parametrize(
    "state",
    [
        "G130M",
        "TA1Image",
        "NomAB",
        "ON",
        "1_000",
        "0x1F",
        "12:30",
        "HV  nominal",
        "NAN1",
        "INFO",
        "1E",
        "E5",
        "-",
    ],
)
def test_states_keep_their_text(tmp_path: Path, state: str) -> None:
    (row,) = rows_of(extract_file(_write(tmp_path, f"57000.0\t{state}\n")), "telemetry")
    assert (row["value"], row["text"]) == (None, state)


def test_unreadable_lines_are_named_and_counted(tmp_path: Path) -> None:
    lines = [
        "57000.0 1",
        "rubbish",
        "57001.0",
        "NaN 5",
        "1.0 2",
        "57002.0 caf\xe9",
        "1e300 2",
        "57003.0 2",
    ]
    content = read_file(_write(tmp_path, "\n".join(lines)))
    assert [row["mjd"] for row in rows_of(content.rows, "telemetry")] == [57000.0, 57003.0]
    (problem,) = content.problems
    assert problem.startswith(
        "LMCHAMPT.txt: 6 of 8 lines are no MJD with a reading and left out (line 2: 'rubbish'; "
    )
    assert problem.endswith("; ...)")


@pytest.mark.parametrize("content", ["This is a text\nof two lines\n", "x" * 100_000, "\0\1\2"])
def test_file_without_a_reading_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(
        PermanentError, match=r"^LMCHAMPT.txt: (\d+) of \1 lines are no MJD with a reading"
    ):
        check_readable([read_file(_write(tmp_path, content))])
