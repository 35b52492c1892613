"""Violation of an invariant."""

from dataclasses import dataclass

__all__ = ["Violation"]


@dataclass(frozen=True)
class Violation:
    """One case in which an invariant does not hold.

    Attributes
    ----------
    invariant
        Name of the invariant.
    subject
        What it does not hold for: a dataset, a job, a file, a rootname.
    message
        What is wrong with it.
    """

    invariant: str
    subject: str
    message: str
