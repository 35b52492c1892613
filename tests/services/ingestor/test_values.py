"""Values of every table against astropy, on every real sample that has them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.ingestor.extractors.headers import HEADER_PREFERENCE
from shared.cos.detector import ACTIVE_AREAS
from shared.cos.names import parse_name
from shared.database.models.science import (
    Acquisition,
    AperturePosition,
    ExposureQuality,
    Header,
    ScienceRow,
    Support,
)
from tests.services.ingestor.bench import extract_file, rows_of, sample

_COMMENTARY = ("COMMENT", "HISTORY", "")
_SENTINELS = (-999, -999.0, 999.0, -1, -1.0, "", "N/A", "NONE", 0.0)


def _samples(data_dir: Path, *suffixes: str) -> list[Path]:
    found = [
        path
        for path in sorted(data_dir.rglob("*.fits.gz"))
        if path.parent.name != "references" and parse_name(path.name).suffix in suffixes
    ]
    assert found
    return found


def _keywords(path: Path, last: int) -> dict[str, Any]:
    """Return the keywords of the first headers; the first header that has one counts."""
    merged: dict[str, Any] = {}
    with fits.open(path) as hdus:
        for number in reversed(range(min(last, len(hdus)))):
            merged.update(
                {
                    key: value
                    for key, value in hdus[number].header.items()
                    if key not in ("COMMENT", "HISTORY", "")
                }
            )
    return merged


def _agree(row: dict[str, Any], model: type[ScienceRow], header: dict[str, Any], name: str) -> int:
    """Compare every column that a keyword fills; how many have values."""
    compared = 0
    for column in model.__table__.columns:
        if "missing" not in column.info or column.name not in row:
            continue
        keyword = column.info["keyword"] or column.name.upper()
        if keyword not in header:
            continue
        expected = header[keyword]
        found = row[column.name]
        if found is None:
            assert isinstance(expected, fits.card.Undefined) or expected in _SENTINELS, (
                name,
                keyword,
                expected,
            )
            continue
        expected = expected.rpartition("$")[2] if keyword == "LAMPTAB" else expected
        assert found == (str(expected) if isinstance(found, str) else expected), (name, keyword)
        compared += 1
    return compared


def test_keywords_of_headers_quality_and_apertures(data_dir: Path) -> None:
    for path in _samples(data_dir, *HEADER_PREFERENCE):
        found, header = extract_file(path, data_dir / "references"), _keywords(path, 2)
        least = {Header: 35, ExposureQuality: 15, AperturePosition: 8}
        for model, number in least.items():
            (row,) = rows_of(found, model.__tablename__)
            assert _agree(row, model, header, path.name) >= number, (path.name, model)


def test_lamp_seconds_are_the_sum_of_the_flashes(data_dir: Path) -> None:
    path = sample(data_dir, "ldfd01vnq_rawtag_a")
    header = fits.getheader(path, 1)
    (row,) = rows_of(extract_file(path), "quality")
    assert row["numflash"] == header["NUMFLASH"] > 1
    assert row["lamp_seconds"] == sum(
        header[f"LMPDUR{flash}"] for flash in range(1, header["NUMFLASH"] + 1)
    )


def test_high_voltage_of_both_segments(data_dir: Path) -> None:
    for path in _samples(data_dir, "rawtag_a", "corrtag_a"):
        header = fits.getheader(path, 1)
        rows = {row["segment"]: row for row in rows_of(extract_file(path), "high_voltage")}
        assert sorted(rows) == ["FUVA", "FUVB"]
        for segment, row in rows.items():
            side = segment[-1]
            for column in ("hvlevel", "dethvl", "dethvc", "dethvn"):
                expected = header[f"{column.upper()}{side}"]
                assert row[column] == (None if expected in (-999, -1) else expected), (
                    path.name,
                    segment,
                    column,
                )
        # The level is commanded in steps of 15.69 V.
        assert -(2500 + 15.69 * rows["FUVA"]["hvlevel"]) == pytest.approx(
            rows["FUVA"]["dethvn"], abs=0.01
        )


def test_every_keyword_of_every_header(data_dir: Path) -> None:
    for path in _samples(data_dir, "x1d", "spt", "jit", "lampflash", "asn"):
        (row,) = rows_of(extract_file(path, data_dir / "references"), "keywords")
        documents = json.loads(row["hdus"])
        with fits.open(path) as hdus:
            assert len(documents) == len(hdus)
            for document, hdu in zip(documents, hdus, strict=True):
                for key in set(hdu.header) - {*_COMMENTARY}:
                    expected = hdu.header[key]
                    assert document[key] == (
                        None if isinstance(expected, fits.card.Undefined) else expected
                    )


def test_spectra(data_dir: Path) -> None:
    for path in _samples(data_dir, "x1d"):
        table = fits.getdata(path, "SCI")
        (row,) = rows_of(extract_file(path), "data")
        good = table["DQ_WGT"] > 0
        flux, wavelength = table["FLUX"][good].astype(float), table["WAVELENGTH"][good]
        assert row["flux_mean"] == pytest.approx(flux.mean(), rel=1e-6)
        assert row["flux_std"] == pytest.approx(flux.std(), rel=1e-6)
        assert (row["flux_max"], row["wl_min"], row["wl_max"]) == (
            flux.max(),
            wavelength.min(),
            wavelength.max(),
        )
        # The table goes on by about ten Angstrom to both sides, with fluxes of 0.
        assert table["WAVELENGTH"].min() < row["wl_min"] - 8
        assert table["WAVELENGTH"].max() > row["wl_max"] + 8
        assert abs(row["flux_mean"]) > 1.1 * abs(table["FLUX"].astype(float).mean())


def test_support_and_telemetry(data_dir: Path) -> None:
    for path in _samples(data_dir, "spt"):
        found, header = extract_file(path), _keywords(path, 3)
        (row,) = rows_of(found, "spt")
        assert _agree(row, Support, header, path.name) >= 15
        snapshot = fits.getheader(path, 2)
        telemetry = rows_of(found, "telemetry")
        assert len(telemetry) > 20
        for reading in telemetry:
            assert snapshot[reading["mnemonic"]] == reading.get("value", reading.get("text"))
            assert 55000 < reading["mjd"] < 59000
    (acquisition,) = rows_of(extract_file(sample(data_dir, "ldngz2szq_spt")), "spt")
    assert acquisition["start_time"] == fits.getval(sample(data_dir, "ldngz2szq_spt"), "PSTRTIME")


def test_telemetry_is_of_the_exposures_start(data_dir: Path) -> None:
    reading = rows_of(extract_file(sample(data_dir, "ldngz2szq_spt")), "telemetry")[0]
    start = fits.getval(sample(data_dir, "ldngz2szq_rawacq"), "EXPSTART", 1)
    assert reading["mjd"] == pytest.approx(start, abs=120 / 86400)  # the start that was predicted


def test_jitter_without_placeholders(data_dir: Path) -> None:
    exposures = 0
    for path in _samples(data_dir, "jit"):
        rows = rows_of(extract_file(path), "jitter")
        with fits.open(path) as hdus:
            tables = [hdu for hdu in hdus if hdu.name.upper() == "JIT"]
            assert len(rows) == len(tables)
            for row, table in zip(rows, tables, strict=True):
                assert row["expname"] == table.header["EXPNAME"].lower()
                assert row["samples"] == len(table.data)
                for axis in ("v2", "v3"):
                    values = table.data[f"SI_{axis.upper()}_AVG"].astype(float)
                    values = values[np.abs(values) < 1e30]
                    assert row[f"{axis}_samples"] == len(values)
                    assert row[f"{axis}_mean"] == pytest.approx(values.mean())
                    assert row[f"{axis}_std"] == pytest.approx(values.std())
                    assert row[f"{axis}_max"] == values.max()
                exposures += 1
    assert exposures >= 5


def test_jitter_of_every_exposure_of_an_association(data_dir: Path) -> None:
    path = sample(data_dir, "ldfd01010_jit")
    rows = rows_of(extract_file(path), "jitter")
    with fits.open(path) as hdus:
        for row, table in zip(rows, hdus[1:], strict=True):
            data = table.data
            taken = data["TakeData"] == 1
            assert row["recenters"] == np.count_nonzero(taken & (data["Recenter"] != 0))
            assert row["slews"] == np.count_nonzero(taken & (data["SlewFlag"] != 0))
            assert (row["latitude"], row["longitude"]) == (
                data["Latitude"][0],
                data["Longitude"][0],
            )
            assert row["duration"] == pytest.approx(data["Seconds"][-1] - data["Seconds"][0])
            assert row["v2_rms"] == pytest.approx(
                data["SI_V2_RMS"][data["SI_V2_RMS"] < 1e30].astype(float).mean()
            )
            assert "ldfd01010" not in row["rootname"]


def test_jitter_knows_its_exposure(data_dir: Path) -> None:
    raw = sample(data_dir, "ldngz2szq_rawacq")
    (row,) = rows_of(extract_file(sample(data_dir, "ldngz2szj_jit"), None, raw), "jitter")
    assert row["rootname"] == "ldngz2szq"
    assert (row["expstart"], row["exptype"]) == (
        fits.getval(raw, "EXPSTART", 1),
        fits.getval(raw, "EXPTYPE"),
    )


def test_events_of_a_real_exposure(data_dir: Path) -> None:
    """Pulse heights and superpixels, counted from astropy's columns."""
    path = sample(data_dir, "ld9m10ujq_corrtag_a")
    found, events, header = extract_file(path), fits.getdata(path, "EVENTS"), _keywords(path, 2)
    x, y, height = (events[name].astype(float) for name in ("XCORR", "YCORR", "PHA"))
    box = ACTIVE_AREAS["FUVA"]
    kept = (
        (x > box.x0)
        & (x < box.x1)
        & (y > box.y0)
        & (y < box.y1)
        & ((events["DQ"] & (64 | 2048)) == 0)
    )
    (phd,) = rows_of(found, "phd")
    expected = np.histogram(height[kept], bins=np.arange(33) - 0.5)[0]
    assert [phd[f"pha_{number}"] for number in range(32)] == expected.tolist()
    assert (phd["expstart"], phd["exptime"], phd["hvlevel"]) == (
        header["EXPSTART"],
        header["EXPTIME"],
        header["HVLEVELA"],
    )
    gain = rows_of(found, "gain")
    assert gain
    column, row = np.round(x[kept]).astype(int) // 8, np.round(y[kept]).astype(int) // 2
    for superpixel in gain:
        mine = (column == superpixel["x"]) & (row == superpixel["y"])
        assert superpixel["counts"] == np.count_nonzero(mine)
        heights = height[kept][mine]
        commonest = np.histogram(heights[heights >= 2], bins=np.arange(2, 33) - 0.5)[0].argmax() + 2
        assert abs(superpixel["gain"] - commonest) <= 2.0
        assert (superpixel["dethv"], superpixel["expstart"]) == (
            header["HVLEVELA"],
            header["EXPSTART"],
        )


def test_flashes_with_and_without_the_commanded_displacement(data_dir: Path) -> None:
    with_template: Counter[str] = Counter()
    for path in _samples(data_dir, "lampflash"):
        rows = rows_of(extract_file(path, data_dir / "references"), "lampflash")
        table, header = fits.getdata(path, 1), _keywords(path, 2)
        lamptab = data_dir / "references" / f"{header['LAMPTAB'].rpartition('$')[2]}.gz"
        assert len(rows) == len(table)
        commanded = _commanded(lamptab, header) if lamptab.exists() else {}
        for row, line in zip(rows, table, strict=True):
            assert (row["shift_disp"], row["y_shift"]) == (line["SHIFT_DISP"], line["SHIFT_XDISP"])
            assert (row["time"], row["found"], row["segment"]) == (
                line["TIME"],
                line["SPEC_FOUND"],
                line["SEGMENT"].strip(),
            )
            assert row["rate"] == pytest.approx(float(np.nansum(line["NET"].astype(float))))
            assert row["gross"] == pytest.approx(float(np.nansum(line["GROSS"].astype(float))))
            assert [row[name] for name in ("lampused", "lampset", "exptype", "obset_id")] == [
                header[name] for name in ("LAMPUSED", "LAMPSET", "EXPTYPE", "OBSET_ID")
            ]
            assert row["wcptab"] == header["WCPTAB"].rpartition("$")[2]
            if row["segment"] in commanded:
                assert row["x_shift"] == pytest.approx(
                    row["shift_disp"] - commanded[row["segment"]]
                )
                assert row["x_shift"] != row["shift_disp"] or commanded[row["segment"]] == 0
                with_template[row["segment"]] += 1
            else:
                assert row["x_shift"] is None
    assert all(
        with_template[segment] >= 2 for segment in ("FUVA", "FUVB", "NUVA", "NUVB", "NUVC")
    ), with_template


@pytest.mark.parametrize(
    ("name", "line", "fp_pixel_shift"),
    [("ld1ce4dkq", 0, -239.52428), ("lcwj02qvq", 1, 50.65564)],
    ids=["FUVA", "NUVB"],
)
def test_brightness_over_the_template(
    data_dir: Path, name: str, line: int, fp_pixel_shift: float
) -> None:
    """Least squares, sum(NET t) / sum(t t), with the template shifted pixel by pixel.

    A spectrum of the NUV has 100 pixels more to the left than its template.
    """
    path = sample(data_dir, f"{name}_lampflash")
    row = rows_of(extract_file(path, data_dir / "references"), "lampflash")[line]
    flash, header = fits.getdata(path, 1)[line], _keywords(path, 2)
    lamptab = data_dir / "references" / f"{header['LAMPTAB'].rpartition('$')[2]}.gz"
    (template,) = (
        one["INTENSITY"].astype(float)
        for one in fits.getdata(lamptab, 1)
        if (one["SEGMENT"].strip(), one["CENWAVE"], one["FPOFFSET"])
        == (row["segment"], header["CENWAVE"], header["FPPOS"] - 3)
        and one["OPT_ELEM"].strip() == header["OPT_ELEM"]
    )
    start = flash["SHIFT_DISP"] - fp_pixel_shift + (100 if header["DETECTOR"] == "NUV" else 0)
    products = squares = variances = 0.0
    for pixel, (net, gross) in enumerate(zip(flash["NET"], flash["GROSS"], strict=True)):
        left = int(np.floor(pixel - start))
        if 0 <= left < len(template) - 1:
            part = pixel - start - left
            value = (1.0 - part) * template[left] + part * template[left + 1]
            products += value * net
            squares += value**2
            variances += value**2 * gross / flash["EXPTIME"]
    assert row["template_scale"] == pytest.approx(products / squares, rel=1e-4)
    assert row["template_scale_error"] == pytest.approx(np.sqrt(variances) / squares, rel=1e-4)
    assert row["has_lines"] is True


def test_a_segment_without_lines_has_no_brightness(data_dir: Path) -> None:
    """All intensities of the template of FUVB are 0 in G140L/1280."""
    path = sample(data_dir, "lbhx26fmq_lampflash")
    rows = rows_of(extract_file(path, data_dir / "references"), "lampflash")
    assert [(row["segment"], row["has_lines"], row["found"]) for row in rows] == [
        ("FUVA", True, True),
        ("FUVA", True, True),
        ("FUVB", False, False),
        ("FUVB", False, False),
    ]
    assert [row.get("template_scale") for row in rows[2:]] == [None, None]
    (bare, *_) = rows_of(extract_file(path), "lampflash")
    assert (bare.get("has_lines"), bare.get("template_scale"), bare["x_shift"]) == (None,) * 3


def _commanded(lamptab: Path, header: dict[str, Any]) -> dict[str, float]:
    setting = (header["OPT_ELEM"], header["CENWAVE"], header["FPPOS"] - 3)
    return {
        line["SEGMENT"].strip(): float(line["FP_PIXEL_SHIFT"])
        for line in fits.getdata(lamptab, 1)
        if (line["OPT_ELEM"].strip(), line["CENWAVE"], line["FPOFFSET"]) == setting
    }


def test_slews_follow_from_the_dwell_points(data_dir: Path) -> None:
    recomputed = 0
    for path in _samples(data_dir, "rawacq"):
        header = _keywords(path, 2)
        (row,) = rows_of(extract_file(path), "acqs")
        assert _agree(row, Acquisition, header, path.name) >= 12
        for axis in "xy":
            if row.get(f"dwell_slew{axis}") is not None and row[f"acqslew{axis}"] is not None:
                assert row[f"dwell_slew{axis}"] == pytest.approx(
                    row[f"acqslew{axis}"], abs=0.001
                ), path.name
                recomputed += 1
    assert recomputed >= 2
