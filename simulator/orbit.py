"""Orbit of HST over years, and the elements by which a support file gives the same position.

The orbit is a slowly decaying ellipse whose node and perigee drift under the Earth's oblateness.
Its elements at an epoch are written into the primary header of each ``spt`` file; the equation of
the centre by which CalCOS (``calcos.orbit.HSTOrbit``) turns them into a position is the one that is
used here, so both are the same position.
"""

from dataclasses import dataclass
from typing import Final

import erfa
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["DECAY", "Elements", "Orbit", "gmst"]

Floats = NDArray[np.float64]

SECONDS_PER_DAY: Final = 86400.0
_JULIAN = 2400000.5
"""Julian date of MJD 0."""
MJD_1985: Final = 46066.0
"""1985-01-01, from which EPCHTIME counts its seconds."""

_MU = 3.986004418e14
"""Gravity of the Earth in m3 / s2 (IERS Conventions 2010, table 1.1)."""
_EARTH_RADIUS = 6378137.0
"""Equatorial radius in m (GRS 80)."""
_J2 = 1.0826359e-3
"""Oblateness (IERS Conventions 2010, table 1.1)."""
_COS_INCLINATION = 0.8797
"""Mean of COSINCLI over support files of 2010 to 2019: 28.4 degrees."""
_ECCENTRICITY = 0.0006
"""Mean of ECCENTRY over the same files."""

DECAY: Final = (
    (54962.0, 1.7403300e-4),
    (55202.0, 1.7405421e-4),
    (55349.0, 1.7406660e-4),
    (55692.0, 1.7410907e-4),
    (57934.0, 1.7497506e-4),
    (58486.0, 1.7501726e-4),
    (61041.0, 1.7556000e-4),
)
"""MJD, and revolutions per second from node to node (FDMEANAN + RCARGPER): five support files of
2010 to 2019, and the two ends of the mission extrapolated with the altitude of about 560 km in 2009
and 500 km at the end of 2025."""

_NODE_AT_START = 0.62
_LATITUDE_ARGUMENT_AT_START = 0.17
_PERIGEE_AT_START = 0.21


@dataclass(frozen=True)
class Elements:
    """Orbit elements at an epoch, in the units of a support file.

    Parameters
    ----------
    epoch
        MJD.
    mean_anomaly
        Mean anomaly at the epoch, in revolutions.
    mean_motion
        Revolutions per second from perigee to perigee, and its change in revolutions per second
        squared.
    perigee
        Argument of perigee in revolutions, and its rate in revolutions per second.
    node
        Right ascension of the ascending node in revolutions, and its rate in revolutions per
        second.
    semilatus
        Semi-latus rectum in m.
    """

    epoch: float
    mean_anomaly: float
    mean_motion: tuple[float, float]
    perigee: tuple[float, float]
    node: tuple[float, float]
    semilatus: float

    def keywords(self) -> dict[str, float]:
        """Return the keywords of the support file's section ``ONBOARD EPHEMERIS MODEL PARAMETERS``
        that positions depend on.
        """
        e = _ECCENTRICITY
        motion, change = self.mean_motion
        return {
            "EPCHTIME": (self.epoch - MJD_1985) * SECONDS_PER_DAY,
            "SDMEANAN": change,
            "SDMA3SQ": 3.0 * (2.0 * np.pi * change) ** 2,
            "HSTHORB": 0.5 / motion,
            "CIRVELOC": 2.0 * np.pi * motion * self.semilatus / (1.0 - e * e) ** 1.5,
            "COSINCLI": _COS_INCLINATION,
            "ECCENTRY": e,
            "ECCENTX2": 2.0 * e,
            "ECBDX4D3": 4.0 * e**3 / 3.0,
            "ESQDX5D2": 2.5 * e**2,
            "ECBDX3": 3.0 * e**3,
            "FDMEANAN": motion,
            "RCASCNRD": 2.0 * np.pi * self.node[1],
            "RCASCNRV": self.node[1],
            "ARGPERIG": self.perigee[0] % 1.0,
            "MEANANOM": 2.0 * np.pi * (self.mean_anomaly % 1.0),
            "RCARGPER": self.perigee[1],
            "RASCASCN": self.node[0] % 1.0,
            "SINEINCL": float(np.sqrt(1.0 - _COS_INCLINATION**2)),
            "SEMILREC": self.semilatus,
        }


class Orbit:
    """HST's orbit over years.

    Parameters
    ----------
    decay
        Pairs of MJD and revolutions per second from node to node, ascending; the ends are
        extrapolated.
    """

    def __init__(self, decay: tuple[tuple[float, float], ...] = DECAY) -> None:
        self._times, motion = np.asarray(decay, dtype=np.float64).T
        self._motion = motion
        ratio = (_EARTH_RADIUS / self._semilatus(motion)) ** 2
        self._node_rate = -1.5 * _J2 * ratio * motion * _COS_INCLINATION
        self._perigee_rate = 0.75 * _J2 * ratio * motion * (5.0 * _COS_INCLINATION**2 - 1.0)
        self._arguments = self._integral(motion, _LATITUDE_ARGUMENT_AT_START)
        self._nodes = self._integral(self._node_rate, _NODE_AT_START)
        self._perigees = self._integral(self._perigee_rate, _PERIGEE_AT_START)

    @staticmethod
    def _semilatus(motion: Floats) -> Floats:
        """Return the semi-latus rectum in m of a mean motion in revolutions per second (Kepler's
        third law).
        """
        return np.asarray(
            np.cbrt(_MU / (2.0 * np.pi * motion) ** 2) * (1.0 - _ECCENTRICITY**2), dtype=np.float64
        )

    def _integral(self, rate: Floats, start: float) -> Floats:
        """Return the revolutions at the knots of a rate that is linear between them."""
        steps = np.diff(self._times) * SECONDS_PER_DAY * 0.5 * (rate[1:] + rate[:-1])
        return np.concatenate([[start], start + np.cumsum(steps)])

    def _at(self, mjd: Floats, revolutions: Floats, rate: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the angle in revolutions, its rate and its acceleration."""
        piece = np.clip(
            np.searchsorted(self._times, mjd, side="right") - 1, 0, len(self._times) - 2
        )
        elapsed = (mjd - self._times[piece]) * SECONDS_PER_DAY
        slope = (np.diff(rate) / (np.diff(self._times) * SECONDS_PER_DAY))[piece]
        angle = revolutions[piece] + rate[piece] * elapsed + 0.5 * slope * elapsed**2
        return angle, rate[piece] + slope * elapsed, slope

    def position(self, mjd: ArrayLike) -> Floats:
        """Return the geocentric position.

        Parameters
        ----------
        mjd
            Times, MJD UTC, of any shape.

        Returns
        -------
        NDArray
            Equatorial x, y, z in km, along a last axis of length 3.
        """
        radius, along, node = self._polar(np.asarray(mjd, dtype=np.float64))
        sine = np.sqrt(1.0 - _COS_INCLINATION**2)
        x = np.cos(node) * np.cos(along) - _COS_INCLINATION * np.sin(node) * np.sin(along)
        y = np.sin(node) * np.cos(along) + _COS_INCLINATION * np.cos(node) * np.sin(along)
        return np.stack([radius * x, radius * y, radius * sine * np.sin(along)], axis=-1) / 1000.0

    def _polar(self, mjd: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the distance in m, angle from the node and node in radians."""
        argument, motion, _ = self._at(mjd, self._arguments, self._motion)
        perigee, _, _ = self._at(mjd, self._perigees, self._perigee_rate)
        node, _, _ = self._at(mjd, self._nodes, self._node_rate)
        e = _ECCENTRICITY
        mean = 2.0 * np.pi * (argument - perigee)
        s, c = np.sin(mean), np.cos(mean)
        true = mean + s * (2.0 * e + 3.0 * e**3 * c**2 - 4.0 / 3.0 * e**3 * s**2 + 2.5 * e**2 * c)
        radius = self._semilatus(motion) / (1.0 + e * np.cos(true))
        return radius, 2.0 * np.pi * perigee + true, 2.0 * np.pi * node

    def velocity(self, mjd: ArrayLike) -> Floats:
        """Return the geocentric velocity in km / s, shaped as `position` returns.

        The slope over a second.
        """
        half = 0.5 / SECONDS_PER_DAY
        times = np.asarray(mjd, dtype=np.float64)
        return self.position(times + half) - self.position(times - half)

    def ground(self, mjd: ArrayLike) -> tuple[Floats, Floats]:
        """Return the geocentric latitude and east longitude (0 to 360) below HST in degrees, each
        shaped as the times are.

        They are of the equinox of 2000, as those of real jitter tables are, where `position` is of
        that of date.
        """
        times = np.asarray(mjd, dtype=np.float64)
        of_date = erfa.pmat76(_JULIAN, times)
        x, y, z = np.moveaxis(np.einsum("...ji,...j->...i", of_date, self.position(times)), -1, 0)
        latitude = np.degrees(np.arctan2(z, np.hypot(x, y)))
        return latitude, (np.degrees(np.arctan2(y, x)) - 360.0 * gmst(times)) % 360.0

    def elements(self, epoch: float) -> Elements:
        """Return the elements at an epoch (MJD) that hold for about a day."""
        time = np.asarray(epoch, dtype=np.float64)
        argument, motion, change = self._at(time, self._arguments, self._motion)
        perigee, perigee_rate, perigee_change = self._at(time, self._perigees, self._perigee_rate)
        node, node_rate, _ = self._at(time, self._nodes, self._node_rate)
        return Elements(
            epoch=epoch,
            mean_anomaly=float(argument - perigee),
            mean_motion=(float(motion - perigee_rate), float(change - perigee_change)),
            perigee=(float(perigee), float(perigee_rate)),
            node=(float(node), float(node_rate)),
            semilatus=float(self._semilatus(motion)),
        )

    def period(self, mjd: float) -> float:
        """Return the time from perigee to perigee in s, as HSTHORB gives half of it."""
        return 1.0 / self.elements(mjd).mean_motion[0]

    def doppler(self, mjd: float, ra: float, dec: float) -> tuple[float, float]:
        """Return the Doppler shift along a line of sight over an orbit.

        Parameters
        ----------
        mjd
            Start of an exposure, MJD UTC.
        ra, dec
            Target, degrees J2000.

        Returns
        -------
        tuple
            Amplitude in km / s (DOPPMAGV), and the MJD (DOPPZERO) at or before the start from which
            the velocity away from the target grows as a sine. Checked with the headers and support
            files of a real association (``ldfd01vnq``, ``ldfd01vrq``): 7.25 km / s, in phase within
            0.03 km / s.
        """
        a, d = np.radians([ra, dec])
        sight = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
        days = self.period(mjd) / SECONDS_PER_DAY
        grid = mjd - days * np.linspace(0.0, 1.0, 361)[:-1]
        away = -self.velocity(grid) @ sight
        phase = 2.0 * np.pi * (grid - mjd) / days
        sine, cosine = 2.0 * np.mean(away * np.sin(phase)), 2.0 * np.mean(away * np.cos(phase))
        back = (np.arctan2(cosine, sine) / (2.0 * np.pi)) % 1.0
        return float(np.hypot(sine, cosine)), float(mjd - days * back)


def gmst(mjd: ArrayLike) -> Floats:
    """Return the Greenwich mean sidereal time as a fraction of a day, by the formula of ``calcos``
    (IAU 1982).

    Parameters
    ----------
    mjd
        Times, MJD UTC, of any shape.
    """
    time = np.asarray(mjd, dtype=np.float64)
    midnight = np.floor(time)
    centuries = (midnight - 51544.5) / 36525.0
    start = 24110.54841 + centuries * (8640184.812866 + centuries * (0.093104 - 6.2e-6 * centuries))
    elapsed = (time - 51544.5) / 36525.0
    rate = 1.002737909350795 + elapsed * (5.9006e-11 - 5.9e-15 * elapsed)
    return np.asarray((start / SECONDS_PER_DAY + (time - midnight) * rate) % 1.0, dtype=np.float64)
