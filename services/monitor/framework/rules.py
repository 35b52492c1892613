"""Rules of monitors as data: what is compared with which number, since when, and how severely."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.monitor.framework.instrument_history import Dated, held_at, value_at
from shared.database.models.monitoring import Severity

__all__ = ["Finding", "Rule", "always"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a rule found: becomes an alert, or confirms the one that is open.

    Attributes
    ----------
    rule
        Short name of the rule.
    severity
        How grave it is.
    message
        What was found, in words.
    text
        The rule in words.
    source
        Where its threshold is from.
    value, threshold
        What was measured and what it was compared with.
    configuration
        Segment, voltage, region or the like that it concerns.
    rootname
        Exposure that it concerns; None for a trend.
    """

    rule: str
    severity: Severity
    message: str
    text: str
    source: str
    value: float | None = None
    threshold: float | None = None
    configuration: str = ""
    rootname: str | None = None

    @property
    def key(self) -> str:
        """The same finding of a later run has the same key."""
        return "|".join((self.rule, self.configuration, self.rootname or ""))


def always(value: float, source: str) -> tuple[Dated]:
    """Return the threshold that holds for the whole mission."""
    return (Dated(0.0, value, source),)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of a monitor.

    Attributes
    ----------
    name
        Short name; rules of one name are the same at several degrees of gravity.
    severity
        How grave a hit is; None where it makes an outlier, or a number, and no alert.
    text
        The rule in words, with ``{}`` (and a format) where its threshold stands.
    thresholds
        Numbers in order of their dates; none where it compares words.
    source
        Where a rule without a number is from.
    """

    name: str
    severity: Severity | None
    text: str
    thresholds: Sequence[Dated] = ()
    source: str = ""

    def at(self, mjd: np.ndarray) -> np.ndarray:
        """Return the threshold at each time (MJD), shape (n,)."""
        return value_at(self.thresholds, mjd)

    @property
    def now(self) -> float:
        """Threshold that is in force."""
        return self.thresholds[-1].value

    @property
    def words(self) -> str:
        """The rule as it is in force, in words."""
        return self.text.format(self.now) if self.thresholds else self.text

    def finding(
        self,
        message: str,
        mjd: float,
        value: float | None = None,
        *,
        threshold: float | None = None,
        configuration: str = "",
        rootname: str | None = None,
    ) -> Finding:
        """Make a hit an alert.

        Parameters
        ----------
        message
            What was found, in words.
        mjd
            When, MJD: the threshold is that of the time.
        value
            What was measured.
        threshold
            What it was compared with, where that is not the rule's number itself.
        configuration, rootname
            As in `Finding`.

        Raises
        ------
        ValueError
            If the rule makes no alerts.
        """
        if self.severity is None:
            raise ValueError(f"the rule {self.name} makes no alerts")
        dated = held_at(self.thresholds, mjd) if self.thresholds else None
        text, source = (
            (self.text.format(dated.value), dated.source) if dated else (self.text, self.source)
        )
        if threshold is None and dated is not None:
            threshold = dated.value
        return Finding(
            rule=self.name,
            severity=self.severity,
            message=message,
            text=text,
            source=source,
            value=value,
            threshold=threshold,
            configuration=configuration,
            rootname=rootname,
        )
