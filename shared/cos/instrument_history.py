"""Dated facts of the instrument: lifetime positions, high voltage, the aperture block, guiding.

Everything here happened; sources stand with each table.
"""

from dataclasses import dataclass
from typing import Final, Literal

__all__ = [
    "ANNOTATIONS",
    "APERTURE_STEPS",
    "FGS_BREAKS",
    "HIGH_VOLTAGE",
    "LIFETIME_POSITIONS",
    "Annotation",
    "LifetimePosition",
    "Segment",
    "Topic",
    "aperture_position",
    "high_voltage",
    "lifetime_position",
    "volts",
]

Segment = Literal["FUVA", "FUVB"]
Topic = Literal["FUV", "pointing", "acquisition"]


@dataclass(frozen=True)
class LifetimePosition:
    """A place on the FUV detector where spectra are put.

    Parameters
    ----------
    number
        LIFE_ADJ.
    offset
        Distance from the first position across dispersion in arcsec.
    start
        MJD of the first use.
    settings
        Gratings, or central wavelengths in Angstrom, that moved there; empty for all.
    """

    number: int
    offset: float
    start: float
    settings: tuple[str | int, ...] = ()


LIFETIME_POSITIONS: Final = (
    LifetimePosition(1, 0.0, 54962.0),
    LifetimePosition(2, 3.5, 56131.0),
    LifetimePosition(3, -2.5, 57062.0, ("G160M", "G140L", 1222, 1291, 1300, 1309, 1318, 1327)),
    LifetimePosition(4, -5.0, 58028.0, ("G160M", "G140L", 1222, 1291, 1300, 1309, 1318, 1327)),
    LifetimePosition(5, 5.4, 59491.0, (1291, 1300, 1309, 1318, 1327)),
    LifetimePosition(6, 6.5, 59855.0, ("G160M",)),
    LifetimePosition(7, 8.3, 60980.0, (1291, 1300, 1309, 1318, 1327)),
)
"""In the order of their first use: 2009-05-11, 2012-07-23, 2015-02-09, 2017-10-02, 2021-10-04,
2022-10-03, 2025-11-01. Source: COS Data Handbook, table A.1."""

HIGH_VOLTAGE: Final[dict[Segment, tuple[tuple[float, int], ...]]] = {
    "FUVA": (
        (55055.0, 169),
        (56012.0, 178),
        (56131.0, 167),
        (56964.0, 173),
        (57062.0, 167),
        (58028.0, 163),
    ),
    "FUVB": (
        (55055.0, 167),
        (55630.0, 175),
        (56131.0, 163),
        (56467.0, 169),
        (56859.0, 175),
        (57062.0, 163),
        (57405.0, 169),
        (57678.0, 175),
        (58028.0, 163),
    ),
}
"""MJD, and the nominal commanded level from then on.

The first from 2009-08-12. Source: the history in the
``peewee4cosmo`` monitors, with the date of 2011-03-10 from the STScI Analysis Newsletter of March
2011. It ends in 2017: later levels are known from exposures alone."""

APERTURE_STEPS: Final[dict[str, dict[int, int]]] = {
    "PSA": {1: 126, 2: 53, 3: 181, 4: 234, 5: 13, 6: -11, 7: -49},
    "BOA": {1: -153, 2: -226, 3: -98, 4: -45, 5: -226, 6: -98, 7: -98},
    "WCA": {1: 126, 2: 53, 3: 181, 4: 234, 5: 13, 6: 22, 7: 32},
}
"""Nominal cross-dispersion step of the aperture block by aperture and lifetime position, FUV.

FCA as BOA.
Source: the aperture monitor of ``spacetelescope/cosmo``; NUV exposures use the first position."""

FGS_BREAKS: Final[dict[str, tuple[str, ...]]] = {
    "F1": ("2011.172", "2013.205", "2014.055", "2019.352", "2020.150"),
    "F2": ("2013.205", "2014.055", "2015.327", "2016.123", "2019.352", "2020.150"),
    "F3": ("2019.352", "2020.150"),
}
"""When the alignment of a fine guidance sensor was set again, as year and day of year. Source: the
V2V3 monitor of ``spacetelescope/cosmo``; FGS 2 was not used from 2015.327 to 2016.123."""


@dataclass(frozen=True)
class Annotation:
    """Something that happened once and shows in what is measured.

    Parameters
    ----------
    mjd
        When.
    text
        What, as figures say it.
    topics
        What it concerns.
    source
        Where it is known from.
    """

    mjd: float
    text: str
    topics: tuple[Topic, ...]
    source: str


_SUSPEND = "STScI's note on the suspension of COS of 2012-04-30"
_V2V3 = "V2V3 monitor of ``spacetelescope/cosmo``"
_PEAKXD = "PEAKXD monitor of ``spacetelescope/cosmo``"

ANNOTATIONS: Final = (
    Annotation(55733.0, "FGS realigned", ("pointing",), _V2V3),
    Annotation(55767.0, "FGS2 in use", ("pointing",), _V2V3),
    Annotation(56047.0, "FUVA shut off", ("FUV",), _SUSPEND),
    Annotation(56497.0, "FGS realigned", ("pointing",), _V2V3),
    Annotation(56712.0, "SIAF update", ("pointing",), _V2V3),
    Annotation(57349.0, "FGS2 off", ("pointing",), _V2V3),
    Annotation(57510.0, "FGS2 on", ("pointing",), _V2V3),
    Annotation(58025.0, "Gaia guide stars", ("pointing",), _V2V3),
    Annotation(58028.0, "PEAKXD algorithm", ("acquisition",), _PEAKXD),
    Annotation(58835.0, "FGS realigned", ("pointing",), _V2V3),
    Annotation(58998.0, "FHST aligned", ("pointing",), _V2V3),
    Annotation(59275.0, "F1G gyro hybrid", ("pointing",), _V2V3),
    Annotation(59284.0, "normal gyros", ("pointing",), _V2V3),
    Annotation(59359.0, "gyro hybrid low", ("pointing",), _V2V3),
    Annotation(59419.0, "gyro hybrid high", ("pointing",), _V2V3),
    Annotation(60475.0, "reduced-gyro mode", ("pointing",), _V2V3),
)
"""In the order of their dates.

Those of pointing are days of `FGS_BREAKS` and other events that the monitor marks.
"""


def lifetime_position(mjd: float, grating: str, cenwave: int) -> LifetimePosition:
    """Return the lifetime position of a setting at a time.

    The first one for NUV settings, which never move.

    Parameters
    ----------
    mjd
        MJD UTC.
    grating
        OPT_ELEM.
    cenwave
        CENWAVE in Angstrom.
    """
    if grating not in ("G130M", "G160M", "G140L"):
        return LIFETIME_POSITIONS[0]
    current = LIFETIME_POSITIONS[0]
    for position in LIFETIME_POSITIONS:
        concerned = (
            not position.settings or grating in position.settings or cenwave in position.settings
        )
        if position.start <= mjd and concerned:
            current = position
    return current


def high_voltage(segment: Segment, mjd: float) -> int:
    """Return the nominal commanded level of a segment at a time (MJD)."""
    return next(
        (level for date, level in reversed(HIGH_VOLTAGE[segment]) if date <= mjd),
        HIGH_VOLTAGE[segment][0][1],
    )


def volts(level: float) -> float:
    """Return the high voltage in V of a commanded level. Source: ``peewee4cosmo``.

    Exact to 0.01 V in five real headers.
    """
    return -(2500.0 + 15.69 * level)


def aperture_position(aperture: str, life_adj: int, detector: str) -> float:
    """Return the nominal cross-dispersion step of the aperture block, with the fraction that
    telemetry shows.
    """
    steps = APERTURE_STEPS[{"FCA": "BOA", "N/A": "PSA"}.get(aperture, aperture)]
    return steps[life_adj if detector == "FUV" else 1] + 0.1
