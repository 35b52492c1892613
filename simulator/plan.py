"""Plan of one exposure.

The contract between schedules and the forward model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Association", "ExposurePlan", "Fault", "FaultKind", "Flash", "Spectrum", "Target"]


class FaultKind(StrEnum):
    """What can be asked to go wrong."""

    TRUNCATED = "truncated"
    """The raw file of `segment` (the first one where it is empty) ends in the middle of its data.
    """
    MISSING = "missing"
    """The association names the exposure as present, and its raw files are not there."""
    NO_EVENTS = "no-events"
    """The exposure ran and nothing was recorded."""
    SEGMENT_OFF = "segment-off"
    """The high voltage of `segment` is down: no file of it, level 100 in the other one's header."""
    BURST = "burst"
    """From `start` to `stop` the whole detector records `amount` count/s more (FUV bursts)."""
    BAD_TIME = "bad-time"
    """As a burst, in an interval that the bad-time table names."""
    SAA = "saa"
    """Inside the South Atlantic Anomaly from `start` to `stop`: background times `amount`."""
    LEFT_OUT = "left-out"
    """The association switches the exposure off, whose files are there (COS Data Handbook, section
    3.6).
    """
    UPPER_CASE = "upper-case"
    """The raw files' names have the rootname in upper case."""
    ODD_TIME = "odd-time"
    """EXPSTART and EXPEND of the raw files are no times of COS."""
    HV_STEP = "hv-step"
    """At `start` the voltage of `segment` changes by `amount` levels, and the gain with it."""


@dataclass(frozen=True)
class Fault:
    """A fault that was asked for.

    Attributes
    ----------
    kind
        Which one.
    start, stop
        Seconds since the exposure's start.
    amount
        As the kind says.
    segment
        FUVA, FUVB; empty for both or for NUV.
    """

    kind: FaultKind
    start: float = 0.0
    stop: float = 0.0
    amount: float = 0.0
    segment: str = ""


@dataclass(frozen=True)
class Flash:
    """A lamp flash, in seconds since the exposure's start."""

    on: float
    off: float


@dataclass(frozen=True)
class Spectrum:
    """Flux of a target: a power law with evenly spaced emission lines.

    Attributes
    ----------
    flux
        Continuum in erg/s/cm2/Angstrom at 1500 Angstrom.
    index
        Exponent of the power law in wavelength.
    line_spacing
        Angstrom between emission lines, which lie at its multiples; 0 for none.
    line_flux
        Integrated flux of one line in units of continuum x Angstrom (an emission equivalent width).
    line_width
        Sigma of the lines in km/s.
    velocity
        Radial velocity of the target against the Sun in km/s.
    amplitude, period
        The flux varies by this fraction, as a sine of this period in seconds that begins with the
        exposure.
    """

    flux: float = 1e-14
    index: float = -1.0
    line_spacing: float = 0.0
    line_flux: float = 0.0
    line_width: float = 15.0
    velocity: float = 0.0
    amplitude: float = 0.0
    period: float = 1.0


@dataclass(frozen=True)
class Target:
    """What is looked at.

    Attributes
    ----------
    name
        TARGNAME; ``DARK`` and ``WAVE`` for internal exposures.
    ra, dec
        Degrees, J2000.
    description
        TARDESCR.
    spectrum
        Flux; None for no source.
    imaging_rate
        Count/s of the whole source through MIRRORA and the PSA; MIRRORB and BOA dim it.
    standard
        Whether it is a flux standard.
    """

    name: str
    ra: float = 0.0
    dec: float = 0.0
    description: str = "STAR"
    spectrum: Spectrum | None = None
    imaging_rate: float = 0.0
    standard: bool = False


@dataclass(frozen=True)
class ExposurePlan:
    """One exposure.

    Attributes
    ----------
    rootname
        9 lower-case characters.
    proposal
        Proposal number, PROPOSID.
    linenum
        ``vv.eee``; its first two characters are OBSET_ID.
    start
        EXPSTART, MJD UTC.
    exptime
        Seconds.
    detector
        FUV or NUV.
    obsmode
        TIME-TAG or ACCUM.
    exptype
        EXTERNAL/SCI, EXTERNAL/CAL, WAVECAL, DARK, FLAT, ACQ/IMAGE, ACQ/SEARCH, ACQ/PEAKD or
        ACQ/PEAKXD.
    opt_elem
        Grating or mirror: G130M, G160M, G140L, G185M, G225M, G285M, G230L, MIRRORA, MIRRORB.
    cenwave
        Angstrom; 0 for mirrors.
    fppos
        1 to 4.
    aperture
        PSA, BOA, WCA, FCA; N/A for darks. The BOA dims the target and blocks the lamp.
    life_adj
        Lifetime position.
    segment
        FUVA, FUVB or BOTH; N/A for NUV.
    hv_level_a, hv_level_b
        Commanded high voltage in levels; 0 for NUV.
    target
        What is looked at.
    flashes
        Lamp flashes (TAGFLASH); none for no flashes.
    lamp
        P1, P2 or NONE: the lamp of flashes, wavecals and acquisitions.
    association
        Rootname of the association; empty outside any.
    member_type
        EXP-FP, EXP-AWAVE, EXP-GWAVE or EXP-SWAVE; empty outside any association.
    acquisitions
        Keyword (ACQSNAME, ACQINAME, PEAKXNAM, PEAKDNAM) and name of the acquisitions before it.
    since_osm1, since_osm2
        Seconds from the last move of each optics select mechanism to the exposure's start.
    extraction
        XTRCTALG: TWOZONE or BOXCAR; FUV only.
    overrides
        Keywords of the primary header that shall differ from the mode's defaults, such as BRSTCORR.
    faults
        What shall go wrong.
    principal_investigator, title
        Of the proposal.
    """

    rootname: str
    proposal: int
    linenum: str
    start: float
    exptime: float
    detector: str
    obsmode: str
    exptype: str
    opt_elem: str
    cenwave: int
    target: Target
    fppos: int = 3
    aperture: str = "PSA"
    life_adj: int = 1
    segment: str = "BOTH"
    hv_level_a: int = 0
    hv_level_b: int = 0
    flashes: tuple[Flash, ...] = ()
    lamp: str = "P1"
    association: str = ""
    member_type: str = ""
    acquisitions: Mapping[str, str] = field(default_factory=dict, hash=False)
    since_osm1: float = 600.0
    since_osm2: float = 600.0
    extraction: str = "TWOZONE"
    overrides: Mapping[str, str] = field(default_factory=dict, hash=False)
    faults: tuple[Fault, ...] = ()
    principal_investigator: str = "Observer"
    title: str = "Simulated observation"

    @property
    def stop(self) -> float:
        """EXPEND, MJD UTC."""
        return self.start + self.exptime / 86400.0

    @property
    def since_osm_move(self) -> float:
        """Seconds from the last move of the mechanism that carries the grating or mirror: OSM1 for
        the FUV, OSM2 for the NUV.
        """
        return self.since_osm1 if self.detector == "FUV" else self.since_osm2

    @property
    def obstype(self) -> str:
        """SPECTROSCOPIC or IMAGING."""
        return "IMAGING" if self.opt_elem.startswith("MIRROR") else "SPECTROSCOPIC"

    @property
    def fpoffset(self) -> int:
        """FP-POS as an offset from the nominal position, in motor steps."""
        return self.fppos - 3

    @property
    def is_acquisition(self) -> bool:
        """Whether it is a target acquisition."""
        return self.exptype.startswith("ACQ/")

    @property
    def segments(self) -> tuple[str, ...]:
        """Detectors that record: FUVA, FUVB or both of them, or NUV."""
        if self.detector == "NUV":
            return ("NUV",)
        off = {fault.segment for fault in self.faults_of(FaultKind.SEGMENT_OFF)}
        chosen = ("FUVA", "FUVB") if self.segment == "BOTH" else (self.segment,)
        return tuple(segment for segment in chosen if segment not in off)

    def hv_level(self, segment: str) -> int:
        """Return the commanded high voltage of a segment, in levels."""
        return {"FUVA": self.hv_level_a, "FUVB": self.hv_level_b}.get(segment, 0)

    def faults_of(self, kind: FaultKind, segment: str = "") -> tuple[Fault, ...]:
        """Return the faults of a kind, of one segment where one is named."""
        return tuple(
            fault
            for fault in self.faults
            if fault.kind is kind and (not segment or not fault.segment or fault.segment == segment)
        )


@dataclass(frozen=True)
class Association:
    """Exposures that are calibrated together.

    Attributes
    ----------
    rootname
        9 lower-case characters that end in ``0``.
    members
        Exposures in the order of time.
    """

    rootname: str
    members: tuple[ExposurePlan, ...]
