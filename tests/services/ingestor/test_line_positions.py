"""Positions of lines in spectra whose lines are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.ingestor.extractors.line_lists import LAMP, LINE_LIST
from services.ingestor.extractors.line_positions import find_line
from tests.services.ingestor.bench import extract_file, read_file, rows_of

_SCALE = 0.04
_FIRST = 2200.0
"""Angstrom in a pixel, and at the first one."""
_SIGMA = 3.0


def _spectrum(*lines: tuple[float, float], level: float = 4.0, size: int = 1274) -> np.ndarray:
    """Return counts: a level, and lines of a place and of so many counts, or that lack so many."""
    x = np.arange(size)
    counts = np.full(size, level)
    for place, strength in lines:
        profile = np.exp(-0.5 * ((x - place) / _SIGMA) ** 2)
        counts += strength * profile / (_SIGMA * np.sqrt(2.0 * np.pi))
    return counts


def _list(folder: Path, *rows: tuple[str, str, str, int, float]) -> None:
    forms = ("16A", "4A", "5A", "J", "D")
    names = ("SOURCE", "SEGMENT", "OPT_ELEM", "CENWAVE", "WAVELENGTH")
    columns = [
        fits.Column(name, form, array=[row[place] for row in rows])
        for place, (name, form) in enumerate(zip(names, forms, strict=True))
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(
        folder / LINE_LIST
    )


def _file(
    folder: Path, kind: str, spectra: list[tuple[str, np.ndarray, float]], found: bool = True
) -> Path:
    """Write a file with spectra: segment, counts, and pixels by which its wavelengths are off."""
    column = "NET" if kind == "lampflash" else "GROSS"
    seconds = np.full(len(spectra), 2.0)
    pixels = np.arange(len(spectra[0][1]))
    wavelength = [_FIRST + _SCALE * (pixels + off) for _, _, off in spectra]
    size = len(pixels)
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("SEGMENT", "4A", array=[segment for segment, _, _ in spectra]),
            fits.Column("EXPTIME", "D", array=seconds),
            fits.Column("SPEC_FOUND", "L", array=[found] * len(spectra)),
            fits.Column("WAVELENGTH", f"{size}D", array=wavelength),
            fits.Column(column, f"{size}E", array=[counts / 2.0 for _, counts, _ in spectra]),
        ],
        name="LAMPFLASH" if kind == "lampflash" else "SCI",
    )
    table.header["EXPSTART"] = 58000.0
    primary = fits.PrimaryHDU()
    primary.header.update(
        ROOTNAME="ldx001aaq",
        DETECTOR="NUV",
        OPT_ELEM="G225M",
        CENWAVE=2250,
        FPPOS=3,
        LIFE_ADJ=1,
        APERTURE="PSA",
        TARGNAME="G191B2B",
        DISPTAB="lref$some_disp.fits",
    )
    path = folder / f"ldx001aaq_{kind}.fits"
    fits.HDUList([primary, table]).writeto(path)
    return path


def _rows(path: Path, references: Path | None) -> list[dict[str, Any]]:
    return rows_of(read_file(path, references).rows, "line_positions")


@pytest.mark.parametrize("strength", [3000.0, -3000.0])
def test_place_of_a_line_and_its_error(strength: float) -> None:
    level = 1000.0 if strength < 0 else 4.0
    found = find_line(_spectrum((503.3, strength), level=level), 500.0)
    assert found is not None
    assert found.pixel == pytest.approx(503.3, abs=0.01)
    assert found.counts == pytest.approx(abs(strength), rel=0.01)
    # Variance of the centroid: that of the line, and of the continuum in 24 or 25 pixels.
    sides = 2.0 * sum(x * x for x in range(1, 13))
    variance = strength * _SIGMA**2 + level * sides
    assert found.error == pytest.approx(np.sqrt(variance) / abs(strength), rel=0.08)


def test_lines_that_are_not_measured() -> None:
    counts = _spectrum((503.0, 3000.0), (15.0, 3000.0), (800.0, 30.0))
    assert find_line(counts, 15.0) is None  # too near the end
    assert find_line(counts, 800.0) is None  # faint
    assert find_line(counts, 520.0) is None  # more than 12 pix off
    assert find_line(_spectrum(level=0.0), 500.0) is None


def test_centroids_scatter_as_their_errors_say() -> None:
    random = np.random.default_rng(3)
    true = _spectrum((503.3, 400.0), level=2.0)
    found = [find_line(random.poisson(true).astype(float), 503.0) for _ in range(400)]
    pulls = np.array([(one.pixel - 503.3) / one.error for one in found if one is not None])
    assert len(pulls) == 400
    assert abs(pulls.mean()) < 0.2
    assert 0.85 < pulls.std() < 1.15


def test_lamp_lines_of_flashes_are_averaged(tmp_path: Path) -> None:
    """Flashes lie 10 pix from each other, which their wavelengths take out; the second is off."""
    at = _FIRST + _SCALE * 400.0
    _list(
        tmp_path,
        (LAMP, "NUVB", "G225M", 2250, at),
        (LAMP, "NUVA", "G225M", 2250, at),
        (LAMP, "NUVB", "G225M", 2186, at + 4.0),
        ("G191B2B", "", "", 0, at),
    )
    spectra = [
        ("NUVB", _spectrum((401.0, 1000.0)), 0.0),
        ("NUVB", _spectrum((414.0, 3000.0)), -10.0),
    ]
    (row,) = _rows(_file(tmp_path, "lampflash", spectra), tmp_path)
    assert (row["source"], row["segment"], row["aperture"]) == ("lamp", "NUVB", "WCA")
    assert (row["rootname"], row["date"], row["disptab"]) == (
        "ldx001aaq",
        58000.0,
        "some_disp.fits",
    )
    # 1 pix off with 1000 counts, 4 pix with 3000.
    off = (1.0 * 1000.0 + 4.0 * 3000.0) / 4000.0
    assert row["catalogue"] == at
    assert row["measured"] == pytest.approx(at + off * _SCALE, abs=0.02 * _SCALE)
    assert row["dispersion"] == pytest.approx(_SCALE)
    assert row["counts"] == pytest.approx(4000.0, rel=0.02)
    assert 0.0 < row["error"] < 0.2 * _SCALE


def test_lines_of_a_target(tmp_path: Path) -> None:
    at = _FIRST + _SCALE * np.array([300.0, 700.0])
    _list(tmp_path, *(("G191B2B", "", "", 0, line) for line in at), (LAMP, "", "", 0, at[0]))
    spectra = [("NUVA", _spectrum((302.0, 900.0), (702.0, 900.0)), 0.0)]
    rows = _rows(_file(tmp_path, "x1d", spectra), tmp_path)
    assert [(row["source"], row["aperture"], row["segment"]) for row in rows] == [
        ("G191B2B", "PSA", "NUVA")
    ] * 2
    for row, line in zip(rows, at, strict=True):
        assert row["measured"] - line == pytest.approx(2.0 * _SCALE, abs=0.02 * _SCALE)


def test_no_rows_without_a_list_or_where_no_spectrum_was_found(tmp_path: Path) -> None:
    spectra = [("NUVB", _spectrum((400.0, 1000.0)), 0.0)]
    path = _file(tmp_path, "lampflash", spectra, found=False)
    assert _rows(path, None) == []
    _list(tmp_path, (LAMP, "", "", 0, _FIRST + _SCALE * 400.0))
    assert _rows(path, tmp_path) == []


def test_a_list_that_cannot_be_read_is_noted(tmp_path: Path) -> None:
    path = _file(tmp_path, "x1d", [("NUVA", _spectrum((300.0, 900.0)), 0.0)])
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / LINE_LIST)
    content = read_file(path, tmp_path)
    assert "line_positions" not in {rows.model.__tablename__ for rows in content.rows if len(rows)}
    assert f"{LINE_LIST}: no table in its first extension" in "; ".join(content.problems)


def test_real_spectra_have_no_lines_without_a_list(data_dir: Path) -> None:
    (path,) = data_dir.rglob("lcwj02qvq_lampflash.fits.gz")
    assert rows_of(extract_file(path, data_dir / "references"), "line_positions") == []
