"""A fault of a column costs this column.

It is null, and a problem names file, extension and column.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from shared.cos.dates import parse_day_of_year
from tests.services.ingestor.bench import extract_file, read_file, rows_of, sample
from tests.services.ingestor.events import write_corrtag

_JITTER = {
    "Seconds": {"sampling", "duration"},
    "SI_V2_AVG": {"v2_samples", "v2_mean", "v2_std", "v2_max"},
    "SI_V2_RMS": {"v2_rms"},
    "SI_V3_AVG": {"v3_samples", "v3_mean", "v3_std", "v3_max"},
    "Latitude": {"latitude"},
    "Recenter": {"recenters"},
    "TakeData": {"recenters", "slews"},
}
"""Columns of jitter tables, and those of ours that are made of them."""


def _without(table: fits.BinTableHDU, name: str) -> fits.BinTableHDU:
    columns = [column for column in table.columns if column.name != name]
    return fits.BinTableHDU.from_columns(fits.ColDefs(columns), header=_plain(table.header))


def _as(
    form: str, values: Callable[[Any], Any]
) -> Callable[[fits.BinTableHDU, str], fits.BinTableHDU]:
    """Return the change of a table in which a column is written in another form."""

    def change(table: fits.BinTableHDU, name: str) -> fits.BinTableHDU:
        columns = [
            fits.Column(name, form, array=values(table.data[name]))
            if column.name == name
            else column
            for column in table.columns
        ]
        return fits.BinTableHDU.from_columns(fits.ColDefs(columns), header=_plain(table.header))

    return change


def _plain(header: fits.Header) -> fits.Header:
    """Return the header without what says how columns are written."""
    kept = [
        card
        for card in header.cards
        if not card.keyword.startswith(("TFORM", "TTYPE", "TUNIT", "TDISP", "TNULL"))
    ]
    return fits.Header(kept)


def _changed(
    source: Path, path: Path, change: Callable[[fits.BinTableHDU, str], fits.BinTableHDU], name: str
) -> Path:
    with fits.open(source) as hdus:
        tables = [change(hdu, name) if isinstance(hdu, fits.BinTableHDU) else hdu for hdu in hdus]
        fits.HDUList(tables).writeto(path)
    return path


def _keywords(source: Path, path: Path, **values: Any) -> Path:
    """Return the copy of a file in which keywords have other values, wherever they are."""
    with fits.open(source) as hdus:
        for hdu in hdus:
            for keyword in values.keys() & set(hdu.header):
                hdu.header[keyword] = values[keyword]
        hdus.writeto(path, output_verify="ignore")
    return path


@pytest.mark.parametrize("name", _JITTER)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_without, "has no column {}"),
        (
            _as("8A", lambda values: np.full(len(values), "Invalid")),
            "column {} holds 'Invalid' where a number belongs",
        ),
        (
            _as("2E", lambda values: np.zeros((len(values), 2))),
            "column {} has several values in a cell",
        ),
        (_as("M", lambda values: values.astype(complex)), "column {} is written as 1M"),
    ],
)
def test_jitter_without_a_column(
    tmp_path: Path, data_dir: Path, name: str, change: Any, reason: str
) -> None:
    whole = sample(data_dir, "ldngz2szj_jit")
    content = read_file(_changed(whole, tmp_path / "ldngz2szj_jit.fits", change, name))
    (row,), (expected,) = (rows_of(rows, "jitter") for rows in (content.rows, extract_file(whole)))
    assert {column for column, value in expected.items() if row.get(column) != value} == _JITTER[
        name
    ]
    assert all(row.get(column) is None for column in _JITTER[name])
    (problem,) = content.problems
    assert problem.startswith("ldngz2szj_jit.fits: ")
    assert "jit" in problem.lower().partition(": ")[2]
    assert reason.format(name) in problem


def test_columns_of_numbers_written_as_text_are_read(tmp_path: Path, data_dir: Path) -> None:
    whole = sample(data_dir, "ldngz2szj_jit")
    text = _as("24A", lambda values: [repr(float(value)) for value in values])
    changed = _changed(whole, tmp_path / "ldngz2szj_jit.fits", text, "SI_V2_AVG")
    assert rows_of(extract_file(changed), "jitter") == rows_of(extract_file(whole), "jitter")


def test_table_that_names_no_exposure_costs_itself(tmp_path: Path, data_dir: Path) -> None:
    whole, path = sample(data_dir, "ldfd01010_jit"), tmp_path / "ldfd01010_jit.fits"
    with fits.open(whole) as hdus:
        hdus[2].header["EXPNAME"] = ""
        hdus.writeto(path)
    content = read_file(path)
    expected = rows_of(extract_file(whole), "jitter")
    assert rows_of(content.rows, "jitter") == [*expected[:1], *expected[2:]]
    assert content.problems == ["ldfd01010_jit.fits, HDU 2: a table jit without EXPNAME"]


@pytest.mark.parametrize(
    ("kind", "keyword", "odd", "table", "column"),
    [
        ("ldngz2szq_spt", "LDCAMPAT", "Invalid", "spt", "ldcampat"),
        ("ldngz2szq_spt", "LQITIME", True, "spt", "lqitime"),
        ("ldngz2szq_rawacq", "CENWAVE", "G130M", "headers", "cenwave"),
        ("ldngz2szq_rawacq", "PROPOSID", 1e30, "headers", "proposid"),
        ("ldfd01vnq_rawtag_a", "HVLEVELA", "163 V", "high_voltage", "hvlevel"),
        ("ldfd01vnq_rawtag_a", "EXPTIME", "long", "quality", "exptime"),
    ],
)
def test_keyword_of_another_kind(
    tmp_path: Path, data_dir: Path, kind: str, keyword: str, odd: Any, table: str, column: str
) -> None:
    whole = sample(data_dir, kind)
    content = read_file(_keywords(whole, tmp_path / f"{kind}.fits", **{keyword: odd}))
    row, expected = (rows_of(rows, table)[0] for rows in (content.rows, extract_file(whole)))
    assert row == {**expected, column: None}
    (problem,) = {problem.partition(": ")[2].partition(": ")[2] for problem in content.problems}
    assert problem.startswith(f"{keyword} is {odd!r}")
    assert content.problems[0].partition(": ")[2].partition(":")[0] in (
        "primary header",
        "SUPPORT",
        "SNAP1",
        "EVENTS",
    )


def test_numbers_written_as_text_are_read(tmp_path: Path, data_dir: Path) -> None:
    whole = sample(data_dir, "ldfd01vnq_rawtag_a")
    header = {**fits.getheader(whole, 0), **fits.getheader(whole, 1)}
    names = ("CENWAVE", "PROPOSID", "EXPSTART", "EXPTIME", "HVLEVELA", "RA_TARG")
    path = _keywords(
        whole, tmp_path / "ldfd01vnq_rawtag_a.fits", **{name: f" {header[name]} " for name in names}
    )
    for table in ("headers", "quality", "high_voltage"):
        assert rows_of(extract_file(path), table) == rows_of(extract_file(whole), table)


@pytest.mark.parametrize("root", ["", "N/A"])
def test_rootname_that_is_none_is_that_of_the_files_name(
    tmp_path: Path, data_dir: Path, root: str
) -> None:
    whole = sample(data_dir, "ldngz2szq_rawacq")
    content = read_file(_keywords(whole, tmp_path / "ldngz2szq_rawacq.fits", ROOTNAME=root))
    for table in ("headers", "quality", "acqs"):
        assert rows_of(content.rows, table) == rows_of(extract_file(whole), table)
    assert content.problems == ["ldngz2szq_rawacq.fits: no ROOTNAME in its primary header"]


@pytest.mark.parametrize("start", ["N/A", "", "2018.400:00:00:00", 58000.5])
def test_telemetry_without_a_start_has_no_times(tmp_path: Path, data_dir: Path, start: Any) -> None:
    whole = sample(data_dir, "ldngz2szq_spt")
    content = read_file(
        _keywords(whole, tmp_path / "ldngz2szq_spt.fits", PSTRTIME=start, LDCAMPAT="Invalid")
    )
    expected = rows_of(extract_file(whole), "telemetry")
    readings = rows_of(content.rows, "telemetry")
    assert [(row["mnemonic"], row["mjd"]) for row in readings] == [
        (row["mnemonic"], None) for row in expected
    ]
    assert next(row for row in readings if row["mnemonic"] == "LDCAMPAT")["text"] == "Invalid"
    assert {row["text"] for row in expected if "text" in row} == {
        row["text"] for row in readings if "text" in row
    } - {"Invalid"}
    if start:
        assert any("primary header: PSTRTIME: " in problem for problem in content.problems)
    assert any("SNAP1: LDCAMPAT is 'Invalid'" in problem for problem in content.problems)
    assert rows_of(content.rows, "spt")[0]["start_time"] == (
        None if start in ("", "N/A") else str(start)
    )


_OF_EVENTS = {
    "PHA": {"phd", "gain"},
    "RAWX": {"stims"},
    "XCORR": {"phd", "gain", "event_rates"},
    "TIME": {"stims", "event_rates"},
}
"""Tables that are made of a column of events."""


@pytest.mark.parametrize("name", _OF_EVENTS)
@pytest.mark.parametrize(
    "change", [_without, _as("7A", lambda values: np.full(len(values), "Invalid"))]
)
def test_events_without_a_column(tmp_path: Path, name: str, change: Any) -> None:
    whole = write_corrtag(
        tmp_path / "ldx001aaq_corrtag_a.fits", {"TIME": range(90), "PHA": [9] * 90}, 90.0
    )
    (tmp_path / "changed").mkdir()
    content = read_file(
        _changed(
            whole,
            tmp_path / "changed" / whole.name,
            lambda t, n: change(t, n) if t.name == "EVENTS" else t,
            name,
        )
    )
    kept = {rows.model.__tablename__ for rows in extract_file(whole)} - _OF_EVENTS[name]
    assert {rows.model.__tablename__ for rows in content.rows} == kept
    assert len(content.problems) == 1
    assert f"column {name}" in content.problems[0]
    assert "EVENTS" in content.problems[0]


def test_darks_without_an_orbit_have_no_positions(tmp_path: Path, data_dir: Path) -> None:
    path = write_corrtag(
        tmp_path / "ldngz2szq_corrtag_a.fits", {"TIME": range(90)}, 90.0, EXPTYPE="DARK"
    )
    whole = sample(data_dir, "ldngz2szq_spt")
    expected = rows_of(extract_file(path, None, whole), "darks")
    odd = _keywords(whole, tmp_path / "ldngz2szq_spt.fits", RASCASCN="N/A")
    content = read_file(path, None, odd)
    positions = {"latitude", "longitude", "saa_distance"}
    for row, other in zip(rows_of(content.rows, "darks"), expected, strict=True):
        assert row == {**other, **dict.fromkeys(positions)}
        assert other["latitude"] is not None
    (problem,) = content.problems
    assert problem == f"{path.name}: no orbit without RASCASCN in the support file's primary header"


def test_flash_of_which_nothing_is_known_has_no_rate(tmp_path: Path, data_dir: Path) -> None:
    whole, path = sample(data_dir, "ld1ce4dkq_lampflash"), tmp_path / "ld1ce4dkq_lampflash.fits"
    with fits.open(whole) as hdus:
        hdus[1].data["NET"][0] = np.nan
        hdus[1].data["NET"][1][::2] = np.nan
        part = float(hdus[1].data["NET"][1][1::2].astype(float).sum())
        hdus.writeto(path)
    first, second, *rest = rows_of(extract_file(path), "lampflash")
    assert first["rate"] is None
    assert second["rate"] == pytest.approx(part)
    assert rest == rows_of(extract_file(whole), "lampflash")[2:]


@pytest.mark.parametrize(
    ("name", "column"), [("NET", "rate"), ("SPEC_FOUND", "found"), ("CHI_SQUARE", "chi_square")]
)
def test_flashes_without_a_column(tmp_path: Path, data_dir: Path, name: str, column: str) -> None:
    whole = sample(data_dir, "ld1ce4dkq_lampflash")
    content = read_file(_changed(whole, tmp_path / "ld1ce4dkq_lampflash.fits", _without, name))
    expected = rows_of(extract_file(whole), "lampflash")
    assert rows_of(content.rows, "lampflash") == [{**row, column: None} for row in expected]
    assert content.problems == [f"ld1ce4dkq_lampflash.fits: table LAMPFLASH has no column {name}"]


def test_spectrum_without_flux(tmp_path: Path, data_dir: Path) -> None:
    whole = sample(data_dir, "ldfd01vnq_x1d")
    content = read_file(_changed(whole, tmp_path / "ldfd01vnq_x1d.fits", _without, "FLUX"))
    (row,), (expected,) = (rows_of(rows, "data") for rows in (content.rows, extract_file(whole)))
    assert row == {
        column: value for column, value in expected.items() if not column.startswith("flux")
    }


def test_unreadable_companion_costs_what_is_made_of_it(tmp_path: Path, data_dir: Path) -> None:
    """The exposure's start, of its raw file."""
    jitter, raw = sample(data_dir, "ldngz2szj_jit"), tmp_path / "ldngz2szq_rawacq.fits.gz"
    shutil.copyfile(sample(data_dir, "ldngz2szq_rawacq"), raw)
    whole = rows_of(extract_file(jitter, None, raw), "jitter")[0]
    raw.write_bytes(raw.read_bytes()[:2000])
    row = rows_of(read_file(jitter, None, raw).rows, "jitter")[0]
    assert row == {**whole, "expstart": None, "exptype": None}
    assert whole["expstart"] == pytest.approx(parse_day_of_year("2018.055:00:00:00"), abs=400)
