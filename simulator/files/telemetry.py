"""Engineering values of a support file.

Mechanisms, voltages and temperatures while an exposure ran.
"""

from typing import Final

import numpy as np

from shared.cos.instrument_history import aperture_position, volts
from simulator.cards import Card
from simulator.plan import ExposurePlan
from simulator.state import InstrumentState

__all__ = ["aperture_steps", "measured_volts", "mechanism_steps", "snapshot"]

_COUNTS_PER_STEP = 65536 / 12800
"""Coarse resolver counts per motor step: a turn of the wheel has 12,800 steps.

5.1 between neighbouring FP-POS in real
support files."""
_FINE_PER_STEP = 23.4
"""Fine resolver counts per step, modulo 256, in the same files."""

_OSM1: Final[dict[str, tuple[int, float, int, int, int, float]]] = {
    "G130M": (1309, 7991.1, 2217, 175, 171, 2.45),
    "G160M": (1589, 11199.1, 18663, 7, 51, 3.17),
    "G140L": (1105, 1596.1, 35080, 196, -677, 20.5),
    "NCM1": (0, 4793.1, 51412, 53, -88, 1.0),
}
_OSM2: Final[dict[str, tuple[int, float, int, int, int, float]]] = {
    "G185M": (1850, 1289.1, 12860, 31, 0, 1.9),
    "G225M": (2250, 3849.1, 25965, 31, 0, 1.7),
    "G285M": (2850, 6404.1, 39066, 31, 0, 2.1),
    "G230L": (2950, 11527.1, 65293, 72, 0, 20.4),
    "MIRRORA": (0, 8964.1, 52192, 183, 0, 1.0),
    "MIRRORB": (0, 9424.1, 54545, 8, 0, 1.0),
}
"""By optical element: central wavelength, and the motor step, coarse and fine resolver and focus
step read there in real support files (G225M and G285M: a fifth of a turn on each); Angstrom per
step of the wheel, which is STEPSIZE of WCPTAB times the dispersion."""

_OSM2_NAMES = {"MIRRORA": "TA1Image", "MIRRORB": "TA1Brght"}
_VOLTAGE_QUANTUM = 25.68
"""Step of the read-back voltage in V, and its excess of one to two steps, in five real support
files.
"""
_LVDT = (2762.0, 5.65, 126.1)
"""Aperture block: reading at a step, readings per step, that step (real support files of steps 125
to 235).
"""


def mechanism_steps(element: str, cenwave: int, fpoffset: int) -> tuple[float, int, int, float]:
    """Return the motor step, coarse and fine resolver and focus step of the wheel that carries an
    optical element.
    """
    centre, step, coarse, fine, focus, scale = {**_OSM1, **_OSM2}[element]
    moved = fpoffset + (round((cenwave - centre) / scale) if cenwave and centre else 0)
    return (
        step + moved,
        round(coarse + moved * _COUNTS_PER_STEP) % 65536,
        round(fine + moved * _FINE_PER_STEP) % 256,
        focus + 0.1,
    )


def measured_volts(commanded: float) -> float:
    """Return the read-back of a commanded high voltage in V."""
    return float(-_VOLTAGE_QUANTUM * (np.floor(-commanded / _VOLTAGE_QUANTUM) + 2.0))


def aperture_steps(plan: ExposurePlan) -> float:
    """Return the cross-dispersion step of the aperture block as telemetry shows it.

    An offset of one step is usual.
    """
    return aperture_position(plan.aperture, plan.life_adj, plan.detector) + (
        -1.0 if plan.detector == "NUV" else 1.0
    )


def snapshot(
    plan: ExposurePlan, state: InstrumentState, rates: dict[str, float], *, lamp_phase: bool
) -> list[Card]:
    """Return the cards of one telemetry snapshot (``SNAP1``).

    Parameters
    ----------
    plan
        The exposure.
    state
        The instrument during it.
    rates
        count / s of the event counters by detector.
    lamp_phase
        Whether the snapshot was taken while the lamp of an acquisition was on: the aperture block
        is at the WCA.
    """
    spectral = plan.opt_elem in _OSM1
    osm1 = plan.opt_elem if spectral else "NCM1"
    osm2 = "MIRRORA" if spectral else plan.opt_elem
    step1, coarse1, fine1, focus = mechanism_steps(
        osm1, plan.cenwave if spectral else 0, plan.fpoffset
    )
    step2, coarse2, fine2, _ = mechanism_steps(
        osm2, 0 if spectral else plan.cenwave, 0 if spectral else plan.fpoffset
    )
    aperture = "WCA" if lamp_phase else {"N/A": "PSA"}.get(plan.aperture, plan.aperture)
    block = aperture_steps(plan)
    at, per, origin = _LVDT
    temperatures = {name: state.detectors[name].temperature for name in ("FUVA", "FUVB", "NUV")}
    tube = -2050.19 if plan.detector == "NUV" else -1748.0
    lit = plan.lamp != "NONE" and (
        bool(plan.flashes) or lamp_phase or plan.exptype in ("WAVECAL", "FLAT")
    )
    cards: list[Card] = [
        ("LEXPOTIM", plan.exptime, "commanded exposure time"),
        ("LSHPOS", "Closed" if plan.exptype == "DARK" else "Open", "external shutter position"),
        ("LDETSET", plan.detector, "active detector"),
        ("LDCSTATE", _voltage_state(plan), "high voltage state"),
        ("LMMCETMP", round(temperatures["NUV"], 4), "MAMA tube temperature"),
        ("LMMCPV", tube - 4.37, "MAMA high voltage"),
        ("LMMCPI", 46.8376, "MAMA current"),
        ("LMEVENTS", rates.get("NUV", 0.0), "MAMA event counter"),
        ("LMGLBTHR", 20000.0, "MAMA global threshold"),
        ("LAPXSTP", block, "aperture cross-dispersion step"),
        ("LAPDSTP", 22.1, "aperture dispersion step"),
        ("LAPXLVDT", round(at + per * (block - origin)), "aperture cross-dispersion LVDT"),
        ("LAPDLVDT", 2477, "aperture dispersion LVDT"),
        ("LAPMPOS", aperture, "aperture mechanism position"),
        ("LAPERTUR", aperture, "aperture mechanism"),
        ("LLIFTIME", f"LP{plan.life_adj}", "aperture lifetime position"),
        ("LOM1STP", step1, "OSM1 motor step position"),
        ("LOM2STP", step2, "OSM2 motor step position"),
        ("LOMFSTP", focus, "OSM1 focus motor step position"),
        ("LOM1POSC", coarse1, "OSM1 resolver coarse position"),
        ("LOM1POSF", fine1, "OSM1 resolver fine position"),
        ("LOM2POSC", coarse2, "OSM2 resolver coarse position"),
        ("LOM2POSF", fine2, "OSM2 resolver fine position"),
        ("LOSMLAMB", plan.cenwave, "OSM grating central wavelength"),
        ("LOSM1POS", osm1, "OSM1 mechanism position"),
        ("LOSM2POS", _OSM2_NAMES.get(osm2, osm2), "OSM2 mechanism position"),
        ("LPNLMP1T", round(8.0 + 3.0 * lit, 2), "Pt/Ne lamp 1 temperature"),
        ("LPNLMP2T", 8.0, "Pt/Ne lamp 2 temperature"),
        ("LPNLMP1I", 0.0099 if lit and plan.lamp == "P1" else 0.000125, "Pt/Ne lamp 1 current"),
        ("LPNLMP2I", 0.0099 if lit and plan.lamp == "P2" else 0.000125, "Pt/Ne lamp 2 current"),
    ]
    for segment in ("FUVA", "FUVB"):
        letter = segment[-1]
        commanded = volts(plan.hv_level(segment) or 100)
        cards += [
            (
                f"LDCAMP{letter}T",
                round(temperatures[segment], 4),
                f"amplifier {letter} temperature",
            ),
            (
                f"LDCHVMN{letter}",
                round(measured_volts(commanded), 2),
                f"high voltage output {letter}",
            ),
            (f"LDCHVST{letter}", round(commanded, 2), f"high voltage commanded {letter}"),
            (f"LDCHVNM{letter}", round(commanded, 2), f"high voltage nominal {letter}"),
            (f"LDCEDEC{letter}", rates.get(segment, 0.0), f"digitized event counter {letter}"),
            (f"LDCEFEC{letter}", rates.get(segment, 0.0), f"fast event counter {letter}"),
            (
                f"LDCESTM{letter}",
                "Low" if segment in plan.segments else "Off",
                f"stim setting {letter}",
            ),
            (f"LDCCRPC{letter}", 60000.0, f"count rate protection {letter}"),
            (
                f"LDCIMON{letter}",
                35.157 if segment in plan.segments else 21.094,
                f"high voltage current {letter}",
            ),
        ]
    return [*cards, ("LDCCRPIA", 10.0, "count rate protection interval")]


def _voltage_state(plan: ExposurePlan) -> str:
    return (
        f"Nom{plan.segments[0][-1]}"
        if plan.detector == "FUV" and len(plan.segments) == 1
        else "NomAB"
    )
