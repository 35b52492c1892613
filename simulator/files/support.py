"""Support files: planning, orbit elements and telemetry snapshots of one exposure (``spt``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from astropy.io import fits

from simulator.cards import Card, calendar, day_of_year, header_of
from simulator.files.telemetry import snapshot
from simulator.orbit import MJD_1985, SECONDS_PER_DAY, Orbit
from simulator.plan import ExposurePlan
from simulator.sky import sun_direction
from simulator.state import InstrumentState

__all__ = ["SETUP_SECONDS", "SNAPSHOTS", "GuideStars", "support_file"]

SETUP_SECONDS: Final = 80.0
"""How long before EXPSTART the predicted start (PSTRTIME) is: 79 to 373 s in real files."""
_WORDS = 965
"""Length of the raw engineering header that the extension ``SUPPORT`` carries."""

SNAPSHOTS: Final = {"ACQ/IMAGE": 3}
"""Sets of SUPPORT, SNAP1 and SNAP2: lamp, before and after the slew of an acquisition image.

Else one, and two for a
PEAKXD that uses the lamp."""

_SPENT_SNAPSHOT: Final[tuple[Card, ...]] = (
    ("LDCAMPAT", 129.42, "amplifier A temperature"),
    ("LDCAMPBT", 129.42, "amplifier B temperature"),
    ("LMMCETMP", 129.42, "MAMA tube temperature"),
    ("LDCHVMNA", -2500.0, "high voltage output A"),
    ("LDCHVMNB", -2500.0, "high voltage output B"),
)
"""What the second snapshot of an acquisition holds in real files: telemetry of nothing."""


@dataclass(frozen=True)
class GuideStars:
    """The pair of guide stars of a visit.

    Parameters
    ----------
    dominant, secondary
        Star name and sensor, as DGESTAR and SGESTAR: ``N4YJ000260F1``.
    roll
        PA_V3 in degrees.
    """

    dominant: str = "N4YJ000260F1"
    secondary: str = "N4YJ000034F2"
    roll: float = 0.0

    @property
    def fgs(self) -> str:
        """Fine guidance sensor that points: F1, F2 or F3."""
        return self.dominant[-2:]


def support_file(
    plan: ExposurePlan,
    orbit: Orbit,
    state: InstrumentState,
    guiding: GuideStars,
    *,
    rates: Mapping[str, float] | None = None,
    results: Sequence[Card] = (),
    lamp_sets: int = 0,
) -> fits.HDUList:
    """Return the support file of an exposure.

    Parameters
    ----------
    plan
        The exposure.
    orbit
        HST's orbit; the elements in the header give its position for the day of the exposure.
    state
        The instrument during the exposure; temperatures of FUVA, FUVB and NUV are read.
    guiding
        Guide stars.
    rates
        count / s of the event counters by detector.
    results
        Further cards of the extension ``SUPPORT``: what the flight software found (LQTA...).
    lamp_sets
        How many of the first snapshots were taken with the lamp of an acquisition on.
    """
    sets = max(SNAPSHOTS.get(plan.exptype, 1), lamp_sets + 1 if lamp_sets else 1)
    primary = fits.PrimaryHDU(header=header_of(_primary(plan, orbit, guiding, 3 * sets)))
    hdus: list[fits.hdu.base.ExtensionHDU | fits.PrimaryHDU] = [primary]
    for number in range(1, sets + 1):
        lamp = number <= lamp_sets
        first = snapshot(plan, state, dict(rates or {}), lamp_phase=lamp)
        second = list(_SPENT_SNAPSHOT) if plan.is_acquisition else first
        words = np.zeros(_WORDS, dtype=np.int16)
        hdus.append(
            fits.ImageHDU(
                words, header=header_of(_words(plan, results)), name="SUPPORT", ver=number
            )
        )
        hdus.append(fits.ImageHDU(header=header_of(_named(plan, first)), name="SNAP1", ver=number))
        hdus.append(fits.ImageHDU(header=header_of(_named(plan, second)), name="SNAP2", ver=number))
    return fits.HDUList(hdus)


def _named(plan: ExposurePlan, cards: Sequence[Card]) -> list[Card]:
    names: list[Card] = [
        ("ROOTNAME", plan.rootname, "rootname of the observation set"),
        ("EXPNAME", plan.rootname, "exposure identifier"),
    ]
    if plan.member_type:
        names.append(("ASN_MTYP", plan.member_type, "role of the member in the association"))
    return [*names, *cards]


def _words(plan: ExposurePlan, results: Sequence[Card]) -> list[Card]:
    """Give the decoded header of the flight software.

    Without an acquisition its results are zero.
    """
    cards: dict[str, Card] = {
        card[0]: card
        for card in (
            ("LQDETNO", plan.detector, "detector"),
            ("LQITIME", plan.exptime, "integration time"),
            ("LQLAMPID", plan.lamp if plan.lamp != "NONE" else "P1", "lamp"),
            ("LQTATYPE", "Invalid", "target acquisition type"),
            ("LQTASTAT", "Success", "target acquisition status"),
            ("LQTASCAN", 0, "search dimension"),
            ("LQTASTEP", 0, "search step in milli-arcsec"),
            ("LQTACENT", "Invalid", "centering method"),
            ("LQTAFLOR", 0, "floor"),
            ("LQTADPOS", 0, "slew along dispersion in milli-arcsec"),
            ("LQTAXPOS", 0, "slew across dispersion in milli-arcsec"),
            ("LQTAXCOR", 0.0, "lamp centroid, raw x"),
            ("LQTAYCOR", 0.0, "lamp centroid, raw y"),
            ("LQTAMXCR", 0.0, "measured target centroid, raw x"),
            ("LQTAMYCR", 0.0, "measured target centroid, raw y"),
            ("LQTADSLW", 0.0, "slew along dispersion from the last dwell"),
            ("LQTAXSLW", 0.0, "slew across dispersion from the last dwell"),
        )
    }
    cards.update((card[0], card) for card in results)
    return _named(plan, list(cards.values()))


def _primary(plan: ExposurePlan, orbit: Orbit, guiding: GuideStars, extensions: int) -> list[Card]:
    target = plan.target
    begin = plan.start - SETUP_SECONDS / SECONDS_PER_DAY
    position, velocity = orbit.position(begin), orbit.velocity(begin)
    ra_sun, dec_sun = (float(angle) for angle in sun_direction(begin))
    elements = orbit.elements(float(np.floor(plan.start))).keywords()
    channel = f"COS/{plan.detector}"
    cards: list[Card] = [
        ("NEXTEND", extensions, "number of standard extensions"),
        ("DATE", calendar(plan.stop + 1.0)[0], "date this file was written"),
        ("FILENAME", f"{plan.rootname}_spt.fits", "name of file"),
        ("FILETYPE", "SPT", "type of data found in data file"),
        ("TELESCOP", "HST", "telescope"),
        ("INSTRUME", "COS", "instrument"),
        ("EQUINOX", 2000.0, "equinox of celestial coordinates"),
        ("ROOTNAME", plan.rootname, "rootname of the observation set"),
        ("PROC_TYP", "NORMAL", "type of pipeline processing"),
        ("TARGNAME", target.name, "proposer's target name"),
        ("RA_TARG", target.ra, "right ascension of the target (deg) (J2000)"),
        ("DEC_TARG", target.dec, "declination of the target (deg) (J2000)"),
        ("PROPOSID", plan.proposal, "proposal identifier"),
        ("LINENUM", plan.linenum, "proposal logsheet line number"),
        ("OPUS_VER", "SIMULATED", "data processing software version"),
        ("PROGRMID", plan.rootname[1:4].upper(), "program id (base 36)"),
        ("PR_INV_L", plan.principal_investigator, "last name of principal investigator"),
        ("OBSET_ID", plan.linenum[:2], "observation set id"),
        ("OBSERVTN", plan.rootname[6:8].upper(), "observation number (base 36)"),
        ("SS_OBSMD", plan.exptype if plan.is_acquisition else plan.obsmode, "operating mode"),
        ("SS_GRTNG", plan.opt_elem, "proposed spectroscopic element"),
        ("SS_CWAVE", float(plan.cenwave), "proposed central wavelength"),
        ("PLANTIME", plan.exptime, "planned exposure time (seconds)"),
        ("PSTRTIME", day_of_year(begin), "predicted obs. start time"),
        ("PSTPTIME", day_of_year(plan.stop + 120.0 / SECONDS_PER_DAY), "predicted obs. stop time"),
        ("PA_V3", guiding.roll, "position angle of V3-axis of HST (deg)"),
        ("DGESTAR", guiding.dominant, "FGS ID concat. w/ dom. gd. star id"),
        ("SGESTAR", guiding.secondary, "FGS ID concat. w/ subdom. gd. star id"),
        ("SAAAVOID", "31" if plan.detector == "FUV" else "32", "SAA model for SAA avoidance"),
        *(
            (f"POSTNST{axis}", float(value), f"position {axis} (km)")
            for axis, value in zip("XYZ", position, strict=True)
        ),
        *(
            (f"VELOCST{axis}", float(value), f"velocity {axis} (km/s)")
            for axis, value in zip("XYZ", velocity, strict=True)
        ),
        ("RA_SUN", ra_sun, "right ascension of the sun (deg)"),
        ("DEC_SUN", dec_sun, "declination of the sun (deg)"),
        *((keyword, value, "onboard ephemeris model") for keyword, value in elements.items()),
        ("TIMEFFEC", elements["EPCHTIME"], "time parameters took effect (secs since 1/1/85)"),
        (
            "OBSSTRTT",
            (begin - MJD_1985) * SECONDS_PER_DAY,
            "predicted obs. start (secs since 1/1/85)",
        ),
        ("CONFIG", channel, "proposed instrument configuration"),
        (
            "OPMODE",
            plan.exptype if plan.is_acquisition else plan.obsmode,
            "proposed operation mode",
        ),
        ("SPEC_1", plan.opt_elem, "spectral element"),
        ("APER_1", plan.aperture, "instrument aperture"),
        ("TARDESCR", target.description, "target description"),
        ("PROPTTL1", plan.title, "proposal title"),
        (
            "PROP_TYP",
            "CAL/OTA" if plan.exptype in ("DARK", "WAVECAL", "FLAT", "EXTERNAL/CAL") else "GO",
            "proposal type",
        ),
        ("ASN_ID", plan.association.upper() or "NONE", "association"),
        (
            "ASN_TAB",
            f"{plan.association}_asn.fits" if plan.association else "NONE",
            "association table",
        ),
    ]
    return cards
