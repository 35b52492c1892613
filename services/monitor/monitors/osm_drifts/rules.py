"""Rules of the monitors of drifts."""

from services.monitor.framework.rules import Rule, always
from services.monitor.library.lamp_flashes import RESOLUTION
from shared.database.models.monitoring import Severity

__all__ = ["FAR", "FAST", "FAST_SIGMAS", "FAST_SINCE"]

FAST_SINCE = 600.0
"""Seconds after a move before which any drift is usual."""

FAST_SIGMAS = 3.0
"""Errors that a drift must exceed its limit by: of flashes soon after each other it says little."""

FAST = Rule(
    name="fast",
    severity=Severity.WARN,
    text=f"{FAST_SINCE:.0f} s and more after the last move the spectrum creeps along dispersion by "
    f"more than {{:g}} pix/s, by {FAST_SIGMAS:.0f} sigma",
    thresholds=always(5e-3, "inference: twice the fastest drift of real FUV exposures"),
)

FAR = {
    detector: Rule(
        name="far",
        severity=Severity.WARN,
        text="within an exposure the spectrum creeps along dispersion by more than one resolution "
        "element, {:g} pix",
        thresholds=always(width, "RESWIDTH of WCPTAB"),
    )
    for detector, width in RESOLUTION.items()
}
"""By detector."""
