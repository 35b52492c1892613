"""Door into the child process; importing it does not import CalCOS."""

from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.calibrator.calcos.process import ChildRun

__all__ = ["enter"]


def enter(run: "ChildRun", report: Connection) -> None:
    """Run CalCOS in this process (see `services.calibrator.calcos.child.run_calcos`)."""
    from services.calibrator.calcos.child import run_calcos

    run_calcos(run, report)
