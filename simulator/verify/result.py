"""One quantity that was put in and read back."""

from dataclasses import dataclass

__all__ = ["FLUX_LIMIT", "LINE_LIMIT", "Result"]

FLUX_LIMIT = 0.01
"""Relative difference of fluxes and count rates that is accepted."""

LINE_LIMIT = 0.5
"""Difference of positions in pixels that is accepted."""


@dataclass(frozen=True)
class Result:
    """One recovered quantity.

    Attributes
    ----------
    exposure
        Rootname.
    quantity
        What.
    part
        Of which segment or stripe, flash, stim or axis.
    injected, recovered
        Values.
    error
        Statistical error of the difference.
    limit
        Largest difference that is accepted.
    unit
        Of the values.
    """

    exposure: str
    quantity: str
    part: str
    injected: float
    recovered: float
    error: float
    limit: float
    unit: str

    @property
    def passed(self) -> bool:
        """Whether the difference is within the limit."""
        return bool(abs(self.recovered - self.injected) <= self.limit)
