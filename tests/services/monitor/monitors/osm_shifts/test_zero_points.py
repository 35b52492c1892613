"""Zero points of lamp templates and search boxes, written into real reference tables."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.monitor.framework.declaration import NewArtifact, RunOutput
from services.monitor.library.revised_tables import read_active
from services.monitor.monitors import monitors
from services.monitor.monitors.osm_shifts.search_boxes import read_boxes
from shared.database.models.monitoring import Severity
from tests.services.monitor.monitors.flashes import flashes_of, made_up

_NOTHING = {name: np.empty(0) for name in ("file_id", "rootname", "mjd", "life_adj")}


def _tables(data_dir: Path, detector: str, **names: str) -> dict[str, list[Path]]:
    usual = {
        "FUV": {"lamptab": "24914347l_lamp", "wcptab": "u1t1616ql_wcp"},
        "NUV": {"lamptab": "u1t1616ol_lamp", "wcptab": "03p1706jl_wcp"},
    }[detector]
    return {
        kind: [data_dir / "references" / f"{name}.fits.gz"]
        for kind, name in (usual | names).items()
    }


def _compute(detector: str, tables: dict[str, list[Path]], rows: list[dict[str, Any]]) -> RunOutput:
    inputs = {
        "flashes": flashes_of(rows),
        "boxes": read_boxes(tables["wcptab"]),
        "empty": _NOTHING,
        "WCPTAB": read_active(tables["wcptab"]),
        "LAMPTAB": read_active(tables["lamptab"]),
    }
    return monitors()[f"{detector.lower()}-osm-shift"].compute(inputs)


def _rows(
    tables: dict[str, list[Path]], segments: dict[str, float], **changed: Any
) -> list[dict[str, Any]]:
    """Return 20 exposures, of which each segment is about a shift, 0.4 pix to both sides."""
    names = {kind: paths[0].name.removesuffix(".gz") for kind, paths in tables.items()}
    return [
        made_up(number, segment, x_shift=shift + (0.4 if number % 2 else -0.4), **names | changed)
        for number in range(1, 21)
        for segment, shift in segments.items()
    ]


def _by_kind(found: RunOutput) -> dict[str, NewArtifact]:
    return {one.kind: one for one in found.artifacts if one.kind != "outliers"}


def test_templates_are_moved_with_their_shift(data_dir: Path) -> None:
    tables = _tables(data_dir, "FUV")
    # Neither is a whole number of pixels.
    rows = _rows(tables, {"FUVA": -12.3, "FUVB": 7.8}, life_adj=3, fppos=2)
    found = _compute("FUV", tables, rows)
    made = _by_kind(found)
    assert made.keys() == {"LAMPTAB"}
    file = made["LAMPTAB"]
    assert (file.name, file.detail["ready"], file.detail["wrong"]) == (
        "cosmo_fuv_lp3_lamp.fits",
        True,
        [],
    )
    assert file.detail["active"] == "24914347l_lamp.fits"
    difference = file.detail["difference"]
    counted = {name: number for name, number in difference.items() if name != "changes"}
    assert counted == {"rows_changed": 2, "rows_added": 0, "rows_lost": 0}
    with fits.open(tables["lamptab"][0]) as old, fits.open(io.BytesIO(file.content)) as new:
        assert new[0].header["LIFE_ADJ"] == 3
        assert new[0].header["USEAFTER"] == "Sep 05 2017 00:00:00"  # MJD 58001, the first of them
        assert new[0].header["VCALCOS"] == old[0].header["VCALCOS"]
        assert new[1].columns.formats == old[1].columns.formats
        before, after = old[1].data, new[1].data
        mine = (before["CENWAVE"] == 1291) & (before["FPOFFSET"] == -1)
        for segment, pixels in (("FUVA", -12), ("FUVB", 8)):
            (row,) = np.flatnonzero(mine & (before["SEGMENT"] == segment))
            moved = after["FP_PIXEL_SHIFT"][row] - before["FP_PIXEL_SHIFT"][row]
            assert moved == pytest.approx(pixels)
            np.testing.assert_array_equal(
                after["INTENSITY"][row][100:-100],
                before["INTENSITY"][row][
                    100 - pixels : len(before["INTENSITY"][row]) - 100 - pixels
                ],
            )
        others = ~mine
        np.testing.assert_array_equal(after["INTENSITY"][others], before["INTENSITY"][others])
    assert [(one.rule, one.severity) for one in found.findings if one.rule != "segments-along"] == [
        ("zero-point", Severity.INFO)
    ] * 2
    change = difference["changes"][0]
    assert (change["segment"], change["fppos"], change["exposures"]) == ("FUVA", 2, 20)
    # Standard deviation 0.4 sqrt(20 / 19), over the root of 20, times sqrt(pi / 2).
    assert change["error"] == pytest.approx(1.2533 * 0.4 / np.sqrt(19.0), rel=1e-3)


def test_boxes_are_put_about_the_median(data_dir: Path) -> None:
    tables = _tables(data_dir, "NUV")
    rows = _rows(tables, {"NUVA": -33.0, "NUVB": -33.0, "NUVC": -33.0})
    file = _by_kind(_compute("NUV", tables, rows))["WCPTAB"]
    assert (file.name, file.detail["ready"]) == ("cosmo_nuv_wcp.fits", True)
    with fits.open(tables["wcptab"][0]) as old, fits.open(io.BytesIO(file.content)) as new:
        assert new[1].columns.formats == old[1].columns.formats
        offsets = dict(zip(new[1].data["OPT_ELEM"], new[1].data["SEARCH_OFFSET"], strict=True))
        assert offsets == {"G185M": -20, "G225M": -33, "G285M": 0, "G230L": -40}
        assert new[1].data["XC_RANGE"].tolist() == old[1].data["XC_RANGE"].tolist()
    (change,) = file.detail["difference"]["changes"]
    assert (change["before"], change["after"]) == (-10.0, -33.0)
    assert file.detail["difference"]["rows_changed"] == 1


def test_an_older_table_gets_the_column_of_offsets(data_dir: Path) -> None:
    tables = _tables(data_dir, "NUV", wcptab="xaf1429el_wcp")
    file = _by_kind(_compute("NUV", tables, _rows(tables, {"NUVB": 15.0})))["WCPTAB"]
    assert file.detail["wrong"] == []
    assert file.detail["ready"]
    with fits.open(io.BytesIO(file.content)) as new:
        offsets = dict(zip(new[1].data["OPT_ELEM"], new[1].data["SEARCH_OFFSET"], strict=True))
        assert offsets == {"G185M": 0, "G225M": 15, "G285M": 0, "G230L": 0}
        assert new[1].header["TTYPE8"] == "SEARCH_OFFSET"
    assert file.detail["difference"]["rows_changed"] == 1


def test_no_file_where_nothing_is_off_or_too_little_is_known(data_dir: Path) -> None:
    tables = _tables(data_dir, "NUV")
    # Within 22.5 pix, a quarter of 90, from the middle of the box, -10.
    shifts = {"NUVA": -32.0, "NUVB": -31.0}
    found = _compute("NUV", tables, _rows(tables, shifts))
    assert _by_kind(found).keys() == {"LAMPTAB"}
    assert not _by_kind(_compute("NUV", tables, _rows(tables, shifts)[:8]))  # four exposures
    assert not _by_kind(_compute("NUV", tables, _rows(tables, {"NUVA": 4.0}, wcptab=None)))
    for left_out in ({"life_adj": -1}, {"found": False}, {"has_lines": None}):
        assert not _by_kind(_compute("NUV", tables, _rows(tables, shifts, **left_out)))


def test_flashes_of_an_older_table_do_not_count(data_dir: Path) -> None:
    """The shift from a template says nothing of another one."""
    tables = _tables(data_dir, "NUV")
    rows = _rows(tables, {"NUVA": 20.0}, cenwave=2186)
    for row in rows[:12]:
        row["lamptab"] = "older_lamp.fits"
        row["x_shift"] = -40.0
    file = _by_kind(_compute("NUV", tables, rows))["LAMPTAB"]
    (change,) = file.detail["difference"]["changes"]
    assert (change["exposures"], change["median"]) == (8, 20.0)


def test_a_table_that_is_not_at_hand(data_dir: Path) -> None:
    tables = _tables(data_dir, "NUV")
    rows = _rows(tables, {"NUVA": 20.0}, lamptab="elsewhere_lamp.fits")
    found = _compute("NUV", tables, rows)
    assert _by_kind(found).keys() == {"WCPTAB"}
    assert [one.configuration for one in found.findings if one.rule == "not-compared"] == [
        "LAMPTAB elsewhere_lamp.fits"
    ]
