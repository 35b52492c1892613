"""Rules of the monitor of lamps."""

from services.monitor.framework.rules import Rule, always
from services.monitor.library.lamp_flashes import LEAST_COUNTS
from shared.database.models.monitoring import Severity

__all__ = ["CUT", "FAINT", "LEAST_OF_GROUP", "LENGTH", "LOW", "RULES"]

FAINT = Rule(
    name="faint",
    severity=Severity.INFO,
    text="fewer than {:g} counts in a flash of a segment whose template has lines",
    thresholds=always(LEAST_COUNTS, "CalCOS 3.6.2, findshift1.py: with fewer it does not look"),
)
LOW = Rule(
    name="low",
    severity=Severity.WARN,
    text="rate of a flash below {:g} of the median of its group, by 3 sigma",
    thresholds=always(0.5, "inference"),
)
LEAST_OF_GROUP = 10
"""Flashes of a group without which its median says nothing."""

LENGTH = Rule(
    name="length",
    severity=Severity.WARN,
    text="a flash is shorter or longer by {:g} s or more than the schedule report commands",
    thresholds=always(1.0, "inference: CalCOS finds the ends of flashes to 0.2 s"),
)
CUT = 1.0
"""Seconds before the end of the exposure at which a flash may end that the end has cut off."""

RULES = (FAINT, LOW, LENGTH)
