"""Lamps of the wavelength calibration: rates, template scales, hours, and what they are held to."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np

from services.monitor.framework.declaration import (
    Inputs,
    Monitor,
    Quantity,
    RowQuery,
    RunOutput,
)
from services.monitor.framework.increments import file_ranges
from services.monitor.framework.rules import Finding
from services.monitor.framework.statistics import describe, summarise
from services.monitor.library.exposure_values import finding_of, recent
from services.monitor.library.lamp_flashes import (
    RANGES,
    counts_of,
    flashes_by_files,
    in_time_order,
)
from services.monitor.library.shown_rows import shown
from services.monitor.monitors.lamps.brightness import (
    Brightness,
    brightness_values,
    warm_up_values,
)
from services.monitor.monitors.lamps.figures import lamp_figures
from services.monitor.monitors.lamps.rules import FAINT, LENGTH, LOW, RULES
from services.monitor.monitors.lamps.trends import trend_values, trends_of
from services.monitor.monitors.lamps.usage import (
    exposures_query,
    hours_before,
    usage_values,
    usages_of,
)
from shared.database.models.science import ScheduledExposure

__all__ = ["MONITOR"]

_EXPLANATION = """
Platinum-neon lamps (P1, and P2 as the spare) give the lines that wavelengths are calibrated by. The
rate of a flash is the sum of its spectrum above the background; it is compared with the median of
the first year of its group: one lamp at one current, in one segment, grating, central wavelength
and, of the FUV, lifetime position. The template scale is the factor of the lamp's template that
fits the spectrum best, at the place where CalCOS found it. Errors are those of the counts.

Lines through the relative rates of a group, against time and against the hours that its lamp had
burnt at the current, show how the lamp fades; that the detector loses sensitivity is in them. Hours
are the sum of all flashes, and of the time of exposures to the lamp alone. The first flash over the
mean of the later ones of an exposure shows how the lamp warms up.

The length of a flash is compared with that of the schedule report, where there is one; a flash that
the end of the exposure cut off is not. A flash that was copied from another segment and one at no
lifetime position (LIFE_ADJ -1) are kept and shown as such, and enter no statistic; so are faint
ones and those in which no lines were found, but these are held to the rules.
"""


def _commands_query() -> RowQuery:
    """Return the query for the lengths of flashes that the schedule commands, s."""
    return shown(
        ScheduledExposure,
        ScheduledExposure.rootname,
        ScheduledExposure.flash_duration.label("flash_duration"),
    ).order_by(ScheduledExposure.expstart, ScheduledExposure.id)


def _findings(lamps: Brightness) -> Iterator[Finding]:
    columns = lamps.columns
    newest = recent(columns["mjd"])
    counts = counts_of(columns)
    for rule, hit, value, words in (
        (FAINT, lamps.faint, counts, "{:.0f} counts"),
        (LOW, lamps.low, lamps.relative, "{:.2f} of the rate of the first year of its group"),
        (LENGTH, lamps.long, columns["exptime"], "lasts {:.1f} s"),
    ):
        for index in np.flatnonzero(hit & newest):
            segment, number = columns["segment"][index], columns["flash"][index]
            message = (
                f"flash {number:.0f} of {columns['rootname'][index]}, {segment}, lamp "
                f"{columns['lampused'][index]}: {words.format(value[index])}"
            )
            if rule is LENGTH:
                message += f" instead of {lamps.commanded[index]:.0f} s"
            yield finding_of(
                rule,
                columns,
                index,
                message,
                value[index],
                configuration=f"{segment} flash {number:.0f}",
            )


def _statistics(lamps: Brightness) -> dict[str, Any]:
    """Return the statistics of rates of each group, and of what is left out by its reason."""
    columns = lamps.columns
    found: dict[str, Any] = {}
    for group in lamps.groups:
        rows = group.rows[lamps.counted[group.rows]]
        if len(rows):
            found[f"{group.name} rate"] = summarise(columns["mjd"][rows], columns["rate"][rows])
    for reason in sorted(set(lamps.status[~lamps.counted].tolist())):
        left = columns["rate"][lamps.status == reason]
        found[f"left out, {reason}: rate"] = {"mission": describe(left)}
    return found


def _compute(inputs: Inputs) -> RunOutput:
    flashes = inputs.get("flashes")
    if flashes is None or not len(flashes["mjd"]):
        return RunOutput(newest_mjd=None)
    columns = in_time_order(flashes, np.arange(len(flashes["mjd"])))
    exposures = inputs["exposures"]
    usages = usages_of(exposures)
    hours = hours_before(columns, usages)
    lamps = Brightness.of(columns, exposures, inputs["commands"], hours)
    newest = float(columns["mjd"][-1])
    return RunOutput(
        newest_mjd=newest,
        values=[
            *brightness_values(lamps),
            warm_up_values(lamps),
            *(usage_values(usage) for usage in usages),
            *trend_values(trends_of(lamps), newest),
        ],
        figures=lamp_figures(lamps, usages),
        findings=list(_findings(lamps)),
        statistics=_statistics(lamps),
    )


MONITOR = Monitor(
    name="lamps",
    title="Calibration lamps",
    explanation=_EXPLANATION.strip(),
    detector="FUV and NUV",
    version=1,
    tables=frozenset({"lampflash", "quality", "sms"}),
    inputs={
        RANGES: file_ranges({"lampflash"}),
        "exposures": exposures_query(),
        "commands": _commands_query(),
    },
    parts={"by_files": flashes_by_files("FUV", "NUV")},
    quantities={
        "rate": Quantity(unit="count / s", description="Sum of the net spectrum of a flash"),
        "relative_rate": Quantity(
            unit="", description="Rate over the median of the first year of its group"
        ),
        "template_scale": Quantity(
            unit="1 / s", description="Factor of the lamp template that fits the spectrum best"
        ),
        "length": Quantity(unit="s", description="Time that the lamp was on in a flash"),
        "warm_up": Quantity(
            unit="", description="Rate of the first flash over the mean of the later ones"
        ),
        "hours": Quantity(
            unit="h", description="Time that a lamp had burnt at a current by the end of it"
        ),
        "trend": Quantity(unit="% / yr", description="Change of the relative rate with time"),
        "trend_hours": Quantity(
            unit="%", description="Change of the relative rate in 100 lamp-on hours"
        ),
    },
    compute=_compute,
    cadence=timedelta(days=30),
    rules=RULES,
)
