"""NUV dark rate: of the whole detector, outside the South Atlantic Anomaly, with its temperature."""

from datetime import timedelta

from services.monitor.monitors.framework.history import Dated
from services.monitor.monitors.framework.monitor import Findings, Inputs, Monitor, Quantity
from services.monitor.monitors.parts import dark_figures, darks

__all__ = ["MONITOR"]

_PIXEL_CM2 = 6.25e-6
"""Area of a pixel, cm^2 (COS Instrument Handbook: 25 by 25 micrometres)."""

_EXPECTED = {
    "NUV": (
        Dated(60249.0, 1.25e-3, "exposure-time calculator, 2023"),
        Dated(60523.0, 204 * _PIXEL_CM2, "exposure-time calculator, 2024"),
    )
}

_EXPLANATION = """
The dark rate of the NUV detector is phosphorescence of its window: it rises with temperature and has risen with the
age of the mission.

Each dark exposure is cut into 25-s bins; all events of the 1024 by 1024 pixels are counted (the detector measures no
pulse heights) and divided by the area and the time. Bins south of latitude 10 degrees and east of longitude 260
degrees, where the South Atlantic Anomaly is, and those within 500 km of its contour are left out. Multiply by 1 /
6.25e-6 to have counts per second and square centimetre. The original COSMO divided by 1024 by 1204 pixels, so its rates
are 0.850 of these.
"""


def _compute(inputs: Inputs) -> Findings:
    columns = inputs.get("rates")
    if columns is None or not len(columns["mjd"]):
        return Findings(None)
    rates = darks.rates_of(columns)
    regions = sorted({group.region for group in rates})
    return Findings(
        float(columns["mjd"].max()),
        values=[group.values for group in rates],
        figures=[
            dark_figures.rate_figure(rates, regions, _EXPECTED),
            dark_figures.histogram_figure(inputs["histogram"]),
            dark_figures.temperature_figure(rates),
        ],
        findings=[finding for group in rates for finding in darks.rate_findings(group, _EXPECTED["NUV"])],
        statistics=darks.statistics_of(rates),
    )


MONITOR = Monitor(
    name="nuv-dark",
    title="NUV dark rate",
    explanation=_EXPLANATION.strip(),
    detector="NUV",
    version=2,
    tables=frozenset({"darks"}),
    inputs={"ranges": darks.RANGES},
    parts=darks.darks_by_files(("NUV",), ("all", "legacy")),
    quantities={"dark_rate": Quantity("count / (s pix)", "Dark rate of an exposure outside the SAA")},
    compute=_compute,
    cadence=timedelta(days=14),
)
