"""Rules of dark rates: what is expected of them, what their temperature predicts, and single
exposures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.monitor.framework.declaration import Finding
from services.monitor.framework.instrument_history import Dated, held_at
from services.monitor.framework.rules import Rule, always
from services.monitor.library.exposure_values import recent
from services.monitor.monitors.darks.rates import OUTLIER, DarkRates
from shared.cos.dates import decimal_year
from shared.database.models.monitoring import Severity

__all__ = [
    "FUV_RULES",
    "NUV_RULES",
    "Exponential",
    "expected_findings",
    "no_expected_rate",
    "outlier_findings",
    "temperature_findings",
    "total_findings",
    "yearly",
]

_LATEST = 5
"""Darks whose median is compared with the expected rate."""

_MISLEADS = always(
    1.2, "inference: a fifth above the rate that proposers calculate with misleads them"
)
_TWICE = always(2.0, "inference: twice the rate that proposers calculate with")
_EXPECTED_TEXT = f"median of the last {_LATEST} darks above {{:g}} times the expected rate"
_PREDICTED_TEXT = (
    f"median of the last {_LATEST} darks above {{:g}} times the rate that their "
    f"temperatures predict"
)
_EXPECTED = (
    Rule(name="expected-rate", severity=Severity.WARN, text=_EXPECTED_TEXT, thresholds=_MISLEADS),
    Rule(name="expected-rate", severity=Severity.ALERT, text=_EXPECTED_TEXT, thresholds=_TWICE),
)
_PREDICTED = (
    Rule(name="predicted-rate", severity=Severity.WARN, text=_PREDICTED_TEXT, thresholds=_MISLEADS),
    Rule(name="predicted-rate", severity=Severity.ALERT, text=_PREDICTED_TEXT, thresholds=_TWICE),
)
_TOTAL = Rule(
    name="total-rate",
    severity=Severity.ALERT,
    text="a dark counts more than {:.0f} / s on the whole detector",
    thresholds=always(
        2000.0,
        "inference: half as much again as the NUV detector counts in the dark, 1310 / s of 2023",
    ),
)
FUV_RULES = (*_EXPECTED, OUTLIER)
NUV_RULES = (*_EXPECTED, *_PREDICTED, _TOTAL, OUTLIER)

_BEFORE_DAYS = 730.0
"""Darks of so long before the latest ones show how the rate goes with temperature and age."""

_LEAST = 10
"""Darks without which no curve is fitted."""


def no_expected_rate(mjd: float) -> Dated:
    """Say that from a date on no rate is published: NaN, with which none is compared."""
    return Dated(mjd, np.nan, "none published")


def expected_findings(group: DarkRates, expected: Sequence[Dated]) -> Iterator[Finding]:
    """Apply the rule: the latest darks are above the rate that was published for their time, where
    one was.

    Parameters
    ----------
    group
        Rates of a region.
    expected
        Expected rates with their dates, counts / (s pix); NaN where none is published.
    """
    values = group.values
    if len(values.mjd) < _LATEST or values.mjd[-1] < expected[0].mjd:
        return
    normal = held_at(expected, float(values.mjd[-1]))
    if np.isnan(normal.value):
        return
    median = float(np.median(values.value[-_LATEST:]))
    yield from _raised(
        group, _EXPECTED, median / normal.value, normal.value, "the expected rate", normal.source
    )


def _raised(
    group: DarkRates, rules: Sequence[Rule], ratio: float, normal: float, what: str, source: str
) -> Iterator[Finding]:
    """Report the most severe rule that a ratio to the normal rate hits.

    Its source is where the latter is known from.
    """
    newest = np.array([group.values.mjd[-1]])
    hit = [(rule, factor) for rule in rules if ratio > (factor := float(rule.at(newest)[0]))]
    if hit:
        rule, factor = hit[-1]
        found = rule.finding(
            f"the last {_LATEST} darks of {group.name} have {ratio:.2f} times {what}",
            float(newest[0]),
            ratio * normal,
            threshold=factor * normal,
            configuration=group.name,
        )
        yield replace(found, source=source)


@dataclass(frozen=True)
class Exponential:
    """Rate that grows exponentially with temperature, and with time.

    Attributes
    ----------
    logarithm
        Natural logarithm of the rate (counts / (s pix)) at the reference.
    per_degree, per_day
        Growth of the logarithm.
    temperature, mjd
        Reference: deg C, MJD.
    """

    logarithm: float
    per_degree: float
    per_day: float
    temperature: float
    mjd: float

    def at(self, temperature: np.ndarray, mjd: np.ndarray) -> np.ndarray:
        """Return the rates at some temperatures and times, counts / (s pix)."""
        growth = self.per_degree * (temperature - self.temperature) + self.per_day * (
            mjd - self.mjd
        )
        rates: np.ndarray = np.exp(self.logarithm + growth)
        return rates

    @classmethod
    def of(cls, group: DarkRates, chosen: np.ndarray, *, grows: bool) -> "Exponential | None":
        """Fit some darks of a group, boolean of shape (n,).

        None where they are too few or of one temperature.
        """
        values = group.values
        chosen = chosen & ~values.outlier & np.isfinite(group.temperature) & (values.value > 0)
        heat, mjd, rate = group.temperature[chosen], values.mjd[chosen], values.value[chosen]
        if len(rate) < _LEAST or np.ptp(heat) == 0 or (grows and np.ptp(mjd) == 0):
            return None
        middle, date = float(np.median(heat)), float(np.median(mjd))
        columns = [np.ones(len(rate)), heat - middle, *([mjd - date] if grows else [])]
        found = np.linalg.lstsq(np.column_stack(columns), np.log(rate), rcond=None)[0]
        return cls(
            float(found[0]), float(found[1]), float(found[2]) if grows else 0.0, middle, date
        )


def yearly(group: DarkRates) -> dict[int, Exponential]:
    """Return the rate against temperature in each calendar year that has darks enough."""
    years = np.floor(decimal_year(group.values.mjd))
    fits = {
        int(year): Exponential.of(group, years == year, grows=False) for year in np.unique(years)
    }
    return {year: fit for year, fit in fits.items() if fit is not None}


def temperature_findings(group: DarkRates) -> Iterator[Finding]:
    """Apply the rule: the latest darks are above what their temperatures predict from the darks
    before them.
    """
    values = group.values
    before = np.arange(len(values.mjd)) < len(values.mjd) - _LATEST
    before &= values.mjd > values.mjd.max(initial=0.0) - _BEFORE_DAYS
    fit = Exponential.of(group, before, grows=True)
    predicted = (
        np.array([]) if fit is None else fit.at(group.temperature[-_LATEST:], values.mjd[-_LATEST:])
    )
    known = np.isfinite(predicted)
    if known.any():
        ratio = float(np.median(values.value[-_LATEST:][known] / predicted[known]))
        yield from _raised(
            group,
            _PREDICTED,
            ratio,
            float(np.median(predicted[known])),
            "the rate that their temperatures predict",
            f"exponential in temperature and time of the darks of {_BEFORE_DAYS:.0f} d",
        )


def total_findings(group: DarkRates) -> Iterator[Finding]:
    """Apply the rule: an exposure of the last days counts too much on the whole detector."""
    values = group.values
    total = values.value * group.npix
    limit = _TOTAL.at(values.mjd)
    for index in np.flatnonzero((total > limit) & recent(values.mjd)).tolist():
        yield _TOTAL.finding(
            f"{total[index]:.0f} counts / s in a dark of {group.name}",
            float(values.mjd[index]),
            float(total[index]),
            configuration=group.name,
            rootname=values.rootname[index],
        )


def outlier_findings(group: DarkRates) -> Iterator[Finding]:
    """Apply the rule: single darks of the last days that lie above those about them."""
    values = group.values
    for index in np.flatnonzero(values.outlier & recent(values.mjd)).tolist():
        yield OUTLIER.finding(
            f"dark rate of {group.name} is {values.value[index]:.3g} counts / (s pix), far above "
            "those about it",
            float(values.mjd[index]),
            float(values.value[index]),
            threshold=float(group.limit[index]),
            configuration=group.name,
            rootname=values.rootname[index],
        )
