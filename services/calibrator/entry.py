"""Door into the child process; importing it does not import CalCOS."""

from multiprocessing.connection import Connection

__all__ = ["enter"]


def enter(target: str, outdir: str, lref: str, memory_limit_mb: int, log: str, report: Connection) -> None:
    """Run CalCOS in this process (see `services.calibrator.child.run_calcos`)."""
    from services.calibrator.child import run_calcos

    run_calcos(target, outdir, lref, memory_limit_mb, log, report)
