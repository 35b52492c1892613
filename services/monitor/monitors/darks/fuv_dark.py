"""FUV dark rate: by segment and region of the detector, outside the South Atlantic Anomaly."""

from collections.abc import Iterator
from datetime import timedelta

from services.monitor.framework.declaration import Finding, Inputs, Monitor, Quantity, RunOutput
from services.monitor.framework.instrument_history import Dated
from services.monitor.monitors.darks import figures as dark_figures
from services.monitor.monitors.darks import rates as darks
from services.monitor.monitors.darks import rules as dark_rules
from services.monitor.monitors.darks.histograms import histogram_figure

__all__ = ["MONITOR"]

_SEGMENTS = ("FUVA", "FUVB")
_REGIONS = ("inner", "legacy", "bottom", "top", "left", "right")
_MAIN = ("inner", "legacy")
"""Regions that rules apply to: where spectra fall."""

_PIXEL_CM2 = 1.44e-6
"""Area of a pixel, cm^2 (COS Instrument Handbook: 6 by 24 micrometres)."""

_ETC_2013 = "exposure-time calculator, June 2013 (STScI newsletter of that month)"
_BOTH_2009 = Dated(
    54962.0, 4.37e-6, "exposure-time calculator before June 2013 (STScI newsletter, June 2013)"
)
_BOTH_2015 = Dated(
    57204.0, 4.0e-6, "exposure-time calculator, summer of 2015 (STScI newsletter, April 2016)"
)
_NONE_2017 = dark_rules.no_expected_rate(57754.0)
_EXPECTED = {
    "FUVA": (
        _BOTH_2009,
        Dated(56444.0, 3.0e-6, _ETC_2013),
        _BOTH_2015,
        _NONE_2017,
        Dated(60249.0, 3.83e-6, "exposure-time calculator, November 2023"),
        Dated(60523.0, 2.32 * _PIXEL_CM2, "exposure-time calculator, August 2024"),
    ),
    "FUVB": (
        _BOTH_2009,
        Dated(56444.0, 2.0e-6, _ETC_2013),
        _BOTH_2015,
        _NONE_2017,
        Dated(60249.0, 4.93e-6, "exposure-time calculator, November 2023"),
        Dated(60523.0, 2.88 * _PIXEL_CM2, "exposure-time calculator, August 2024"),
    ),
}
"""Rates that observers were told to expect, counts / (s pix).

None is known of 2017 to October 2023.
"""

_EXPLANATION = """
The dark rate is what the detector counts with its shutter closed. It sets how faint a target can
be, and follows the solar cycle, the detector's voltage and, near the South Atlantic Anomaly, HST's
place in orbit.

Each dark exposure is cut into 25-s bins; events with pulse heights 3 to 22 inside a region are
counted and divided by the region's area and the time. Bins south of latitude 10 degrees and east of
longitude 260 degrees, where the Anomaly is, and those within 500 km of its contour are left out
here (the orbit monitor shows them). The inner region is where spectra fall; the regions overlap, so
they must not be added up. An exposure is an outlier if it lies far above the line of median slope
through the 25 darks about it of the same voltage. Below the rates stands the Sun's radio flux at
10.7 cm, as a copy that comes with COSMO: means of months as observed at Penticton (NOAA,
CelesTrak). Multiply by 1 / 1.44e-6 to have counts per second and square centimetre.

The expected rate is that of the exposure-time calculator, as STScI published it for the time: for
2009 to 2016 in newsletters, since November 2023 in the Instrument Handbook. None is known of the
years between, whose darks are compared with none.
"""


def _findings(group: darks.DarkRates) -> Iterator[Finding]:
    yield from dark_rules.expected_findings(group, _EXPECTED[group.segment])
    yield from dark_rules.outlier_findings(group)


def _compute(inputs: Inputs) -> RunOutput:
    columns = inputs.get("rates")
    if columns is None or not len(columns["mjd"]):
        return RunOutput(newest_mjd=None)
    rates = darks.rates_of(columns)
    regions = [region for region in _REGIONS if any(group.region == region for group in rates)]
    main = [group for group in rates if group.region in _MAIN]
    return RunOutput(
        newest_mjd=float(columns["mjd"].max()),
        values=[group.values for group in rates],
        figures=[
            dark_figures.rate_figure(rates, regions, _EXPECTED),
            histogram_figure(inputs["histogram"]),
            dark_figures.conditions_figure(main),
        ],
        findings=[finding for group in main for finding in _findings(group)],
        statistics=darks.statistics_of(rates) | darks.statistics_by_level(main),
    )


MONITOR = Monitor(
    name="fuv-dark",
    title="FUV dark rate",
    explanation=_EXPLANATION.strip(),
    detector="FUV",
    version=7,
    tables=frozenset({"darks"}),
    inputs={"ranges": darks.RANGES},
    parts=darks.darks_by_files(_SEGMENTS, _MAIN),
    quantities={
        "dark_rate": Quantity(
            unit="count / (s pix)",
            description="Dark rate of an exposure outside the SAA, by region",
        )
    },
    compute=_compute,
    cadence=timedelta(days=7),
    rules=dark_rules.FUV_RULES,
)
