"""Rules of the monitor of wavelengths."""

from services.monitor.framework.rules import Rule, always
from services.monitor.library.revised_tables import REVISION_RULES
from shared.database.models.monitoring import Severity

__all__ = ["OFF", "RULES", "ZERO_POINT"]

_SOURCE = "COS Instrument Handbook, 12.2: goals of 1.7 to 3.7 pix"

OFF = Rule(
    name="wavelengths",
    severity=Severity.ALERT,
    text="mean residual of the lines of a segment or stripe above {:g} pix",
    thresholds=always(3.0, _SOURCE),
)
ZERO_POINT = Rule(
    name="zero-point",
    severity=Severity.WARN,
    text="median of the mean residuals of a setting over a year above {:g} pix: a zero point for "
    "DISPTAB",
    thresholds=always(3.0, _SOURCE),
)
RULES = (OFF, ZERO_POINT, *REVISION_RULES)
