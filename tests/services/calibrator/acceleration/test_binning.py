"""Events fall into the pixels that the compiled binning puts them into."""

import numpy as np
from calcos import ccos

from services.calibrator.acceleration.binning import bins_alike, image, locate


def test_random_events(random: np.random.Generator) -> None:
    shape, flag, number = (40, 70), 2624, int(random.choice([0, 1, 5000]))
    x = random.uniform(-9, 75, number).astype(">f4")
    y = random.uniform(-5, 45, number).astype(">f4")
    x[::3] = np.round(x[::3]) + 0.5
    y[::4] = np.round(y[::4]) - 0.5
    for start, value in enumerate((np.nan, np.inf, -np.inf, 3e9, -3e9)):
        x[start::97] = value
        y[start + 11 :: 89] = value
    dq = random.choice([0, 8, 64, 2048, -32768], number).astype(">i2")
    epsilon = random.uniform(0.0, 2.0, number).astype(">f4")
    for x_offset in (0, 5):
        counted, weighted = np.ones(shape, dtype=np.float32), np.ones(shape, dtype=np.float32)
        ccos.binevents(x, y, counted, x_offset, dq, flag)
        ccos.binevents(x, y, weighted, x_offset, dq, flag, epsilon)
        events = locate(x, y, shape, x_offset, dq, flag)
        assert image(events, events.counts(), shape).tobytes() == counted.tobytes()
        assert image(events, events.sums(epsilon), shape).tobytes() == weighted.tobytes()


def test_many_events_in_one_pixel_are_added_in_order() -> None:
    number = 100_000
    x, y = np.full(number, 3.0, dtype=np.float32), np.full(number, 2.0, dtype=np.float32)
    epsilon = np.random.default_rng(1).uniform(0.9, 1.1, number).astype(np.float32)
    dq, summed = np.zeros(number, dtype=np.int16), np.zeros((5, 6), dtype=np.float32)
    ccos.binevents(x, y, summed, 0, dq, 2624, epsilon)
    events = locate(x, y, (5, 6), 0, dq, 2624)
    assert image(events, events.sums(epsilon), (5, 6)).tobytes() == summed.tobytes()


def test_the_compiled_binning_is_the_expected_one() -> None:
    assert bins_alike()
