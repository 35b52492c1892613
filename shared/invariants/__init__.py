"""Invariants: what must hold whatever happened, checked in the database and in the store."""

from shared.invariants.check import CheckResult, check
from shared.invariants.violation import Violation

__all__ = ["CheckResult", "Violation", "check"]
