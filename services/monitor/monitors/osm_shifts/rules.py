"""Rules of the monitors of shifts."""

from services.monitor.framework.rules import Rule, always
from shared.database.models.monitoring import Severity

__all__ = [
    "ACROSS_PAIR",
    "ALONG_PAIR",
    "EDGE",
    "FUV_RULES",
    "LOST",
    "MEDIAN",
    "NUV_RULES",
    "OFF_BOX",
    "STRIPE_DAYS",
    "STRIPE_PAIR",
]

_UPSTREAM = "OSM shift monitors of ``spacetelescope/cosmo``"

ALONG_PAIR = Rule(
    name="segments-along",
    severity=Severity.WARN,
    text="shifts of FUVA and FUVB along dispersion differ by more than {:g} pix, without FP-POS "
    "where the template is at hand",
    thresholds=always(10.0, _UPSTREAM),
)
ACROSS_PAIR = Rule(
    name="segments-across",
    severity=Severity.WARN,
    text="shifts of FUVA and FUVB across dispersion differ by more than {:g} pix",
    thresholds=always(5.0, _UPSTREAM),
)
STRIPE_PAIR = Rule(
    name="stripes",
    severity=Severity.WARN,
    text="the difference of two stripes is off the median of those of its setting before it by "
    "{:g} sigma, of their median absolute deviation or its own error",
    thresholds=always(
        5.0, "inference: a limit of standard deviations of the mission grows with its outliers"
    ),
)
STRIPE_DAYS = 180.0
"""Days of the median that the difference of two stripes is compared with."""

EDGE = Rule(
    name="search-box",
    severity=Severity.ALERT,
    text="shift without FP-POS within {:g} pix of the side of the box that CalCOS looks in",
    thresholds=always(10.0, "inference: beyond the side no spectrum is found"),
)
LOST = Rule(
    name="not-found",
    severity=Severity.WARN,
    text="no lamp spectrum found among {:g} counts or more where the template has lines",
    thresholds=always(50.0, "CalCOS 3.6.2, findshift1.py: with fewer it does not look"),
)
MEDIAN = Rule(
    name="zero-point",
    severity=Severity.INFO,
    text="median of the shifts without FP-POS of a setting over a year above {:g} pix: a zero "
    "point for LAMPTAB",
    thresholds=always(5.0, "inference"),
)
OFF_BOX = Rule(
    name="box-offset",
    severity=Severity.INFO,
    text="median of the shifts without FP-POS of a grating over a year further than {:.0%} of "
    "XC_RANGE from the middle of the box that CalCOS looks in: a SEARCH_OFFSET for WCPTAB",
    thresholds=always(0.25, "inference: drifts of a few years are as large"),
)
FUV_RULES = (ALONG_PAIR, ACROSS_PAIR, EDGE, LOST, MEDIAN, OFF_BOX)
NUV_RULES = (STRIPE_PAIR, EDGE, LOST, MEDIAN, OFF_BOX)
