"""Darks, stims, pulse heights and gain of events whose truth is known."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from isal import igzip

from shared.cos.detector import ACTIVE_AREAS, DARK_REGIONS, STIM_POSITIONS, Box
from shared.cos.superpixels import unpack_counts
from shared.errors import PermanentError
from tests.services.ingestor.bench import extract_file, rows_of, sample
from tests.services.ingestor.events import EXPSTART, write_corrtag

_GENERATOR = np.random.default_rng(20110412)


def _dark_events(count: int, stop: float, segment: str) -> dict[str, np.ndarray]:
    """Return events all over the active area, evenly in time, of pulse heights 0 to 29 alike."""
    area = ACTIVE_AREAS[segment]
    return {
        "TIME": np.sort(_GENERATOR.uniform(0, stop, count)),
        "XCORR": _GENERATOR.uniform(area.x0, area.x1, count),
        "YCORR": _GENERATOR.uniform(area.y0, area.y1, count),
        "PHA": _GENERATOR.integers(0, 30, count),
    }


@pytest.mark.parametrize("segment", ["FUVA", "FUVB"])
def test_dark_rates_of_every_region(tmp_path: Path, segment: str) -> None:
    stop, rate = 1010.0, 4e-6
    area = ACTIVE_AREAS[segment]
    events = _dark_events(round(rate * area.pixels * stop), stop, segment)
    path = write_corrtag(
        tmp_path / f"ldx001aaq_corrtag_{segment[-1].lower()}.fits",
        events,
        stop,
        segment=segment,
        EXPTYPE="DARK",
    )
    rows = rows_of(extract_file(path), "darks")
    assert len(rows) == 5 * 40
    for region, box in DARK_REGIONS[segment].items():
        mine = [row for row in rows if row["region"] == region]
        assert [row["bin"] for row in mine] == list(range(40))
        assert {row["npix"] for row in mine} == {box.pixels}
        expected = rate * box.pixels * 1000.0
        assert sum(row["all_counts"] for row in mine) == pytest.approx(
            expected, abs=5 * expected**0.5
        )
        kept = sum(row["counts"] for row in mine)
        assert kept == pytest.approx(expected * 20 / 30, abs=5 * expected**0.5)
        mean = np.mean([row["dark"] for row in mine])
        assert mean == pytest.approx(kept / box.pixels / 1000.0)
        assert mean == pytest.approx(rate * 20 / 30, rel=5 / expected**0.5)
    first = rows[1]
    assert first["mjd"] == EXPSTART + 25 / 86400
    assert (first["detector"], first["hvlevel"]) == (segment, 163 if segment == "FUVA" else 169)
    assert (first["latitude"], first["saa_distance"], first["temp"]) == (
        None,
        None,
        None,
    )  # no support file


def test_bad_time_is_no_exposure(tmp_path: Path) -> None:
    """Events of bursts do not count, nor does their time."""
    events = {
        "TIME": np.arange(0.5, 100, 1.0),
        "XCORR": np.full(100, 5000.0),
        "YCORR": np.full(100, 500.0),
        "PHA": np.full(100, 10),
        "DQ": np.where((np.arange(100) >= 30) & (np.arange(100) < 60), 64, 0),
    }
    path = write_corrtag(
        tmp_path / "ldx001aaq_corrtag_a.fits",
        events,
        100.0,
        good=((0.0, 30.0), (60.0, 100.0)),
        EXPTYPE="DARK",
    )
    inner = [row for row in rows_of(extract_file(path), "darks") if row["region"] == "inner"]
    assert [row["exposure"] for row in inner] == [25.0, 5.0, 15.0, 25.0]
    assert [row["counts"] for row in inner] == [25, 5, 15, 25]
    assert {row["dark"] for row in inner} == {1.0 / DARK_REGIONS["FUVA"]["inner"].pixels}


def test_nuv_darks_know_no_pulse_heights(tmp_path: Path, data_dir: Path) -> None:
    count, stop = 50_000, 50.0
    # Pixels are numbered from 0, and each of the 1024 by 1024 counts, those at the edges too.
    events = {
        "TIME": np.sort(_GENERATOR.uniform(0, stop, count)),
        "XCORR": np.floor(_GENERATOR.uniform(0, 1024, count)),
        "YCORR": np.floor(_GENERATOR.uniform(0, 1024, count)),
    }
    events["XCORR"][:4], events["YCORR"][:4] = (0, 0, 1023, 1023), (0, 1023, 0, 1023)
    path = write_corrtag(
        tmp_path / "lb4l02m1q_corrtag.fits", events, stop, segment="N/A", EXPTYPE="DARK"
    )
    found = extract_file(path, None, sample(data_dir, "lb4l02m1q_spt"))
    rows = rows_of(found, "darks")
    assert [(row["detector"], row["region"]) for row in rows] == [("NUV", "all")] * 2
    assert sum(row["counts"] for row in rows) == sum(row["all_counts"] for row in rows) == count
    assert {row["npix"] for row in rows} == {1024 * 1024}
    assert np.mean([row["dark"] for row in rows]) == pytest.approx(
        count / stop / 1024**2, rel=1e-12
    )
    assert {rows.model.__tablename__ for rows in found}.isdisjoint({"stims", "phd", "gain"})


@pytest.mark.parametrize("segment", ["FUVA", "FUVB", "N/A"])
def test_dark_counts_of_every_superpixel(tmp_path: Path, segment: str) -> None:
    detector = "NUV" if segment == "N/A" else segment
    area = ACTIVE_AREAS.get(detector, Box(-0.4, 1023.4, -0.4, 1023.4))
    generator = np.random.default_rng(7)
    count = 20_000
    events = {
        "TIME": np.sort(generator.uniform(0, 100.0, count)),
        "XCORR": generator.uniform(area.x0 + 0.01, area.x1 - 0.01, count),
        "YCORR": generator.uniform(area.y0 + 0.01, area.y1 - 0.01, count),
        "PHA": np.zeros(count, int) if detector == "NUV" else generator.integers(0, 32, count),
        "DQ": np.where(np.arange(count) < 100, 2048, 0),
    }
    events["XCORR"][200:300], events["YCORR"][200:300] = (
        5003.0,
        500.6,
    )  # a hot spot, or outside the NUV detector
    ending = "" if detector == "NUV" else f"_{detector[-1].lower()}"
    good = ((0.5, 60.0), (70.0, 100.0))
    path = write_corrtag(
        tmp_path / f"ldx001aaq_corrtag{ending}.fits",
        events,
        100.0,
        segment=segment,
        good=good,
        EXPTYPE="DARK",
    )
    (row,) = rows_of(extract_file(path), "dark_counts")
    assert (row["detector"], row["mjd"], row["exposure"]) == (detector, EXPSTART, 89.5)
    cells, counts = unpack_counts(row["content"])
    assert row["counts"] == counts.sum() == count - 100 - (100 if detector == "NUV" else 0)
    image = np.zeros((512, 2048, 32), dtype=int)
    image.reshape(-1)[cells] = counts
    x, y = (
        np.rint(events[name][100:].astype(np.float32)).astype(int) for name in ("XCORR", "YCORR")
    )
    inside = x < 1024 if detector == "NUV" else np.full(x.size, True)
    expected = np.zeros_like(image)
    heights = events["PHA"][100:][inside].astype(int)
    np.add.at(expected, (y[inside] // 2, x[inside] // 8, heights), 1)
    assert np.array_equal(image, expected)
    assert len(row["content"]) < 4 * row["counts"]


def test_where_hst_was_is_read_from_the_support_file(tmp_path: Path, data_dir: Path) -> None:
    jitter = fits.getdata(sample(data_dir, "ldngz2szj_jit"), 1)
    start = fits.getval(sample(data_dir, "ldngz2szq_rawacq"), "EXPSTART", 1)
    path = write_corrtag(
        tmp_path / "ldngz2szq_corrtag_a.fits",
        _dark_events(1000, 60.0, "FUVA"),
        60.0,
        EXPTYPE="DARK",
    )
    with fits.open(path, "update") as hdus:
        hdus["EVENTS"].header["EXPSTART"] = start
    support = tmp_path / "ldngz2szq_spt.fits.gz"
    shutil.copy(sample(data_dir, "ldngz2szq_spt"), support)
    row = rows_of(extract_file(path, None, support), "darks")[0]
    assert row["latitude"] == pytest.approx(jitter["Latitude"][0], abs=0.05)
    assert row["longitude"] == pytest.approx(jitter["Longitude"][0], abs=0.5)
    assert row["temp"] == fits.getval(support, "LDCAMPAT", 2)
    assert row["saa_distance"] is not None


@pytest.mark.parametrize("segment", ["FUVA", "FUVB"])
def test_stims_where_they_are(tmp_path: Path, segment: str) -> None:
    stop = 600.0
    times = np.arange(0.25, stop, 0.5)
    (x1, y1), (x2, y2) = STIM_POSITIONS[segment]
    drift = times / stop * 10
    events = {
        "TIME": np.concatenate([times, times, times]),
        "RAWX": np.concatenate([x1 + 7 + drift, x2 - 5 + 0 * times, np.full(times.size, 8000)]),
        "RAWY": np.concatenate([y1 - 4 + 0 * times, y2 + 3 + 0 * times, np.full(times.size, 500)]),
    }
    path = write_corrtag(
        tmp_path / f"ldx001aaq_corrtag_{segment[-1].lower()}.fits", events, stop, segment=segment
    )
    rows = rows_of(extract_file(path), "stims")
    assert [row["time"] for row in rows] == [0.0, 120.0, 240.0, 360.0, 480.0]
    for step, row in enumerate(rows):
        assert row["abs_time"] == EXPSTART + 120.0 * step / 86400
        assert row["stim1_x"] == pytest.approx(x1 + 7 + 2 * step + 0.5, abs=0.05)
        assert (row["stim1_y"], row["stim2_x"], row["stim2_y"]) == (y1 - 4, x2 - 5, y2 + 3)
        assert (row["stim1_counts"], row["stim2_counts"], row["counts"]) == (240, 240, 480)


def test_stim_that_is_not_there_is_null(tmp_path: Path) -> None:
    events = {"TIME": np.array([5.0]), "RAWX": np.array([389]), "RAWY": np.array([984])}
    (row,) = rows_of(
        extract_file(write_corrtag(tmp_path / "ldx001aaq_corrtag_a.fits", events, 150.0)), "stims"
    )
    assert (row["stim1_x"], row["stim1_counts"]) == (389.0, 1)
    assert (row["stim2_x"], row["stim2_y"], row["stim2_counts"]) == (None, None, 0)


def test_real_stims_are_where_calcos_found_them(data_dir: Path) -> None:
    path = sample(data_dir, "ld9m10ujq_corrtag_a")
    header = fits.getheader(path, 1)
    rows = rows_of(extract_file(path), "stims")
    assert len(rows) == 15
    for column, keyword in (
        ("stim1_x", "STIMA_LX"),
        ("stim1_y", "STIMA_LY"),
        ("stim2_x", "STIMA_RX"),
        ("stim2_y", "STIMA_RY"),
    ):
        assert np.mean([row[column] for row in rows]) == pytest.approx(header[keyword], abs=0.3)


def test_pulse_heights_and_gain_have_the_peak_that_was_put_in(tmp_path: Path) -> None:
    x, y = 5000, 480
    gains = {0: 11.3, 1: 6.6, 2: 2.7}
    parts = []
    for place, gain in gains.items():
        heights = np.clip(np.rint(_GENERATOR.normal(gain, 1.05, 4000)), 0, 31)
        parts.append((np.full(4000, x + 8 * place + 3.0), np.full(4000, y + 0.6), heights))
    parts.append((np.full(20, 6000.0), np.full(20, 480.0), np.full(20, 11)))  # too few for a gain
    parts.append((np.full(500, 389.0), np.full(500, 980.0), np.full(500, 11)))  # a stim
    columns = dict(
        zip(("XCORR", "YCORR", "PHA"), map(np.concatenate, zip(*parts, strict=True)), strict=True)
    )
    found = extract_file(
        write_corrtag(
            tmp_path / "ldx001aaq_corrtag_a.fits",
            {"TIME": np.linspace(0, 99, 12520), **columns},
            100.0,
        )
    )
    rows = {row["x"]: row for row in rows_of(found, "gain")}
    assert sorted(rows) == [625, 626, 627]
    for place, gain in gains.items():
        row = rows[625 + place]
        assert (row["y"], row["counts"], row["dethv"], row["segment"]) == (240, 4000, 163, "FUVA")
        assert row["gain"] == pytest.approx(gain, abs=0.15 if gain < 3 else 0.05)
        # Of a narrow peak, that of its centre.
        assert row["charge"] == pytest.approx(4000e-12 * 10 ** ((gain - 11.75) / 20.5), rel=0.02)
    (phd,) = rows_of(found, "phd")
    expected = np.bincount(
        np.concatenate([part[2] for part in parts[:-1]]).astype(int), minlength=32
    )
    assert [phd[f"pha_{height}"] for height in range(32)] == expected.tolist()
    assert (phd["counts"], phd["hvlevel"], phd["life_adj"]) == (12020, 163, 4)


def test_accumulated_histogram_has_four_heights_in_one(tmp_path: Path) -> None:
    path = tmp_path / "ldx001aaq_pha_a.fits"
    primary = fits.PrimaryHDU()
    primary.header.update({"ROOTNAME": "ldx001aaq", "DETECTOR": "FUV", "OBSMODE": "ACCUM"})
    fits.HDUList([primary, fits.ImageHDU(np.arange(128, dtype=np.int32), name="PHA")]).writeto(path)
    (row,) = rows_of(extract_file(path), "phd")
    assert [row["pha_0"], row["pha_31"], row["counts"]] == [
        0 + 1 + 2 + 3,
        124 + 125 + 126 + 127,
        128 * 127 // 2,
    ]


def test_damaged_pulse_height_is_refused(tmp_path: Path) -> None:
    events = {"TIME": np.array([5.0]), "PHA": np.array([200])}
    path = write_corrtag(tmp_path / "ldx001aaq_corrtag_a.fits", events, 150.0)
    with pytest.raises(PermanentError, match="PHA of EVENTS has 200"):
        extract_file(path)


@pytest.mark.parametrize("mode", ["TIME-TAG", "ACCUM"])
def test_cumulative_image_has_the_gain_that_was_put_in(tmp_path: Path, mode: str) -> None:
    """No such file is public: one as the Data Handbook describes it, with bytes for pixels."""
    name = f"l_2017300120000_{'00' if mode == 'TIME-TAG' else '02'}_163_cci"
    path = tmp_path / f"{name}.fits.gz"
    heights = np.exp(-0.5 * ((np.arange(32) - 11.3) / 1.05) ** 2)
    primary = fits.PrimaryHDU()
    primary.header.update({"SEGMENT": "FUVA", "EXPSTART": 58053.5, "DETHV": 163})
    members = fits.BinTableHDU.from_columns([fits.Column("ROOTNAME", "24A", array=["ldx001aaq"])])
    with igzip.open(path, "wb", compresslevel=0) as out:
        out.write(_content(primary, members))
        for height in range(32):
            image = np.zeros((1024, 16384), np.uint8)
            image[480:482, 5000:5008] = round(10 * heights[height])  # one superpixel
            image[500:502, 400:408] = 9  # outside the active area
            out.write(_content(fits.PrimaryHDU(), fits.ImageHDU(image))[2880:])
    (row,) = rows_of(extract_file(path), "gain")
    assert (row["x"], row["y"], row["segment"], row["dethv"]) == (625, 240, "FUVA", 163)
    counts = [16 * round(10 * height) for height in heights]
    assert row["counts"] == sum(counts)
    # An event of pulse height 11.75 has 1e-12 C, one of 32.25 ten times that.
    charge = sum(
        count * 1e-12 * 10 ** ((height - 11.75) / 20.5) for height, count in enumerate(counts)
    )
    assert row["charge"] == pytest.approx(charge, rel=1e-12)
    assert row.get("gain") == (pytest.approx(11.3, abs=0.03) if mode == "TIME-TAG" else None)
    assert (row["expstart"], row["rootname"]) == (58053.5, name)


def _content(*hdus: object) -> bytes:
    out = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(out)
    return out.getvalue()
