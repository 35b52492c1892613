"""NUV stripes: Doppler correction and wavelengths of the events in a stripe, instead of all events
for each stripe.

Rewrites the passages of ``timetag.doDoppcorr`` and ``timetag.computeWavelengths`` that evaluate a
dispersion relation for every event and then keep those of one of the three stripes, or of its
wavecal. Each event's value depends on that event alone, in double precision, and is rounded once
when it is put into its column; only those that are kept are computed. Saves 0.2 s for an exposure
of half a million events.
"""

from typing import Any

from services.calibrator.acceleration.forms import is_array
from services.calibrator.acceleration.registry import Change, Edit, Function, Replacement, rewritten

__all__ = ["REPLACEMENT"]

_DOPPLER = """\
                dopp[:] = np.where(region_flags_dict[stripe],
                                   dopplerCorrection(events.field("time"),
                                                     xi, info, reffiles,
                                                     stripe=stripe),
                                   dopp)
"""
_DOPPLER_PROVEN = '_accelerated_floats(events.field("time"), xi, dopp)'
_DOPPLER_OF_STRIPE = """\
                chosen = region_flags_dict[stripe]
                dopp[chosen] = dopplerCorrection(
                    events.field("time")[chosen], xi[chosen], info, reffiles, stripe=stripe
                )
"""


_WAVELENGTHS_PROVEN = "_accelerated_floats(xi_full, wavelength)"


def _make_doppler(original: Function) -> Function:
    return rewritten(original, [(_DOPPLER, _DOPPLER_OF_STRIPE, _DOPPLER_PROVEN)], floats=_floats)


def _make_wavelengths(original: Function) -> Function:
    edits: list[Edit] = []
    for aperture in ("psa", "wca"):
        flags, values = f"{aperture}_region_flags_dict[segment]", f"{aperture}_wavelength"
        edits += [
            (
                f"            {values} = {aperture}_disp_rel.evalDisp(xi_full)\n",
                f"            {values} = {aperture}_disp_rel.evalDisp(xi_full[{flags}])\n",
                _WAVELENGTHS_PROVEN,
            ),
            (
                f"            wavelength[:] = np.where({flags},\n{' ' * 37}{values}, wavelength)\n",
                f"            wavelength[{flags}] = {values}\n",
                _WAVELENGTHS_PROVEN,
            ),
        ]
    return rewritten(original, edits, floats=_floats)


def _floats(*columns: Any) -> bool:
    """Return whether columns of events are numbers in single precision."""
    return all(is_array(column, "f4") for column in columns)


REPLACEMENT = Replacement(
    "stripes",
    [
        Change(
            "calcos.timetag:doDoppcorr",
            "ef6f3bf846b5245c3aab3409877e95338eac4c368b4a1c260b0648b6eae962c1",
            _make_doppler,
        ),
        Change(
            "calcos.timetag:computeWavelengths",
            "bf479b48e3489df371a9edd421c76e4d626edd1e70a77e14dd742833746b6634",
            _make_wavelengths,
        ),
    ],
    {
        "calcos.timetag:dopplerCorrection": "5bbf8d2afa5d304b0795fe830cbb47c7ddf00834b9606c06344e7b97bef683a5",
        "calcos.timetag:orbitalDoppler": "2213fdbd6aa79473e1d3a7fe099c956fb014469eb9075bc2a595d1a1b5da5a9b",
        "calcos.dispersion:Dispersion.evalDisp": "6bc1fac95b2c4b77025eddab426bfdcebd549b672fafc830fbcd7a61565e3604",
        "calcos.dispersion:Dispersion.evalDerivDisp": (
            "d23db984e5b02c8fee8605adae9b2da656848d2a6db5ed975d05383b388146a1"
        ),
    },
)
