"""Tables of hot spots and bad pixels: what they say, their checks and differences."""

import io
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from services.monitor.monitors.superdark import tables as spot_tables
from services.monitor.monitors.superdark.deliveries import (
    spot_findings,
    spot_rows,
    table,
    table_findings,
)
from services.monitor.monitors.superdark.hot_spots import Spot
from services.monitor.monitors.superdark.tables import FlagRow
from shared.database.models.monitoring import Severity

_NEWEST = 58000.0


def _spot(x: int, start: float, stop: float, before: float, detector: str = "FUVA") -> Spot:
    return Spot(detector, x, x + 3, 240, 243, start, stop, start - 2.0, before, 0.05, 0.001, 40.0)


_GONE, _STILL = _spot(600, 57100.0, 57150.0, 57152.0), _spot(700, 57800.0, 57999.0, np.inf)


def _active(*rows: FlagRow) -> tuple[str, list[FlagRow]]:
    return "active.fits", list(rows)


def test_spots_are_flagged_from_the_dark_before_to_the_one_after(tmp_path: Path) -> None:
    rows = spot_rows([_GONE, _STILL, _spot(20, 57100.0, 57150.0, 57152.0, "NUV")])
    assert rows == [
        ("FUVA", 57098.0, 57152.0, 4800, 480, 24, 6, 32),
        ("FUVA", 57798.0, spot_tables.OPEN_END, 5600, 480, 24, 6, 32),
    ]
    made = table("SPOTTAB", "FUV", rows, _NEWEST, _active(rows[0]))
    assert (made.detail["wrong"], made.detail["difference"]) == (
        [],
        {"added": 1, "removed": 0, "flags_changed": 0},
    )
    assert list(table_findings(made, _NEWEST)) == []
    assert spot_tables.read_rows(io.BytesIO(made.content)) == ("FUV", rows)
    with fits.open(io.BytesIO(made.content)) as hdus:
        assert hdus[0].header["FILETYPE"] == "TRANSIENT BAD PIXEL REFERENCE TABLE"
        assert [hdus[0].header[name] for name in ("PHAMIN", "PHAMAX", "DETECTOR")] == [2, 23, "FUV"]
        assert hdus[1].data["COMMENT"].tolist() == ["gone", "still there"]


def test_no_spot_is_a_row_that_covers_nothing() -> None:
    content = spot_tables.table_bytes("SPOTTAB", "FUV", [], _NEWEST)
    assert spot_tables.check("SPOTTAB", content) == []
    assert spot_tables.read_rows(io.BytesIO(content)) == ("FUV", [])


@pytest.mark.parametrize(
    ("active", "removed"),
    [
        (("FUVA", 57100.0, 57140.0, 4800, 480, 16, 4, 32), 0),
        (("FUVA", 57090.0, 57140.0, 4800, 480, 16, 4, 32), 1),
        (("FUVA", 57100.0, 57140.0, 4792, 480, 16, 4, 32), 1),
        (("FUVB", 57100.0, 57140.0, 4800, 480, 16, 4, 32), 1),
        (("FUVA", 57100.0, 57140.0, 4800, 480, 0, 0, 32), 0),
    ],
    ids=["within", "starts earlier", "reaches beyond", "other segment", "covers nothing"],
)
def test_what_the_active_table_flagged_is_not_lost_silently(
    active: tuple[str, float, float, int, int, int, int, int], removed: int
) -> None:
    content = spot_tables.table_bytes("SPOTTAB", "FUV", [FlagRow(active)], _NEWEST)
    made = table(
        "SPOTTAB",
        "FUV",
        spot_rows([_GONE]),
        _NEWEST,
        ("active.fits", spot_tables.read_rows(io.BytesIO(content))[1]),
    )
    assert made.detail["difference"]["removed"] == removed
    assert made.detail["ready"] is not bool(removed)
    found = [(finding.rule, finding.severity) for finding in table_findings(made, _NEWEST)]
    assert found == [("lost", Severity.ALERT)] * removed


def test_bad_pixels_are_those_of_the_active_table_and_more() -> None:
    dead = FlagRow(("FUVA", *spot_tables.ALWAYS, 1700, 690, 60, 12, 16))
    known = FlagRow(("FUVA", *spot_tables.ALWAYS, 5600, 480, 24, 6, 32))
    new = FlagRow(("FUVB", *spot_tables.ALWAYS, 800, 400, 8, 2, 1024))
    made = table("BPIXTAB", "FUV", [known, new], _NEWEST, _active(dead, known))
    assert spot_tables.read_rows(io.BytesIO(made.content))[1] == [dead, known, new]
    assert made.detail["wrong"] == []
    alone = table("BPIXTAB", "FUV", [known, new], _NEWEST, None)
    assert (made.detail["ready"], alone.detail["ready"]) == (True, False), (
        "it would lack the rows of the active table"
    )
    assert [finding.rule for finding in table_findings(alone, _NEWEST)] == ["not-compared"]


def test_a_wrong_table_alarms_though_it_cannot_be_compared() -> None:
    beyond = FlagRow(("FUVA", 57100.0, 57140.0, 16380, 480, 16, 4, 32))
    made = table("SPOTTAB", "FUV", [beyond], _NEWEST, None)
    assert (made.detail["wrong"], made.detail["ready"]) == (
        ["a rectangle reaches beyond the detector"],
        False,
    )
    found = [(finding.rule, finding.severity) for finding in table_findings(made, _NEWEST)]
    assert found == [("not-compared", Severity.INFO), ("delivery-check", Severity.ALERT)]


def test_a_spoilt_table_is_not_to_be_delivered() -> None:
    content = spot_tables.table_bytes("SPOTTAB", "FUV", spot_rows([_GONE, _STILL]), _NEWEST)
    with fits.open(io.BytesIO(content)) as hdus:
        hdus[0].header["USEAFTER"] = "2009-05-11"
        hdus[0].header["PHAMIN"] = 3
        hdus[0].header["VCALCOS"] = "9.0"
        hdus[0].header["PEDIGREE"] = "INFLIGHT 11/05/2019 01/01/2018"
        hdus[1].data["LX"][0] = 16380
        hdus[1].data["START"][1] = np.nan
        hdus[1].data["SEGMENT"][1] = "NUVA"
        hdus[1].data["DQ"] = 0
        buffer = io.BytesIO()
        hdus.writeto(buffer)
    wrong = " / ".join(spot_tables.check("SPOTTAB", buffer.getvalue()))
    for reason in (
        "USEAFTER",
        "PHAMIN",
        "VCALCOS",
        "PEDIGREE",
        "beyond the detector",
        "ends before it starts",
        "NUVA",
        "no flag",
    ):
        assert reason in wrong


def test_bright_spots_of_the_last_days_and_those_that_last_alarm() -> None:
    fresh = _spot(800, 57990.0, 57999.0, np.inf)
    found = [
        (finding.rule, finding.configuration)
        for finding in spot_findings([_GONE, _STILL, fresh], _NEWEST)
    ]
    assert found == [
        ("hot-spot", "FUVA 5600,480"),
        ("lasting", "FUVA 5600,480"),
        ("hot-spot", "FUVA 6400,480"),
    ]
    assert all(finding.source and finding.threshold for finding in spot_findings([_STILL], _NEWEST))


def test_the_active_table_is_the_one_of_the_detector_that_was_used_last(tmp_path: Path) -> None:
    row = FlagRow(("FUVA", *spot_tables.ALWAYS, 1700, 690, 60, 12, 16))
    nuv = FlagRow(("N/A", *spot_tables.ALWAYS, 8, 16, 4, 4, 16))
    for name, detector, rows in (
        ("b.fits", "FUV", [row]),
        ("n.fits", "NUV", [nuv]),
        ("a.fits", "FUV", []),
    ):
        (tmp_path / name).write_bytes(spot_tables.table_bytes("BPIXTAB", detector, rows, _NEWEST))
    columns = spot_tables.read_tables([tmp_path / name for name in ("b.fits", "n.fits", "a.fits")])
    assert spot_tables.active_table(columns, "FUV") == ("b.fits", (row,))
    assert spot_tables.active_table(columns, "NUV") == ("n.fits", (nuv,))
    # A table without rows is one all the same.
    empty = spot_tables.read_tables([tmp_path / "a.fits"])
    assert spot_tables.active_table(empty, "FUV") == ("a.fits", ())
    assert spot_tables.active_table(empty, "NUV") is None
    assert spot_tables.active_table(spot_tables.read_tables([]), "FUV") is None
