"""Decades of lamp flashes at the level of tables come back from the monitors."""

import json
from pathlib import Path

import pytest

from benchmarks.mission.flash_tables import compute_flashes, flashes_flagged, flashes_recovered
from services.monitor.framework.declaration import RunOutput
from simulator.flash_tables import FlashTables, flash_tables

Found = tuple[FlashTables, dict[str, RunOutput]]


@pytest.fixture(scope="module")
def found() -> Found:
    tables = flash_tables(1, 1200)
    return tables, compute_flashes(tables)


def test_the_truth_comes_back_within_stated_errors(found: Found) -> None:
    """68 % of the errors below 1, at most 1 % beyond 3."""
    rows = {(row.monitor, row.quantity): row for row in flashes_recovered(*found)}
    for (monitor, quantity), row in rows.items():
        if monitor == "fuv-osm-drift" and quantity.startswith("decay"):
            assert row.values == 4  # lifetime positions
            assert row.spread < 2.0, row
        elif quantity == "hours":
            assert row.difference == pytest.approx(0.0, abs=1e-9)
        else:
            assert row.values > 3000
            assert row.spread < 1.1, row
            assert row.beyond < 0.01, row


def test_what_was_put_in_is_flagged(found: Found) -> None:
    for row in flashes_flagged(*found):
        assert row.injected > 5, row
        assert row.found == row.injected, row
        assert row.others <= 0.01 * row.measured, row


def test_the_truth_stands_in_a_file(found: Found, tmp_path: Path) -> None:
    tables, _ = found
    truth = json.loads(tables.write_truth(tmp_path).read_text())
    assert truth == tables.truth
