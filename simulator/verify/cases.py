"""The cases that are injected and recovered: every mode of the instrument."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from simulator.instrument.modes import BOA_TRANSMISSION
from simulator.plan import Association, ExposurePlan, Fault, FaultKind, Flash, Spectrum, Target

__all__ = ["CASES", "Case"]

_FUV_SHIFTS = {"FUVA": (1.7, 0.8), "FUVB": (-2.3, -0.5)}
_G140L_SHIFTS = {
    "FUVA": (1.7, 0.8),
    "FUVB": (1.7, 0.8),
}  # no lamp lines in FUVB: CalCOS takes those of FUVA
_NUV_SHIFTS = {"NUVA": (-3.4, 0.6), "NUVB": (-3.1, 0.6), "NUVC": (-2.8, 0.6)}
# CalCOS rounds the shifts of ACCUM exposures to whole pixels; with the FP-POS these are at most 0.2
# pixel from one.
_NUV_ACCUM_SHIFTS = {"NUVA": (-3.2, 0.6), "NUVB": (-3.1, 0.6), "NUVC": (-2.8, 0.6)}
_RA, _DEC = 47.4495, -56.39698
_START = 57000.1
_DAY = 86400.0


@dataclass(frozen=True)
class Case:
    """Exposures that are simulated and calibrated together.

    Attributes
    ----------
    name
        Of the case.
    members
        Exposures; an association where they name one.
    shifts
        Displacements along dispersion and cross-dispersion by channel, pixels.
    """

    name: str
    members: tuple[ExposurePlan, ...]
    shifts: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def association(self) -> Association | None:
        """The association, if there is one."""
        root = self.members[0].association
        return Association(root, self.members) if root else None


def _target(flux: float, spacing: float, strength: float) -> Target:
    spectrum = Spectrum(flux, -1.0, spacing, strength)
    return Target("WD0308-565", _RA, _DEC, "STAR;DB", spectrum, imaging_rate=120.0, standard=True)


def _flashes(exptime: float) -> tuple[Flash, ...]:
    return Flash(0.0, 12.0), Flash(exptime - 40.0, exptime - 28.0)


def _fuv(number: int, opt_elem: str, cenwave: int, target: Target, **changes: Any) -> ExposurePlan:
    plan = ExposurePlan(
        rootname=f"lsv1{number:02d}a0q",
        proposal=90001,
        linenum=f"{number:02d}.001",
        start=_START + number,
        exptime=600.0,
        detector="FUV",
        obsmode="TIME-TAG",
        exptype="EXTERNAL/SCI",
        opt_elem=opt_elem,
        cenwave=cenwave,
        target=target,
        life_adj=3,
        hv_level_a=167,
        hv_level_b=169,
        flashes=_flashes(600.0),
    )
    return replace(plan, **changes)


def _nuv(number: int, opt_elem: str, cenwave: int, target: Target, **changes: Any) -> ExposurePlan:
    plan = _fuv(number, opt_elem, cenwave, target, detector="NUV", segment="N/A", life_adj=1)
    return replace(plan, **{"hv_level_a": 0, "hv_level_b": 0} | changes)


def _associated(*plans: ExposurePlan) -> tuple[ExposurePlan, ...]:
    """Return the exposures one after the other in one association."""
    root = f"{plans[0].rootname[:6]}010"
    start, members = plans[0].start, []
    for index, plan in enumerate(plans):
        rootname = f"{plan.rootname[:7]}{index}q"
        kind = plan.member_type or "EXP-FP"
        changes: dict[str, Any] = {
            "rootname": rootname,
            "start": start,
            "association": root,
            "member_type": kind,
        }
        members.append(replace(plan, linenum=f"{plan.linenum[:3]}{index + 1:03d}", **changes))
        start += (plan.exptime + 120.0) / _DAY
    return tuple(members)


def _wavecal(plan: ExposurePlan, member_type: str, exptime: float = 60.0) -> ExposurePlan:
    return replace(
        plan,
        exptype="WAVECAL",
        aperture="WCA",
        exptime=exptime,
        flashes=(),
        target=Target("WAVE", _RA, _DEC, "CALIBRATION"),
        member_type=member_type,
    )


def _dazzling(target: Target) -> Target:
    """Make a target so bright that it takes the BOA."""
    if target.spectrum is None:
        raise ValueError(f"{target.name} has no spectrum")
    return replace(
        target, spectrum=replace(target.spectrum, flux=target.spectrum.flux / BOA_TRANSMISSION)
    )


def _burst(plan: ExposurePlan) -> ExposurePlan:
    fault = Fault(FaultKind.BURST, 300.0, 330.0, 4000.0)
    return replace(plan, faults=(fault,), overrides={"BRSTCORR": "PERFORM"})


def _dark(plan: ExposurePlan) -> ExposurePlan:
    target = Target("DARK", 0.0, 0.0, "CALIBRATION")
    return replace(
        plan, exptype="DARK", aperture="N/A", flashes=(), lamp="NONE", target=target, exptime=1330.0
    )


_G130M = _target(3e-14, 5.0, 0.8)
_G160M = _target(5e-14, 6.0, 1.0)
_G140L = _target(8e-15, 30.0, 6.0)
_MEDIUM_NUV = _target(4e-13, 5.0, 1.5)
_LOW_NUV = _target(6e-14, 50.0, 15.0)
_IMAGED = replace(_MEDIUM_NUV, imaging_rate=500.0)
_BRIGHT = replace(_MEDIUM_NUV, imaging_rate=8000.0)


def _cases() -> list[Case]:
    g130m = [_fuv(1, "G130M", 1291, _G130M, fppos=fppos) for fppos in (3, 4)]
    boxcar = _fuv(2, "G130M", 1327, _G130M, extraction="BOXCAR", life_adj=1)
    g160m = [_fuv(3, "G160M", 1600, _G160M, fppos=fppos, life_adj=4) for fppos in (1, 2, 3, 4)]
    g140l = _fuv(4, "G140L", 1280, _G140L, life_adj=2)
    segment = _fuv(5, "G140L", 1105, _G140L, segment="FUVA", hv_level_b=0)
    accum = _fuv(6, "G130M", 1309, _G130M, obsmode="ACCUM", flashes=())
    split = _fuv(7, "G160M", 1577, _G160M, life_adj=6, flashes=())
    blue = _fuv(8, "G130M", 1222, _G130M, life_adj=5)
    dimmed = _fuv(11, "G160M", 1623, _dazzling(_G160M), aperture="BOA", life_adj=4, flashes=())
    cases = [
        Case(
            "FUV G130M/1291 LP3 TAGFLASH TWOZONE, FP-POS 3 and 4", _associated(*g130m), _FUV_SHIFTS
        ),
        Case("FUV G130M/1327 LP1 TAGFLASH BOXCAR", (boxcar,), _FUV_SHIFTS),
        Case("FUV G160M/1600 LP4 TAGFLASH, FP-POS 1 to 4", _associated(*g160m), _FUV_SHIFTS),
        Case("FUV G140L/1280 LP2 TAGFLASH", (g140l,), _G140L_SHIFTS),
        Case("FUV G140L/1105 LP2, segment A only", (segment,), _FUV_SHIFTS),
        Case("FUV G130M/1222 LP5 TAGFLASH", (blue,), _FUV_SHIFTS),
        Case(
            "FUV G130M/1309 ACCUM, auto wavecal",
            _associated(accum, _wavecal(accum, "EXP-AWAVE")),
            _FUV_SHIFTS,
        ),
        Case(
            "FUV G160M/1577 LP6, split wavecals",
            _associated(_wavecal(split, "EXP-SWAVE"), split, _wavecal(split, "EXP-SWAVE")),
            _FUV_SHIFTS,
        ),
        Case(
            "FUV G160M/1623 LP4 BOA, auto wavecal",
            _associated(dimmed, _wavecal(dimmed, "EXP-AWAVE")),
            _FUV_SHIFTS,
        ),
        Case("FUV dark", (_dark(_fuv(9, "G130M", 1291, _G130M)),)),
        Case("FUV dark with a burst", (_burst(_dark(_fuv(10, "G130M", 1291, _G130M))),)),
    ]
    gratings = (
        ("G185M", 1850, _MEDIUM_NUV),
        ("G225M", 2250, _MEDIUM_NUV),
        ("G285M", 2850, _MEDIUM_NUV),
    )
    for number, (opt_elem, cenwave, target) in enumerate(
        (*gratings, ("G230L", 2950, _LOW_NUV)), 20
    ):
        plan = _nuv(number, opt_elem, cenwave, target)
        cases.append(Case(f"NUV {opt_elem}/{cenwave} TAGFLASH", (plan,), _NUV_SHIFTS))
    accum = _nuv(25, "G185M", 1921, _MEDIUM_NUV, obsmode="ACCUM", flashes=(), fppos=2)
    go = _wavecal(accum, "EXP-GWAVE")
    cases.append(
        Case("NUV G185M/1921 ACCUM, GO wavecal", _associated(accum, go), _NUV_ACCUM_SHIFTS)
    )
    dimmed = _nuv(29, "G225M", 2306, _dazzling(_MEDIUM_NUV), aperture="BOA", flashes=())
    wavecal = _wavecal(dimmed, "EXP-AWAVE")
    cases.append(
        Case("NUV G225M/2306 BOA, auto wavecal", _associated(dimmed, wavecal), _NUV_SHIFTS)
    )
    image = _nuv(27, "MIRRORA", 0, _IMAGED, exptime=300.0, flashes=_flashes(300.0))
    cases.append(Case("NUV imaging MIRRORA, TAGFLASH", _associated(image, image), _NUV_SHIFTS))
    faint = _nuv(28, "MIRRORB", 0, _BRIGHT, exptime=400.0, obsmode="ACCUM", flashes=(), lamp="NONE")
    cases.append(Case("NUV imaging MIRRORB, ACCUM", (faint,), _NUV_SHIFTS))
    cases.append(Case("NUV dark", (_dark(_nuv(26, "G185M", 1850, _MEDIUM_NUV)),)))
    return cases


CASES = {case.name: case for case in _cases()}
"""All cases by name."""
