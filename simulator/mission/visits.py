"""Visits: the exposures of one pointing or of one calibration, one after the other."""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from shared.cos.instrument_history import lifetime_position
from simulator.description import Instrument
from simulator.evolution import hv_level
from simulator.files.support import GuideStars
from simulator.plan import Association, ExposurePlan, Flash, Target
from simulator.sky import in_saa

__all__ = ["Proposal", "Visit", "VisitBuilder", "base36"]

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_GAP = 90.0
"""Seconds from one exposure to the next."""
_SETTLING = 120.0
"""Seconds from the end of a move of the optics to the exposure: 119 to 136 in real schedules."""
_PARKED = 20000.0
"""Seconds since a mechanism moved that nothing moves before an exposure."""
_TO_OSM2 = "NCM1"
"""Mirror on OSM1 that sends the light to OSM2."""
_STEP, _TRIES = 240.0, 40
"""How an exposure is put off until the whole of it is outside the South Atlantic Anomaly: seconds,
and how often.
"""
_FLASH_SECONDS = {"G140L": 7.0, "G230L": 7.0}
_FLASH_USUAL = 12.0
_FLASH_EVERY = 2400.0
_ACQUISITION_KEYWORDS = {
    "ACQ/SEARCH": "ACQSNAME",
    "ACQ/IMAGE": "ACQINAME",
    "ACQ/PEAKXD": "PEAKXNAM",
    "ACQ/PEAKD": "PEAKDNAM",
}


def base36(number: int, width: int) -> str:
    """Write a number as rootnames count: digits and lower-case letters, padded to a width."""
    text = ""
    for _ in range(width):
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text


@dataclass(frozen=True)
class Proposal:
    """A proposal.

    Parameters
    ----------
    number
        Its number, PROPOSID.
    code
        Three characters of base 36, unique in the mission.
    investigator
        Last name.
    title
        Title.
    """

    number: int
    code: str
    investigator: str
    title: str


@dataclass(frozen=True)
class Visit:
    """A visit as it was scheduled.

    Parameters
    ----------
    name
        First six characters of its rootnames.
    kind
        Name of the routine that it is one of.
    exposures
        In the order of time.
    associations
        Those of them that are calibrated together.
    guiding
        Guide stars.
    taken
        Whether it gets files, or stands in the schedule only.
    """

    name: str
    kind: str
    exposures: tuple[ExposurePlan, ...]
    associations: tuple[Association, ...]
    guiding: GuideStars
    taken: bool


@dataclass
class VisitBuilder:
    """Lays exposures one after the other.

    Parameters
    ----------
    instrument
        Description.
    proposal
        Proposal that it belongs to.
    number
        Of the visit within the proposal, from 1.
    kind
        Name of its routine.
    start
        MJD before which nothing is exposed.
    shorten
        Factor on exposure times; below 1 for brief visits.
    """

    instrument: Instrument
    proposal: Proposal
    number: int
    kind: str
    start: float
    shorten: float = 1.0
    exposures: list[ExposurePlan] = field(default_factory=list)
    associations: list[Association] = field(default_factory=list)
    _clock: float = 0.0
    _osm1: tuple[str, int] | None = None
    _osm2: tuple[str, int] | None = None
    _moved1: float = 0.0
    _moved2: float = 0.0
    _acquisitions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._clock = self.start
        self._moved2 = self.start - _PARKED / 86400.0

    @property
    def name(self) -> str:
        """First six characters of the rootnames."""
        return f"l{self.proposal.code}{base36(self.number, 2)}"

    def life_adj(self, opt_elem: str, cenwave: int) -> int:
        """Return the lifetime position at which a setting is used now."""
        return lifetime_position(self._clock, opt_elem, cenwave).number

    def expose(
        self,
        target: Target,
        exptype: str,
        opt_elem: str,
        cenwave: int,
        exptime: float,
        *,
        detector: str,
        obsmode: str = "TIME-TAG",
        fppos: int = 3,
        aperture: str = "PSA",
        segment: str = "BOTH",
        flashes: bool = False,
        lamp: str = "P1",
        member: str = "",
        extraction: str = "TWOZONE",
    ) -> ExposurePlan:
        """Add an exposure.

        Parameters
        ----------
        target, exptype, opt_elem, cenwave, detector, obsmode, fppos, aperture, segment, lamp,
        extraction
            As in `ExposurePlan`.
        exptime
            Seconds; shortened in brief visits, except of acquisitions.
        flashes
            Whether the lamp is flashed.
        member
            Its role, if it shall be in the association that `associate` closes.
        """
        seconds = (
            exptime
            if exptype.startswith("ACQ")
            else max(round(exptime * self.shorten, 1), min(exptime, 60.0))
        )
        # The light of the FUV goes from OSM1 to the detector, that of the NUV on to OSM2.
        osm1, osm2 = (
            ((opt_elem, cenwave), self._osm2)
            if detector == "FUV"
            else ((_TO_OSM2, 0), (opt_elem, cenwave))
        )
        moves1, moves2 = osm1 != self._osm1, osm2 != self._osm2
        begin = self._clear(
            self._clock + ((_SETTLING if moves1 or moves2 else 0.0) + _GAP) / 86400.0, seconds
        )
        stopped = begin - (_PARKED if exptype == "DARK" else _SETTLING) / 86400.0
        if moves1:
            self._osm1, self._moved1 = osm1, stopped
        if moves2:
            self._osm2, self._moved2 = osm2, stopped
        levels = [
            (hv_level(self.instrument, side, begin) if segment in ("BOTH", side) else 100)
            for side in ("FUVA", "FUVB")
        ]
        index = 361 + 2 * len(self.exposures)
        plan = ExposurePlan(
            rootname=f"{self.name}{base36(index, 2)}q",
            proposal=self.proposal.number,
            linenum=f"{base36(self.number, 2).upper()}.{len(self.exposures) + 1:03d}",
            start=round(begin, 8),
            exptime=seconds,
            detector=detector,
            obsmode=obsmode,
            exptype=exptype,
            opt_elem=opt_elem,
            cenwave=cenwave,
            target=target,
            fppos=fppos,
            aperture=aperture,
            life_adj=lifetime_position(begin, opt_elem, cenwave).number,
            segment=segment if detector == "FUV" else "N/A",
            hv_level_a=levels[0] if detector == "FUV" else 0,
            hv_level_b=levels[1] if detector == "FUV" else 0,
            flashes=_flashes(opt_elem, seconds) if flashes else (),
            lamp=lamp,
            member_type=member,
            acquisitions=dict(self._acquisitions),
            since_osm1=round((begin - self._moved1) * 86400.0, 1),
            since_osm2=round((begin - self._moved2) * 86400.0, 1),
            extraction=extraction,
            principal_investigator=self.proposal.investigator,
            title=self.proposal.title,
        )
        if plan.is_acquisition:
            self._acquisitions.setdefault(
                _ACQUISITION_KEYWORDS[exptype], f"{plan.rootname[:8].upper()}x"
            )
        self.exposures.append(plan)
        self._clock = plan.stop + (200.0 / 86400.0 if plan.is_acquisition else 0.0)
        return plan

    def associate(self) -> Association:
        """Make an association of the members that were exposed since the last one."""
        rootname = f"{self.name}{len(self.associations) + 1:02d}0"
        members = []
        for index, plan in enumerate(self.exposures):
            if plan.member_type and not plan.association:
                self.exposures[index] = replace(plan, association=rootname)
                members.append(self.exposures[index])
        association = Association(rootname, tuple(members))
        self.associations.append(association)
        return association

    def finish(self, taken: bool) -> Visit:
        """Finish the visit, with guide stars drawn for it.

        Parameters
        ----------
        taken
            Whether it gets files.
        """
        chance = self.instrument.chance("guide stars", self.name)
        sensors = chance.permutation(3)[:2] + 1
        stars = [
            f"S{''.join(chance.choice(list('0123456789ABCDEF'), 9))}F{sensor}" for sensor in sensors
        ]
        guiding = GuideStars(stars[0], stars[1], round(float(chance.uniform(0.0, 360.0)), 4))
        return Visit(
            self.name, self.kind, tuple(self.exposures), tuple(self.associations), guiding, taken
        )

    def _clear(self, begin: float, seconds: float) -> float:
        """Return the first time from ``begin`` on at which the exposure stays out of the anomaly.

        It is avoided, not forbidden.
        """
        grid = np.linspace(0.0, seconds, 12) / 86400.0
        for attempt in range(_TRIES):
            start = begin + attempt * _STEP / 86400.0
            latitude, longitude = self.instrument.orbit.ground(start + grid)
            if not in_saa(start, latitude, longitude).any():
                return start
        return begin


def _flashes(opt_elem: str, exptime: float) -> tuple[Flash, ...]:
    """Return the lamp flashes: at the start, after ten minutes, and then regularly; the last one
    near the end.

    Source of the pattern: TAGFLASH in the COS Instrument Handbook, section 5.7.
    """
    length = _FLASH_SECONDS.get(opt_elem, _FLASH_USUAL)
    starts = [0.0]
    if exptime > 4.0 * length:
        later = [600.0, *np.arange(600.0 + _FLASH_EVERY, exptime, _FLASH_EVERY)]
        starts += [float(time) for time in later if time < exptime - 3.0 * length]
        starts.append(round(exptime - 1.5 * length, 1))
    return tuple(Flash(start, start + length) for start in starts)
