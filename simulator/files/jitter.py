"""Jitter files: how HST pointed during an exposure, in tables (``jit``) and images (``jif``)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from simulator.cards import Card, calendar, day_of_year, header_of
from simulator.description import Instrument
from simulator.files.support import GuideStars
from simulator.orbit import Orbit, gmst
from simulator.plan import ExposurePlan
from simulator.sky import is_day, sun_direction

__all__ = ["jitter_files"]

Floats = NDArray[np.float64]

_LONG_STEP, _SHORT_STEP, _SHORT_SECONDS = 3.0, 0.05, 20.0
"""Sampling in s of a real table, and of one of an exposure of about a second.

Where one ends and the other begins.
"""
_PLACEHOLDER = 1.6e38
"""Value of a quantity that was not measured."""
_MEAN_SIGMA, _RMS = 0.0016, 0.0022
"""Arcsec: scatter of the 3 s means and mean of their RMS, real tables of 2017."""
_IMAGE, _IMAGE_SCALE = 64, 0.002
"""Size of a jitter image in pixels and arcsec per pixel."""
_DIPOLE = 0.31
"""Gauss at the magnetic equator.

The dipole leans towards (80.65 N, 287.3 E) (IGRF 13, epoch 2020).
"""
_POLE = (80.65, 287.3)
_EARTH_RADIUS = 6378.137

_COLUMNS: Final = (
    ("Seconds", "E", "seconds"),
    ("V2_dom", "E", "arcsec"),
    ("V3_dom", "E", "arcsec"),
    ("V2_roll", "E", "arcsec"),
    ("V3_roll", "E", "arcsec"),
    ("SI_V2_AVG", "E", "arcsec"),
    ("SI_V2_RMS", "E", "arcsec"),
    ("SI_V2_P2P", "E", "arcsec"),
    ("SI_V3_AVG", "E", "arcsec"),
    ("SI_V3_RMS", "E", "arcsec"),
    ("SI_V3_P2P", "E", "arcsec"),
    ("RA", "D", "degrees"),
    ("DEC", "D", "degrees"),
    ("Roll", "D", "degrees"),
    ("LimbAng", "E", "degrees"),
    ("TermAng", "E", "degrees"),
    ("LOS_Zenith", "E", "degrees"),
    ("Latitude", "E", "degrees"),
    ("Longitude", "E", "degrees"),
    ("Mag_V1", "E", "Gauss"),
    ("Mag_V2", "E", "Gauss"),
    ("Mag_V3", "E", "Gauss"),
    ("BrightLimb", "I", ""),
    ("FGS_flags", "E", ""),
    ("DayNight", "I", ""),
    ("Recenter", "I", ""),
    ("TakeData", "I", ""),
    ("SlewFlag", "I", ""),
)
_GUIDING: Final = tuple(name for name, _, _ in _COLUMNS[1:14])


@dataclass(frozen=True)
class _Track:
    """Pointing of one exposure: seconds, and a column of each name."""

    plan: ExposurePlan
    columns: dict[str, Floats]

    @property
    def name(self) -> str:
        """Rootname with the ``j`` that marks jitter data."""
        return f"{self.plan.rootname[:-1]}j"


def jitter_files(
    rootname: str,
    plans: Sequence[ExposurePlan],
    instrument: Instrument,
    guiding: GuideStars,
    *,
    locked: bool = True,
) -> tuple[fits.HDUList, fits.HDUList]:
    """Return the jitter table and jitter image of an exposure, or of the exposures of an
    association.

    Parameters
    ----------
    rootname
        Of the files: the association's, or the exposure's with ``j`` at its end.
    plans
        Exposures in the order of time; one extension for each.
    instrument
        Description.
    guiding
        Guide stars.
    locked
        Whether the guide stars were held; without them the pointing columns hold placeholders, as
        in real files.

    Returns
    -------
    tuple
        ``jit`` and ``jif``.
    """
    tracks = [_track(plan, instrument, guiding, locked=locked) for plan in plans]
    common = _primary(rootname, plans[0], len(plans))
    table = fits.HDUList(
        [fits.PrimaryHDU(header=header_of([*common, ("FILETYPE", "JTB", "type of data")]))]
    )
    table[0].header["FILENAME"] = f"{rootname}_jit.fits"
    image = fits.HDUList(
        [fits.PrimaryHDU(header=header_of([*common, *_guide_cards(plans, guiding)]))]
    )
    image[0].header["FILENAME"] = f"{rootname}_jif.fits"
    for number, track in enumerate(tracks, 1):
        cards = _named(rootname, track)
        table.append(_table(track, cards, number))
        image.append(
            fits.ImageHDU(
                _image(track),
                header=header_of([*cards, *_image_cards(track)]),
                name="jit",
                ver=number,
            )
        )
    return table, image


def _track(
    plan: ExposurePlan, instrument: Instrument, guiding: GuideStars, *, locked: bool
) -> _Track:
    step = _SHORT_STEP if plan.exptime < _SHORT_SECONDS else _LONG_STEP
    seconds = np.arange(step if step > 1.0 else 0.0, max(plan.exptime, 2 * step) + 1e-9, step)
    mjd = plan.start + seconds / 86400.0
    chance = instrument.chance("jitter", plan.rootname)
    count = len(seconds)
    v2, v3 = chance.normal(0.0, _MEAN_SIGMA, size=(2, count))
    rms2, rms3 = _RMS * chance.gamma(9.0, 1.0 / 9.0, size=(2, count))
    latitude, longitude = instrument.orbit.ground(mjd)
    scale = 1.0 / 3600.0
    turn = np.radians(guiding.roll)
    columns = {
        "Seconds": seconds,
        "V2_dom": 715.45 + v2,
        "V3_dom": 5.57 + v3,
        "V2_roll": -92.59 + v2,
        "V3_roll": -684.86 + v3,
        "SI_V2_AVG": v2,
        "SI_V2_RMS": rms2,
        "SI_V2_P2P": 4.1 * rms2,
        "SI_V3_AVG": v3,
        "SI_V3_RMS": rms3,
        "SI_V3_P2P": 4.3 * rms3,
        "RA": plan.target.ra
        + scale * (v2 * np.cos(turn) + v3 * np.sin(turn)) / np.cos(np.radians(plan.target.dec)),
        "DEC": plan.target.dec + scale * (-v2 * np.sin(turn) + v3 * np.cos(turn)),
        "Roll": np.full(count, guiding.roll),
        "Latitude": latitude,
        "Longitude": longitude,
        "FGS_flags": np.zeros(count),
        "Recenter": np.zeros(count),
        "TakeData": np.full(count, float(locked)),
        "SlewFlag": np.zeros(count),
        **_geometry(instrument.orbit, plan, mjd),
        **_magnetic(instrument.orbit, mjd, plan, turn),
    }
    if not locked:
        columns.update({name: np.full(count, _PLACEHOLDER) for name in _GUIDING})
    return _Track(plan, columns)


def _unit(ra: Floats | float, dec: Floats | float) -> Floats:
    a, d = np.radians(ra), np.radians(dec)
    return np.stack(
        [np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d) * np.ones_like(a)], axis=-1
    )


def _geometry(orbit: Orbit, plan: ExposurePlan, mjd: Floats) -> dict[str, Floats]:
    """Return the angles to the Earth's limb and to its terminator, and day or night."""
    position = orbit.position(mjd)
    distance = np.linalg.norm(position, axis=-1)
    up = position / distance[:, None]
    sight = _unit(plan.target.ra, plan.target.dec)
    zenith = np.degrees(np.arccos(np.clip(up @ sight, -1.0, 1.0)))
    limb = 180.0 - zenith - np.degrees(np.arcsin(_EARTH_RADIUS / distance))
    towards = sight - (up @ sight)[:, None] * up
    edge = up * (_EARTH_RADIUS / distance)[:, None] + towards / np.linalg.norm(
        towards, axis=-1, keepdims=True
    )
    bright = np.sum(edge * _unit(*sun_direction(mjd)), axis=-1) > 0.0
    return {
        "LOS_Zenith": zenith,
        "LimbAng": limb,
        "TermAng": limb,
        "BrightLimb": bright.astype(np.float64),
        "DayNight": is_day(orbit, mjd).astype(np.float64),
    }


def _magnetic(orbit: Orbit, mjd: Floats, plan: ExposurePlan, roll: float) -> dict[str, Floats]:
    """Return the field of a tilted dipole along HST's axes in Gauss.

    V1 towards the target, V3 at the roll angle.
    """
    position = orbit.position(mjd)
    distance = np.linalg.norm(position, axis=-1, keepdims=True)
    up = position / distance
    pole = _unit(_POLE[1] + 360.0 * gmst(mjd), np.full(len(mjd), _POLE[0]))
    strength = _DIPOLE * (_EARTH_RADIUS / distance) ** 3
    field = strength * (pole - 3.0 * np.sum(pole * up, axis=-1, keepdims=True) * up)
    v1 = _unit(plan.target.ra, plan.target.dec)
    a, d = np.radians([plan.target.ra, plan.target.dec])
    north = np.array([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)])
    east = np.array([-np.sin(a), np.cos(a), 0.0])
    v3 = np.cos(roll) * north + np.sin(roll) * east
    return {"Mag_V1": field @ v1, "Mag_V2": field @ np.cross(v3, v1), "Mag_V3": field @ v3}


def _primary(rootname: str, plan: ExposurePlan, extensions: int) -> list[Card]:
    inside = bool(plan.association) and rootname == plan.association
    return [
        ("NEXTEND", extensions, "number of standard extensions"),
        ("DATE", calendar(plan.stop + 1.0)[0], "date this file was written"),
        ("FILENAME", "", "name of file"),
        ("FILETYPE", "JIM", "type of data found in data file"),
        ("TELESCOP", "HST", "telescope"),
        ("INSTRUME", "FGS", "instrument"),
        ("EQUINOX", 2000.0, "equinox of celestial coordinates"),
        ("OPUS_VER", "SIMULATED", "data processing software version"),
        ("PDB_VER", "CCS", "project database version"),
        ("ROOTNAME", rootname, "rootname of the observation set"),
        ("TARGNAME", plan.target.name, "proposer's target name"),
        ("PROC_TYP", "NORMAL", "type of pipeline processing"),
        ("CONFIG", f"COS/{plan.detector}", "proposed instrument configuration"),
        ("PROPOSID", plan.proposal, "proposal identifier"),
        ("PROGRMID", plan.rootname[1:4].upper(), "program id (base 36)"),
        ("ASN_ID", rootname if inside else "NONE", "association"),
        ("ASN_TAB", f"{rootname}_asn.fits" if inside else "NONE", "association table"),
    ]


def _guide_cards(plans: Sequence[ExposurePlan], guiding: GuideStars) -> list[Card]:
    return [
        ("TSTRTIME", day_of_year(plans[0].start), "predicted window start"),
        ("TENDTIME", day_of_year(plans[-1].stop), "predicted window end"),
        ("GUIDECMD", "FINE LOCK", "commanded guiding mode"),
        ("GSD_ID", guiding.dominant[:-2], "dominant guide star"),
        ("GSD_FGS", guiding.dominant[-1], "dominant fine guidance sensor"),
        ("GSR_ID", guiding.secondary[:-2], "roll guide star"),
        ("GSR_FGS", guiding.secondary[-1], "roll fine guidance sensor"),
    ]


def _named(rootname: str, track: _Track) -> list[Card]:
    return [
        ("ROOTNAME", rootname, "rootname of the observation set"),
        ("EXPNAME", track.name, "exposure identifier"),
        ("OBSET_ID", track.plan.linenum[:2], "observation set id"),
        ("PROCTIME", day_of_year(track.plan.stop + 1.0), "when the observation was processed"),
    ]


def _table(track: _Track, cards: list[Card], number: int) -> fits.BinTableHDU:
    columns = [
        fits.Column(
            name,
            form,
            unit=unit or None,
            array=track.columns[name].astype({"E": "f4", "D": "f8", "I": "i2"}[form]),
        )
        for name, form, unit in _COLUMNS
    ]
    return fits.BinTableHDU.from_columns(columns, header=header_of(cards), name="jit", ver=number)


def _image(track: _Track) -> NDArray[np.int32]:
    """Time spent at each place: each sample is a spot of its RMS about its mean."""
    v2, v3 = track.columns["SI_V2_AVG"], track.columns["SI_V3_AVG"]
    if v2[0] == _PLACEHOLDER:
        return np.zeros((_IMAGE, _IMAGE), dtype=np.int32)
    edges = (np.arange(_IMAGE + 1) - _IMAGE / 2) * _IMAGE_SCALE
    counts, _, _ = np.histogram2d(v3, v2, bins=(edges, edges))
    return np.asarray(counts, dtype=np.int32)


def _image_cards(track: _Track) -> list[Card]:
    plan, columns = track.plan, track.columns
    measured = columns["SI_V2_AVG"][0] != _PLACEHOLDER

    def summary(value: np.floating) -> float:
        return round(float(value) * 1000.0, 2) if measured else 0.0

    return [
        ("STARTIME", day_of_year(plan.start), "predicted window start"),
        ("ENDTIME", day_of_year(plan.stop), "predicted window end"),
        ("XPIXINC", 1000.0 * _IMAGE_SCALE, "plate scale along X in mas per pixel"),
        ("YPIXINC", 1000.0 * _IMAGE_SCALE, "plate scale along Y in mas per pixel"),
        ("GUIDEACT", "FINE LOCK" if measured else "GYRO", "actual guiding mode"),
        ("NLOSSES", 0, "number of loss of lock events"),
        ("NRECENT", 0, "number of recentering events"),
        ("V2_RMS", summary(np.sqrt(np.mean(columns["SI_V2_RMS"] ** 2))), "V2 axis RMS (mas)"),
        ("V2_P2P", summary(np.max(columns["SI_V2_P2P"])), "V2 axis peak to peak (mas)"),
        ("V3_RMS", summary(np.sqrt(np.mean(columns["SI_V3_RMS"] ** 2))), "V3 axis RMS (mas)"),
        ("V3_P2P", summary(np.max(columns["SI_V3_P2P"])), "V3 axis peak to peak (mas)"),
    ]
