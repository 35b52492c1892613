"""Rules of the gain as data: of superpixels, of regions in use, and of what is delivered."""

from services.monitor.framework.rules import Rule, always
from shared.database.models.monitoring import Severity

__all__ = [
    "CHECKED",
    "COLUMNS_SAG",
    "LATEST",
    "LOW_GAIN",
    "OFF_LINE",
    "RAPID",
    "RAPID_DAYS",
    "RECENT_DAYS",
    "RULES",
    "SAGGED",
    "SAG_DATE",
]

LATEST = 5
"""Exposures whose median is compared with the least gain."""

RECENT_DAYS = 30.0
"""Superpixels that sagged within these days before the newest map are new."""

RAPID_DAYS = 28.0
"""Between two gains that are compared (legacy gain monitor)."""

_HISTORY = "history text of the GSAGTABs"

SAGGED = Rule(
    name="sagged",
    severity=Severity.WARN,
    text=f"a superpixel's gain is {{:.0f}} bins or less for the first time in the last "
    f"{RECENT_DAYS:.0f} d",
    thresholds=always(3.0, _HISTORY),
)
"""Modal gain, in bins, at which a superpixel has lost 5 % of its flux."""

LOW_GAIN = Rule(
    name="low-gain",
    severity=Severity.ALERT,
    text=f"median gain of the last {LATEST} exposures of a region in use below {{:.0f}} bins",
    thresholds=always(
        5.0, "inference from the legacy monitor's rule of thumb for the loss of flux"
    ),
)
"""Below it spectra lose flux: 2 % at 3 bins above the pulse-height threshold of 2."""

SAG_DATE = Rule(
    name="sag-date",
    severity=Severity.WARN,
    text=f"projected date of gain {SAGGED.now:.0f} of a region in use within {{:.0f}} d",
    thresholds=always(90.0, f"{_HISTORY}; 90 d are an inference"),
)
"""Days ahead within which a projected date alarms, and back within which a region counts as in use.
"""

COLUMNS_SAG = Rule(
    name="columns-sag",
    severity=Severity.WARN,
    text=f"projected dates within {SAG_DATE.now:.0f} d in {{:.0f}} columns or more that are in use",
    thresholds=always(10.0, f"{_HISTORY}; 90 d and 10 columns are inferences"),
)

RAPID = Rule(
    name="rapid-change",
    severity=Severity.WARN,
    text=f"gain of a superpixel changes by more than {{:.0f}} bins in less than {RAPID_DAYS:.0f} d",
    thresholds=always(5.0, "legacy gain monitor"),
)

OFF_LINE = Rule(
    name="outlier",
    severity=None,
    text="median gain of an exposure off the line of median slope through neighbouring exposures "
    "of its configuration by {:g} sigma, in a "
    "region or in all of its segment together",
    thresholds=always(5.0, "inference: fewer than one exposure of a mission by chance"),
)

CHECKED = Rule(
    name="delivery-check",
    severity=Severity.ALERT,
    text="a PHAFILE has the right header and images",
    thresholds=always(0.0, "rules of delivery"),
)

RULES = (SAGGED, LOW_GAIN, SAG_DATE, COLUMNS_SAG, RAPID, OFF_LINE, CHECKED)
"""Those of the gain monitor."""
