"""The instrument's dated history, against single known facts."""

import pytest

from shared.cos.instrument_history import aperture_position, high_voltage, lifetime_position, volts


@pytest.mark.parametrize(
    ("mjd", "grating", "cenwave", "number"),
    [
        (55000.0, "G130M", 1291, 1),
        (56130.9, "G160M", 1577, 1),
        (56131.0, "G160M", 1577, 2),
        (57100.0, "G130M", 1291, 3),
        (57100.0, "G130M", 1096, 2),
        (58100.0, "G140L", 1105, 4),
        (59600.0, "G130M", 1291, 5),
        (59600.0, "G130M", 1222, 4),
        (59900.0, "G160M", 1577, 6),
        (59900.0, "G130M", 1291, 5),
        (61000.0, "G130M", 1291, 7),
        (59900.0, "G185M", 1850, 1),
    ],
)
def test_lifetime_positions(mjd: float, grating: str, cenwave: int, number: int) -> None:
    assert lifetime_position(mjd, grating, cenwave).number == number


def test_high_voltage() -> None:
    assert [high_voltage("FUVA", mjd) for mjd in (54962.0, 56012.0, 57062.0, 58028.0)] == [
        169,
        178,
        167,
        163,
    ]
    assert [high_voltage("FUVB", mjd) for mjd in (55629.9, 55630.0, 57700.0)] == [167, 175, 175]


@pytest.mark.parametrize(
    ("level", "volt"),
    [
        (163, -5057.47),
        (167, -5120.23),
        (169, -5151.61),
        (175, -5245.75),
        (178, -5292.82),
        (100, -4069.00),
    ],
)
def test_volts(level: int, volt: float) -> None:
    """Nominal voltages of real headers."""
    assert volts(level) == pytest.approx(volt, abs=0.005)


def test_aperture_positions() -> None:
    assert aperture_position("PSA", 3, "FUV") == pytest.approx(181.1)
    assert aperture_position("PSA", 3, "NUV") == pytest.approx(126.1)
    assert aperture_position("N/A", 4, "FUV") == pytest.approx(234.1)
