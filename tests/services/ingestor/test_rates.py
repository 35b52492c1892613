"""Peak rates and good times of events whose truth is known, and rates of stripes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from shared.cos.detector import ACTIVE_AREAS, STIM_POSITIONS
from tests.services.ingestor.bench import extract_file, rows_of, sample
from tests.services.ingestor.events import EXPSTART, write_corrtag


def _row(path: Path) -> dict[str, Any]:
    (row,) = rows_of(extract_file(path), "event_rates")
    return row


def _events(*groups: tuple[int, float, float, float, float]) -> dict[str, np.ndarray]:
    """Return the events of groups: how many, from when to when, evenly; where."""
    parts = [
        (np.linspace(begin, end, count, endpoint=False), np.full(count, x), np.full(count, y))
        for count, begin, end, x, y in groups
    ]
    columns = map(np.concatenate, zip(*parts, strict=True))
    return dict(zip(("TIME", "XCORR", "YCORR"), columns, strict=True))


@pytest.mark.parametrize("segment", ["FUVA", "FUVB"])
def test_brightest_second_and_place_of_the_fuv(tmp_path: Path, segment: str) -> None:
    """Two pixels by two are one place; stims, and what is outside the active area, are none."""
    (stim_x, stim_y), _ = STIM_POSITIONS[segment]
    area = ACTIVE_AREAS[segment]
    events = _events(
        (300, 0.0, 100.0, 5000.0, 480.0),
        (300, 0.0, 100.0, 5001.4, 481.4),
        (500, 0.0, 100.0, 5002.0, 480.0),  # the place beside it
        (90, 42.0, 43.0, 9000.0, 500.0),
        (4000, 0.0, 100.0, stim_x, stim_y),
        (4000, 7.0, 8.0, area.x1 + 20.0, 500.0),
    )
    path = tmp_path / f"ldx001aaq_corrtag_{segment[-1].lower()}.fits"
    row = _row(write_corrtag(path, events, 100.0, segment=segment))
    assert (row["segment"], row["expstart"]) == (segment, EXPSTART)
    assert (row["second_counts"], row["second_start"]) == (90 + 11, 42.0)
    assert (row["local_counts"], row["local_x"], row["local_y"]) == (600, 5000.5, 480.5)
    assert row["local_rate"] == pytest.approx(600 / 4 / 100.0)


def test_a_pixel_of_the_nuv_is_a_place_and_the_whole_detector_counts(tmp_path: Path) -> None:
    events = _events(
        (400, 0.0, 10.0, 0.0, 1023.0), (300, 0.0, 10.0, 1.0, 1023.0), (50, 3.0, 4.0, 1023.0, 0.0)
    )
    row = _row(write_corrtag(tmp_path / "lb4l02m1q_corrtag.fits", events, 10.0, segment="N/A"))
    assert (row["segment"], row["local_counts"], row["local_x"], row["local_y"]) == (
        "NUV",
        400,
        0.0,
        1023.0,
    )
    assert (row["local_rate"], row["second_counts"], row["second_start"]) == (
        40.0,
        40 + 30 + 50,
        3.0,
    )


def test_flashes_of_lamps_are_no_light_of_sources(tmp_path: Path) -> None:
    """Whole seconds with a lamp are left out, and their time is.

    Where a lamp shone all the time nothing is left.
    """
    events = _events((200, 0.0, 100.0, 5000.0, 480.0), (3000, 20.5, 27.3, 7000.0, 560.0))
    path = tmp_path / "ldx001aaq_corrtag_a.fits"
    row = _row(write_corrtag(path, events, 100.0, flashes=((20.5, 27.3),)))
    assert row["second_counts"] == 2
    assert (row["local_counts"], row["local_x"]) == (2 * 92, 5000.5)
    assert row["local_rate"] == pytest.approx(184 / 4 / 92.0)
    path.unlink()
    row = _row(write_corrtag(path, events, 100.0, flashes=((0.0, 60.0), (50.0, 101.0))))
    assert {
        row.get(name) for name in ("second_counts", "second_start", "local_counts", "local_rate")
    } == {None}
    assert row["good_time"] == 100.0


def test_bursts_are_of_the_brightest_second_and_not_of_the_place(tmp_path: Path) -> None:
    events = _events((100, 0.0, 100.0, 5000.0, 480.0), (4000, 30.0, 40.0, 7000.0, 480.0))
    events["DQ"] = np.where((events["TIME"] >= 30.0) & (events["TIME"] < 40.0), 64, 0)
    left = ((0.0, 30.0), (40.0, 100.0))
    row = _row(write_corrtag(tmp_path / "ldx001aaq_corrtag_a.fits", events, 100.0, left=left))
    assert (row["second_counts"], row["local_counts"]) == (401, 90)
    assert row["local_rate"] == pytest.approx(90 / 4 / 90.0)
    assert [
        row[name] for name in ("exptime", "good_time", "intervals", "raw_time", "raw_intervals")
    ] == [
        90.0,
        90.0,
        2,
        100.0,
        1,
    ]


def test_good_time_is_what_calcos_left_of_it(tmp_path: Path) -> None:
    """Dark rates are over that time too."""
    events = _events((100, 0.0, 100.0, 5000.0, 500.0))
    events["PHA"], events["DQ"] = np.full(100, 10), np.where(events["TIME"] < 25.0, 2048, 0)
    path = tmp_path / "ldx001aaq_corrtag_a.fits"
    write_corrtag(path, events, 100.0, left=((25.0, 100.0),), EXPTYPE="DARK")
    inner = [row for row in rows_of(extract_file(path), "darks") if row["region"] == "inner"]
    assert [(row["exposure"], row["counts"]) for row in inner] == [
        (0.0, 0),
        (25.0, 25),
        (25.0, 25),
        (25.0, 25),
    ]


@pytest.mark.parametrize("left", [(), ((5.0, 5.0),)])
def test_no_good_time_is_no_rate(tmp_path: Path, left: tuple[tuple[float, float], ...]) -> None:
    events = _events((100, 0.0, 10.0, 5000.0, 480.0))
    row = _row(write_corrtag(tmp_path / "ldx001aaq_corrtag_a.fits", events, 10.0, left=left))
    assert (row["good_time"], row["intervals"], row["raw_time"], row["second_counts"]) == (
        0.0,
        len(left),
        10.0,
        10,
    )
    assert row.get("local_rate") is None


@pytest.mark.parametrize(("count", "counts"), [(0, None), (1, 1)])
def test_no_event_and_one(tmp_path: Path, count: int, counts: int | None) -> None:
    events = _events((count, 5.5, 6.0, 5000.0, 480.0))
    row = _row(write_corrtag(tmp_path / "ldx001aaq_corrtag_a.fits", events, 10.0))
    assert (row.get("second_counts"), row.get("local_counts")) == (counts, counts)
    assert row.get("local_rate") == (None if counts is None else 1 / 4 / 10.0)
    assert row.get("second_start") == (None if counts is None else 5.0)


def test_nonsense_among_the_events_is_nowhere(tmp_path: Path) -> None:
    events = _events((10, 0.0, 10.0, 5000.0, 480.0))
    events["TIME"][:3] = np.nan, -1.0, 1e30
    events["XCORR"][3:5] = np.nan, np.inf
    row = _row(write_corrtag(tmp_path / "ldx001aaq_corrtag_a.fits", events, 10.0))
    assert (row["second_counts"], row["local_counts"]) == (1, 5)


def test_an_accumulated_exposure_has_places_and_no_seconds(tmp_path: Path) -> None:
    """CalCOS makes up events of its image, in the middle of the exposure."""
    events = _events((500, 50.0, 50.0, 512.0, 400.0), (30, 50.0, 50.0, 600.0, 400.0))
    path = write_corrtag(
        tmp_path / "lb4l02m1q_corrtag.fits", events, 100.0, segment="N/A", OBSMODE="ACCUM"
    )
    found = extract_file(path)
    row = _row(path)
    assert (row.get("second_counts"), row["local_counts"], row["local_rate"]) == (None, 500, 5.0)
    assert {rows.model.__tablename__ for rows in found}.isdisjoint(
        {"darks", "stims", "phd", "gain"}
    )


def test_real_exposure_has_what_its_events_say(data_dir: Path) -> None:
    path = sample(data_dir, "ld9m10ujq_corrtag_a")
    row = _row(path)
    events, header = fits.getdata(path, 1), fits.getheader(path, 1)
    assert (row["exptime"], row["good_time"]) == (
        header["EXPTIME"],
        pytest.approx(header["EXPTIME"]),
    )
    assert (row["raw_intervals"] - 1, header["NINTERPT"]) == (0, 0)
    second = events["TIME"].astype(int)
    mine = ACTIVE_AREAS["FUVA"].contains(events["XCORR"], events["YCORR"])
    counts = np.bincount(second[mine])
    for flash in (1, 2, 3):
        counts[int(header[f"LMP_ON{flash}"]) : int(np.ceil(header[f"LMPOFF{flash}"]))] = 0
    assert (row["second_counts"], row["second_start"]) == (counts.max(), counts.argmax())
    near = (np.abs(events["XCORR"] - row["local_x"]) < 1.0) & (
        np.abs(events["YCORR"] - row["local_y"]) < 1.0
    )
    assert (
        np.count_nonzero(near & (counts[second] > 0) & (events["DQ"] & (64 | 2048) == 0))
        == row["local_counts"]
    )
    assert row["local_rate"] == pytest.approx(row["local_counts"] / 4 / header["EXPTIME"], rel=0.03)


def test_rates_of_segments_are_sums_of_gross_rates(data_dir: Path) -> None:
    path = sample(data_dir, "ld9m10ujq_x1d")
    table = fits.getdata(path, 1)
    (row,) = rows_of(extract_file(path), "data")
    sums = zip(table["SEGMENT"], table["GROSS"].sum(axis=1), strict=True)
    expected = {f"gross_{name.strip()[-1].lower()}": total for name, total in sums}
    assert {"gross_a": row["gross_a"], "gross_b": row["gross_b"]} == pytest.approx(expected)
    assert row.get("gross_c") is None
