"""Lamps of exposures."""

from pathlib import Path

import pytest
from astropy.io import fits

from tests.services.ingestor.bench import read_file, rows_of


def _write_events(folder: Path, lamp: str) -> Path:
    primary = fits.PrimaryHDU()
    primary.header.update(ROOTNAME="ldtest01q", LAMPUSED=lamp, LAMPSET="LOW")
    events = fits.BinTableHDU.from_columns([fits.Column("TIME", "E", array=[0.0])], name="EVENTS")
    events.header.update(EXPSTART=58000.0, EXPTIME=12.0)
    path = folder / "ldtest01q_rawtag_a.fits"
    fits.HDUList([primary, events]).writeto(path)
    return path


@pytest.mark.parametrize(("lamp", "count"), [("P1", 1), ("NONE", 0)])
def test_an_exposure_has_a_row_if_a_lamp_was_lit(tmp_path: Path, lamp: str, count: int) -> None:
    rows = rows_of(read_file(_write_events(tmp_path, lamp)).rows, "lamp_use")
    lit = {"rootname": "ldtest01q", "expstart": 58000.0, "exptime": 12.0}
    assert rows == [{**lit, "lamp": lamp, "current": "LOW"}] * count
