"""Events that are held by column are treated, and end in their file, as those that lie in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from calcos import ccos
from numpy.typing import NDArray

from services.calibrator.acceleration.event_columns import can_gather, gather, put_back

from .conftest import same_bits

FORMATS = {
    "TIME": "E",
    "XDOPP": "E",
    "RAWX": "I",
    "XCORR": "E",
    "YCORR": "E",
    "EPSILON": "E",
    "DQ": "I",
    "PHA": "B",
}


def _file(path: Path, count: int) -> None:
    """Write events, with not-a-number, infinite and largest values among them."""
    random = np.random.default_rng(count)
    columns = []
    for name, form in FORMATS.items():
        array: NDArray[Any]
        if form == "E":
            array = random.normal(500, 300, count).astype(np.float32)
            if name not in (
                "XCORR",
                "YCORR",
            ):  # compiled functions take those for places in an image
                array[::41], array[5::43], array[7::47] = np.nan, np.inf, np.finfo(np.float32).max
        else:
            array = random.integers(0, 32 if form == "B" else 32_767, count, endpoint=True)
        columns.append(fits.Column(name, form, array=array))
    fits.BinTableHDU.from_columns(columns, name="EVENTS").writeto(path)


def _in_numpy(events: Any) -> list[Any]:
    x, y, dq, dopp = (events.field(name) for name in ("xcorr", "YCORR", "dq", "xdopp"))
    answers = [
        x.sum(),
        y.mean(dtype=np.float64),
        dopp.min(initial=0),
        (dopp >= 400.0) & (y < 600.0),
        x - dopp,
    ]
    events["xcorr"] = np.where(y > 300.0, x + np.float32(0.1), x)
    y[dq > 100] *= 1.0000001
    dq |= 8
    events["epsilon"][:] = 1.0 / (1.0 + np.abs(dopp))
    return answers


def _in_compiled_functions(events: Any) -> list[Any]:
    """Let compiled functions set flags, which get lost because the columns are not in the
    processor's byte order.
    """
    x, y, dq, before = (
        events.field("xcorr"),
        events.field("ycorr"),
        events.field("dq"),
        events.field("dq").copy(),
    )
    low, high = np.full((1024, 1024), 4, np.int16), np.full((1024, 1024), 20, np.int16)
    rejected = ccos.pha_check(x, y, events.field("pha").astype(np.int16), dq, low, high, 512)
    assert len(x) < 1000 or min(rejected) > 0
    assert same_bits(before, dq)
    counts = np.zeros((64, 96), dtype=np.float32)
    ccos.binevents(x, y, counts, 0, dq, 16, events.field("epsilon"))
    return [rejected, counts]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("treat", [_in_numpy, _in_compiled_functions])
@pytest.mark.parametrize("count", [0, 1, 7, 65_536, 70_001])
def test_files_and_answers_are_the_same(
    tmp_path: Path, count: int, treat: Callable[[Any], list[Any]]
) -> None:
    written, answers = [], []
    for number, by_column in enumerate((False, True)):
        path = tmp_path / f"{number}.fits"
        _file(path, count)
        with fits.open(path, mode="update") as hdus:
            events = hdus["EVENTS"].data
            if by_column:
                gather(events)
                assert count == 0 or not np.shares_memory(
                    events.field("XCORR"), events.view(np.ndarray)
                )
            answers.append(treat(events))
            if by_column:
                put_back(events)
                put_back(events)  # as after an error later on
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert all(same_bits(*both) for both in zip(*answers, strict=True))


@pytest.mark.parametrize("order", ["<", ">"])
def test_columns_keep_their_byte_order(order: str) -> None:
    rows = np.zeros(
        9, dtype=[("A", f"{order}f4"), ("B", f"{order}i2"), ("C", "u1"), ("D", f"{order}f4", (3,))]
    )
    rows["D"] = np.arange(27).reshape(9, 3)
    events = rows.view(fits.FITS_rec)
    gather(events)
    for name in ("A", "B", "C", "D"):
        assert same_bits(events.field(name), rows[name])
        assert events.field(name).dtype == rows[name].dtype
    assert np.shares_memory(events.field("C"), rows)


@pytest.mark.parametrize(
    ("column", "cards"),
    [
        (fits.Column("TIME", "E", array=np.arange(3.0)), {"TSCAL2": 2.0}),
        (fits.Column("TIME", "I", array=np.arange(3)), {"TZERO2": 32768}),
        (fits.Column("TIME", "2E", array=np.ones((3, 2))), {}),
        (fits.Column("TIME", "E", dim="(1)", array=np.ones(3)), {}),
        (fits.Column("TIME", "4A", array=["a", "b", "c"]), {}),
        (fits.Column("TIME", "L", array=[True, False, True]), {}),
        (fits.Column("TIME", "PE()", array=np.array([np.arange(n) for n in range(3)], object)), {}),
        (fits.Column("time", "E", array=np.arange(3.0)), {"TTYPE1": "TIME"}),
    ],
)
def test_other_tables_stay_in_their_file(
    tmp_path: Path, column: fits.Column, cards: dict[str, Any]
) -> None:
    path = tmp_path / "events.fits"
    first = fits.Column("DQ", "I", array=np.arange(3))
    fits.BinTableHDU.from_columns([first, column]).writeto(path)
    for keyword, value in cards.items():
        fits.setval(path, keyword, value=value, ext=1)
    assert not can_gather(fits.getdata(path))
