"""Headers of raw files: templates with defaults, filled in for an exposure."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from astropy.io import fits
from astropy.time import Time

from simulator.files.telemetry import aperture_steps
from simulator.forward.velocity import LIGHT
from simulator.instrument import fuv
from simulator.instrument.modes import GRATINGS, setting
from simulator.plan import ExposurePlan, FaultKind
from simulator.state import InstrumentState, Viewing

__all__ = ["exposure_header", "primary_header", "voltage"]

_HV_OFF = 100
_APERTURE_FIELD = {
    "PSA": "2.5 arcsec (0.700 mm) diameter circular",
    "BOA": "2.5 arcsec (0.700 mm) diameter circular",
    "WCA": "0.020 x 0.100 mm rectangle",
}
_SEED_MODULUS = 2**31 - 1


@cache
def _template(name: str) -> str:
    return (files("simulator.files") / "templates" / f"{name}.txt").read_text()


def _load(name: str, header: fits.Header) -> fits.Header:
    """Append a template's cards to a header."""
    for line in _template(name).splitlines():
        if not line:
            continue
        if line.startswith("#"):
            header.append(fits.Card())
            header.append(fits.Card("", f"        / {line[2:].upper()}"))
            header.append(fits.Card())
            continue
        text, _, comment = line.partition(" / ")
        keyword, _, value = text.partition("=")
        header.append(fits.Card(keyword.strip(), _parse(value.strip()), comment.strip()[:46]))
    return header


def _parse(text: str) -> str | int | float | bool:
    if text.startswith("'"):
        return text.strip("'")
    if text in ("T", "F"):
        return text == "T"
    return int(text) if text.lstrip("-").isdigit() else float(text)


def voltage(level: int) -> float:
    """Return the commanded high voltage in volts of a level: -(2500 + 15.69 level)."""
    return -(2500.0 + 15.69 * level)


def primary_header(
    plan: ExposurePlan,
    filename: str,
    segment: str,
    references: Mapping[str, str],
    context: str = "",
) -> fits.Header:
    """Return the primary header of a raw file.

    Parameters
    ----------
    plan
        The exposure.
    filename
        Name of the file.
    segment
        FUVA, FUVB or NUV.
    references
        Name of the reference file for each keyword.
    context
        CRDS context that they were chosen by; empty for none.
    """
    header = _load(f"primary_{plan.detector.lower()}", fits.PrimaryHDU().header)
    date = Time(plan.stop + 1.0, format="mjd").iso[:10]
    spectroscopic = plan.obstype == "SPECTROSCOPIC"
    lamp_on = plan.lamp if plan.flashes or plan.exptype == "WAVECAL" else "NONE"
    header.update(
        {
            "DATE": date,
            "FILENAME": filename,
            "ROOTNAME": plan.rootname,
            "IMAGETYP": plan.obsmode,
            "TARGNAME": plan.target.name,
            "RA_TARG": plan.target.ra,
            "DEC_TARG": plan.target.dec,
            "PROPOSID": plan.proposal,
            "LINENUM": plan.linenum,
            "PR_INV_L": plan.principal_investigator,
            "OPUS_VER": "SIMULATED",
            "CSYS_VER": "SIMULATED",
            "PROCTIME": round(plan.stop + 1.0, 8),
            "OBSTYPE": plan.obstype,
            "OBSMODE": plan.obsmode,
            "EXPTYPE": plan.exptype,
            "SEGMENT": segment if plan.detector == "FUV" else "N/A",
            "DETECTHV": _detector_voltage(plan),
            "LAMPPLAN": plan.lamp,
            "LAMPUSED": lamp_on,
            "LAMPSET": "Medium" if lamp_on != "NONE" else "Off",
            "LIFE_ADJ": plan.life_adj,
            "FPPOS": plan.fppos,
            "FPOFFSET": plan.fpoffset,
            "CENWAVE": plan.cenwave,
            "CENTRWV": float(plan.cenwave),
            "APERTURE": plan.aperture,
            "PROPAPER": plan.aperture,
            "APER_FOV": _APERTURE_FIELD.get(plan.aperture, "N/A"),
            "APMPOS": f"{plan.aperture}-{plan.detector}"
            f"{plan.life_adj if plan.life_adj > 1 else ''}",
            "APERYPOS": aperture_steps(plan),
            "OPT_ELEM": plan.opt_elem,
            "SHUTTER": "Open" if plan.exptype.startswith(("EXTERNAL", "ACQ")) else "Closed",
            "TAGFLASH": "AUTO" if plan.flashes else "NONE",
            "RANDSEED": random_seed(plan),
            "OBSET_ID": plan.linenum[:2],
            "TARDESCR": plan.target.description,
            "PROPTTL1": plan.title[:68],
            "ASN_ID": plan.association.upper() or "NONE",
            "ASN_TAB": f"{plan.association}_asn.fits" if plan.association else "NONE",
            "ACQ_NUM": len(plan.acquisitions),
            "CRDS_CTX": context,
            **dict(plan.acquisitions),
        }
    )
    if plan.detector == "FUV":
        header["XTRCTALG"] = _extraction(plan)
    else:
        del header["RANDSEED"]
    header.update(
        {keyword: f"lref${name}" for keyword, name in references.items() if keyword in header}
    )
    header.update(_switches(plan, spectroscopic))
    header.update(dict(plan.overrides))
    return header


def random_seed(plan: ExposurePlan) -> int:
    """Return the seed of CalCOS's random numbers for an exposure, from its rootname."""
    return int.from_bytes(plan.rootname.encode(), "big") % _SEED_MODULUS + 1


def _extraction(plan: ExposurePlan) -> str:
    """Return the XTRCTALG; the two-zone table knows no lamp spectra."""
    return "BOXCAR" if plan.exptype == "WAVECAL" else plan.extraction


def _detector_voltage(plan: ExposurePlan) -> str:
    if plan.detector == "NUV":
        return "NomAB"
    return "Nom" + "".join(segment[-1] for segment in plan.segments)


def _switches(plan: ExposurePlan, spectroscopic: bool) -> dict[str, str]:
    """Return the switches that differ from the template's, which are those of external TIME-TAG
    spectroscopy.
    """
    spectral = ("DOPPCORR", "HELCORR", "X1DCORR", "BACKCORR", "WAVECORR", "FLUXCORR", "TDSCORR")
    aligning = ("TRCECORR", "ALGNCORR") if plan.detector == "FUV" else ()
    omitted: tuple[str, ...] = ()
    if plan.exptype in ("DARK", "FLAT"):
        omitted = (*spectral, *aligning)
    elif plan.exptype == "WAVECAL":
        omitted = ("DOPPCORR", "HELCORR", "FLUXCORR", "TDSCORR")
    elif not spectroscopic:
        omitted = ("DOPPCORR", "HELCORR", "X1DCORR", "BACKCORR", "FLUXCORR", "TDSCORR")
        omitted = omitted if plan.flashes else (*omitted, "WAVECORR")
    if _extraction(plan) == "BOXCAR":
        omitted = (*omitted, *aligning)
    switches = dict.fromkeys(omitted, "OMIT")
    if plan.obsmode == "ACCUM" and plan.detector == "FUV":
        switches |= dict.fromkeys(("RANDCORR", "XWLKCORR", "YWLKCORR"), "OMIT")
    if not spectroscopic and plan.exptype.startswith("EXTERNAL"):
        switches["PHOTCORR"] = "PERFORM"
    return switches


def exposure_header(
    plan: ExposurePlan,
    state: InstrumentState,
    viewing: Viewing,
    events: Mapping[str, int],
    header: fits.Header,
) -> fits.Header:
    """Fill the header of the first extension of a raw file.

    Parameters
    ----------
    plan, state, viewing
        The exposure.
    events
        Number of recorded events by detector (FUVA, FUVB, NUV).
    header
        Header of the extension, which is extended.
    """
    _load(f"exposure_{plan.detector.lower()}", header)
    start = Time(plan.start, format="mjd").iso
    total = sum(events.values())
    header.update(
        {
            "ROOTNAME": plan.rootname,
            "EXPNAME": plan.rootname,
            "ASN_MTYP": plan.member_type,
            "RA_APER": plan.target.ra,
            "DEC_APER": plan.target.dec,
            "PA_APER": viewing.position_angle,
            "DISPAXIS": 1 if plan.obstype == "SPECTROSCOPIC" else 0,
            "ORIENTAT": round(viewing.position_angle, 1),
            "SUNANGLE": viewing.sun_angle,
            "MOONANGL": viewing.moon_angle,
            "SUN_ALT": viewing.sun_altitude,
            "DATE-OBS": start[:10],
            "TIME-OBS": start[11:19],
            "EXPSTART": plan.start,
            "EXPEND": plan.stop,
            "EXPTIME": plan.exptime,
            "EXPSTRTJ": plan.start + 2400000.5,
            "EXPENDJ": plan.stop + 2400000.5,
            "PLANTIME": plan.exptime,
            "RAWTIME": plan.exptime,
            "BUFFTIME": _buffer_time(plan, total),
            "NEVENTS": total,
            "ORBITPER": viewing.orbit_period,
            "DOPPMAGV": viewing.doppler_amplitude,
            "DOPPZERO": viewing.doppler_zero,
        }
    )
    _set_flashes(plan, header)
    _set_subarray(plan, header)
    if plan.obsmode == "ACCUM" and plan.obstype == "SPECTROSCOPIC":
        _set_onboard_doppler(plan, viewing, header)
    if plan.detector == "FUV":
        for segment in fuv.SEGMENTS:
            _set_segment(plan, segment, events.get(segment), header)
        header["STIMRATE"] = state.detectors["FUVA"].stim_rate
    else:
        header["X_OFFSET"] = 0
        header["MEVENTS"] = total / plan.exptime
    return header


def _buffer_time(plan: ExposurePlan, total: int) -> float:
    """Return the seconds to fill two thirds of the on-board memory of 2.35 million events, as
    observers are told to ask for.
    """
    return round(min(2.35e6 * 2 / 3 * plan.exptime / max(total, 1), 6500.0), 1)


def _set_flashes(plan: ExposurePlan, header: fits.Header) -> None:
    header["NUMFLASH"] = len(plan.flashes)
    previous = "NUMFLASH"
    for number, flash in enumerate(plan.flashes, 1):
        for keyword, value, comment in (
            (f"LMPDUR{number}", flash.off - flash.on, "duration of flash, seconds"),
            (f"LMP_ON{number}", flash.on, "lamp turn-on time, seconds since EXPSTART"),
            (f"LMPOFF{number}", flash.off, "lamp turn-off time, seconds since EXPSTART"),
            (
                f"LMPMED{number}",
                0.5 * (flash.on + flash.off),
                "median time of flash, seconds since EXPSTART",
            ),
        ):
            header.set(keyword, value, comment, after=previous)
            previous = keyword


def _set_subarray(plan: ExposurePlan, header: fits.Header) -> None:
    """Set one full-frame subarray per segment: number 0 for FUVA and NUV, 4 for FUVB."""
    size = (fuv.WIDTH, fuv.HEIGHT) if plan.detector == "FUV" else (1024, 1024)
    used = {"FUVA": 0, "FUVB": 4, "NUV": 0}
    present = {used[segment] for segment in plan.segments}
    header["NSUBARRY"] = len(present)
    previous = "NSUBARRY"
    for axis, letter in enumerate("XY"):
        for name in ("CORNER", "SIZE"):
            for number in range(8):
                keyword = f"{name}{number}{letter}"
                value = size[axis] if name == "SIZE" and number in present else 0
                header.set(
                    keyword,
                    value,
                    f"subarray {number} axis{axis + 1}, unbinned pixels",
                    after=previous,
                )
                previous = keyword


def _set_onboard_doppler(plan: ExposurePlan, viewing: Viewing, header: fits.Header) -> None:
    channel = GRATINGS[plan.opt_elem].channels[1 if plan.detector == "NUV" else 0]
    mode = setting(plan.opt_elem, plan.cenwave, channel)
    middle = 512.0 if plan.detector == "NUV" else 8192.0
    header["DOPPONT"] = True
    header["ORBTPERT"] = viewing.orbit_period
    header["DOPZEROT"] = viewing.doppler_zero
    header["DOPMAGT"] = (
        viewing.doppler_amplitude / LIGHT * plan.cenwave / float(mode.dispersion(middle))
    )


def _set_segment(plan: ExposurePlan, segment: str, events: int | None, header: fits.Header) -> None:
    letter = segment[-1]
    level = plan.hv_level(segment) if events is not None else _HV_OFF
    header[f"EXPTIME{letter}"] = plan.exptime if events is not None else 0.0
    header[f"NEVENTS{letter}"] = events if events is not None else -1
    rate = (events or 0) / plan.exptime
    header[f"DEVENT{letter}"] = rate
    header[f"FEVENT{letter}"] = rate * 1.01
    header[f"HVLEVEL{letter}"] = level
    header[f"DETHVC{letter}"] = voltage(level)
    header[f"DETHVN{letter}"] = voltage(level)
    header[f"DETHVL{letter}"] = round(voltage(level) - 57.0, 2)
    if plan.faults_of(FaultKind.HV_STEP, segment):
        header["EXPFLAG"] = "INTERRUPTED"
