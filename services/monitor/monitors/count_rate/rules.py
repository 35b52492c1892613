"""Rules of the monitor of count rates."""

from services.monitor.framework.rules import Rule, always
from services.monitor.monitors.count_rate.event_rates import STRIPE_LIMIT
from shared.database.models.monitoring import Severity

__all__ = [
    "EMITTING",
    "GLOBAL",
    "IRREGULAR_SOURCE",
    "LOCAL",
    "RULES",
    "SATURATED",
    "SECOND",
    "SHUT",
    "STRIPE",
    "STRIPES",
]

_INFERRED = "inference"


def _shares(name: str, text: str) -> tuple[Rule, ...]:
    """Make the rules of a rate that is compared with its limit, most severe first."""
    return tuple(
        Rule(
            name=name,
            severity=severity,
            text=text + " above {:.0%} of its limit",
            thresholds=always(share, _INFERRED),
        )
        for share, severity in (
            (1.0, Severity.CRITICAL),
            (0.8, Severity.ALERT),
            (0.5, Severity.WARN),
        )
    )


GLOBAL = _shares("global-rate", "global rate")
SECOND = _shares(
    "brightest-second", "counts of the brightest second, where the global rate is not as severe,"
)
LOCAL = _shares(
    "local-rate", "count rate of the brightest place, by 5 sigma of its counts, lamps aside,"
)
STRIPE = _shares("stripe-rate", "count rate of the brightest stripe of an NUV spectrum")
STRIPES = Rule(
    name="stripe",
    severity=Severity.ALERT,
    text="all stripes of an NUV spectrum that was not extracted together above {:,.0f} / s, the "
    "limit of one of them",
    thresholds=STRIPE_LIMIT.thresholds,
)
SHUT = Rule(
    name="shut-off",
    severity=Severity.CRITICAL,
    text="any counter above the rate at which the instrument switches the high voltage down",
    source="COS Instrument Handbook, table 10.1",
)
IRREGULAR_SOURCE = Rule(
    name="irregular",
    severity=Severity.INFO,
    text="global rate, or that of a stripe, above the limit for irregular sources, with the "
    "shutter open",
    source="COS Instrument Handbook, table 10.1",
)
SATURATED = Rule(
    name="saturation",
    severity=Severity.WARN,
    text="FEVENT over DEVENT above {}, from 100 counts / s on: more events are lost than the "
    "electronics should lose",
    thresholds=always(1.2, _INFERRED),
)
EMITTING = Rule(
    name="field-emission",
    severity=Severity.CRITICAL,
    text="a dark counts more than {:.0f} / s, and half as much again, above the line through those "
    "about it",
    thresholds=always(100.0, "inference from FUVA on 2012-04-30 (COS Instrument Handbook)"),
)

RULES = (*GLOBAL, *SECOND, *LOCAL, *STRIPE, STRIPES, IRREGULAR_SOURCE, SHUT, EMITTING, SATURATED)
"""All of them.

Their limits are those of `services.monitor.monitors.count_rate.event_rates`.
"""
