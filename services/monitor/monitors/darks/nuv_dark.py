"""NUV dark rate: of the whole detector, outside the South Atlantic Anomaly, with its
temperature.
"""

from collections.abc import Iterator
from datetime import timedelta

from services.monitor.framework.declaration import Finding, Inputs, Monitor, Quantity, RunOutput
from services.monitor.framework.instrument_history import Dated
from services.monitor.monitors.darks import figures as dark_figures
from services.monitor.monitors.darks import rates as darks
from services.monitor.monitors.darks import rules as dark_rules
from services.monitor.monitors.darks.histograms import histogram_figure

__all__ = ["MONITOR"]

_PIXEL_CM2 = 6.25e-6
"""Area of a pixel, cm^2 (COS Instrument Handbook: 25 by 25 micrometres)."""

_EXPECTED = {
    "NUV": (
        Dated(55562.0, 4.5e-4, "mean rate at that time (STScI newsletter, January 2011)"),
        dark_rules.no_expected_rate(55593.0),
        Dated(
            55927.0, 7.3e-4, "exposure-time calculator of Cycle 19 (STScI newsletter, January 2011)"
        ),
        dark_rules.no_expected_rate(56293.0),
        Dated(60249.0, 1.25e-3, "exposure-time calculator, 2023"),
        Dated(60523.0, 204 * _PIXEL_CM2, "exposure-time calculator, 2024"),
    )
}
"""Rates that observers were told to expect, counts / (s pix).

None is known of other times before November 2023.
"""

_EXPLANATION = """
The dark rate of the NUV detector is phosphorescence of its window: it rises with temperature and
has risen with the age of the mission.

Each dark exposure is cut into 25-s bins; all events of the 1024 by 1024 pixels are counted (the
detector measures no pulse heights) and divided by the area and the time. Bins south of latitude 10
degrees and east of longitude 260 degrees, where the South Atlantic Anomaly is, and those within 500
km of its contour are left out. Multiply by 1 / 6.25e-6 to have counts per second and square
centimetre. The original COSMO divided by 1024 by 1204 pixels, so its rates are 0.850 of these.

An exponential in temperature is fitted to the darks of each year. The latest five are compared with
one in temperature and time through those of the two years before them, and with the rate that STScI
published for the time, where one is known: of January 2011 and of 2012 in a newsletter, and the
exposure-time calculator's since November 2023.
"""


def _findings(group: darks.DarkRates) -> Iterator[Finding]:
    yield from dark_rules.expected_findings(group, _EXPECTED["NUV"])
    yield from dark_rules.temperature_findings(group)
    yield from dark_rules.total_findings(group)
    yield from dark_rules.outlier_findings(group)


def _compute(inputs: Inputs) -> RunOutput:
    columns = inputs.get("rates")
    if columns is None or not len(columns["mjd"]):
        return RunOutput(newest_mjd=None)
    rates = darks.rates_of(columns)
    regions = sorted({group.region for group in rates})
    return RunOutput(
        newest_mjd=float(columns["mjd"].max()),
        values=[group.values for group in rates],
        figures=[
            dark_figures.rate_figure(rates, regions, _EXPECTED, temperature=True),
            histogram_figure(inputs["histogram"]),
            dark_figures.temperature_figure(rates),
        ],
        findings=[finding for group in rates for finding in _findings(group)],
        statistics=darks.statistics_of(rates),
    )


MONITOR = Monitor(
    name="nuv-dark",
    title="NUV dark rate",
    explanation=_EXPLANATION.strip(),
    detector="NUV",
    version=7,
    tables=frozenset({"darks"}),
    inputs={"ranges": darks.RANGES},
    parts=darks.darks_by_files(("NUV",), ("all", "legacy")),
    quantities={
        "dark_rate": Quantity(
            unit="count / (s pix)", description="Dark rate of an exposure outside the SAA"
        )
    },
    compute=_compute,
    cadence=timedelta(days=14),
    rules=dark_rules.NUV_RULES,
)
