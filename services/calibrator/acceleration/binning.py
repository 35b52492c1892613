"""Events to pixels, as CalCOS's compiled ``binevents`` does it, without an image in between."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from calcos import ccos
from numpy.typing import NDArray

from services.calibrator.acceleration.forms import is_array

__all__ = ["EventPixels", "bins_alike", "can_bin", "image", "locate"]

_FLOAT32_WHOLE = 1 << 24
"""Largest whole number up to which float32 counts by ones; adding 1 to it changes nothing."""


@dataclass(frozen=True)
class EventPixels:
    """Which pixels good events fall into.

    Attributes
    ----------
    pixels
        Index into the flattened image of each pixel with events, ascending; (number of pixels,).
    event_pixel
        For each good event, in order, the position of its pixel in `pixels`.
    good
        For each event, whether it is good and inside the image.
    """

    pixels: NDArray[np.int64]
    event_pixel: NDArray[np.int64]
    good: NDArray[np.bool_]

    def counts(self) -> NDArray[np.float32]:
        """Count the events of each pixel, float32."""
        numbers = np.bincount(self.event_pixel, minlength=self.pixels.size)
        return np.minimum(numbers, _FLOAT32_WHOLE).astype(np.float32)

    def sums(self, weights: NDArray[Any]) -> NDArray[np.float32]:
        """Add up the weights of each pixel, float32, in the order of the events."""
        total = np.zeros(self.pixels.size, dtype=np.float32)
        np.add.at(total, self.event_pixel, np.asarray(weights, dtype=np.float32)[self.good])
        return total


def can_bin(x: Any, y: Any, dq: Any, epsilon: Any = None) -> bool:
    """Return whether the columns of events are of the types that the compiled function takes as
    they are, and of one length.

    It refuses wider types, and converts narrower ones.
    """
    floats = [x, y] if epsilon is None else [x, y, epsilon]
    if not (is_array(dq, "i2") and all(is_array(column, "f4") for column in floats)):
        return False
    return all(len(column) == len(dq) for column in floats)


def locate(
    x: NDArray[Any],
    y: NDArray[Any],
    shape: tuple[int, int],
    x_offset: int,
    dq: NDArray[Any],
    bad_flags: int,
) -> EventPixels:
    """Find the pixel of each event.

    The compiled function rounds by ``floor(v + 0.5)`` in double precision, after the offset was
    added to x in single precision, and leaves out events outside the image or with a serious flag;
    not-a-number is outside.

    Parameters
    ----------
    x, y
        Pixel coordinates of the events.
    shape
        Rows and columns of the image.
    x_offset
        Column of the image where x is 0.
    dq
        Flags of the events.
    bad_flags
        Flags that exclude an event.
    """
    rows, columns = shape
    column = np.floor(
        (np.asarray(x, dtype=np.float32) + np.float32(x_offset)).astype(np.float64) + 0.5
    )
    row = np.floor(np.asarray(y, dtype=np.float32).astype(np.float64) + 0.5)
    good = (np.asarray(dq, dtype=np.int16) & np.int16(bad_flags)) == 0
    good &= (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    flat = row[good].astype(np.int64) * columns + column[good].astype(np.int64)
    # Marks and a look-up by pixel take a fraction of the time of sorting the events.
    occupied = np.zeros(rows * columns, dtype=bool)
    occupied[flat] = True
    pixels = np.flatnonzero(occupied)
    position = np.empty(rows * columns, dtype=np.int32)
    position[pixels] = np.arange(pixels.size, dtype=np.int32)
    return EventPixels(pixels, position[flat].astype(np.int64), good)


def image(
    events: EventPixels, values: NDArray[np.float32], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the image, float32, with `values` at the pixels that hold events and zero elsewhere."""
    flat = np.zeros(shape[0] * shape[1], dtype=np.float32)
    flat[events.pixels] = values
    return flat.reshape(shape)


def bins_alike() -> bool:
    """Return whether the compiled binning that is installed, whose source is not at hand to be
    hashed, does the same here.
    """
    random = np.random.default_rng(1)
    shape, x_offset, flag = (16, 32), 3, 64
    x = random.uniform(-6, 34, 2000).astype(np.float32)
    y = random.uniform(-3, 19, 2000).astype(np.float32)
    x[::7], y[::5] = np.round(x[::7]) + np.float32(0.5), np.round(y[::5]) - np.float32(0.5)
    x[:3], y[3:6] = (np.nan, np.inf, -np.inf), (np.nan, np.inf, -np.inf)
    dq = random.choice([0, 1, flag], 2000).astype(np.int16)
    weights = random.uniform(0.5, 1.5, 2000).astype(np.float32)
    events = locate(x, y, shape, x_offset, dq, flag)
    counted, weighted = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    ccos.binevents(x, y, counted, x_offset, dq, flag)
    ccos.binevents(x, y, weighted, x_offset, dq, flag, weights)
    return bool(
        np.array_equal(counted, image(events, events.counts(), shape))
        and np.array_equal(weighted, image(events, events.sums(weights), shape))
    )
