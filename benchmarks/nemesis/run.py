"""A run: work, faults in the meantime, and what is found once all has calmed down."""

import asyncio
import heapq
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.nemesis.faults import begin
from benchmarks.nemesis.instance import Instance
from benchmarks.nemesis.outcome import find_violations
from benchmarks.nemesis.schedule import Fault, draw_faults
from benchmarks.nemesis.work import Work
from shared.database.engine import DATABASE_ERRORS, Database
from shared.errors import CosmoError
from shared.invariants import Violation
from shared.store import Store
from shared.urls import file_url

__all__ = ["Report", "Run"]

_LOOK_SECONDS: Final = 0.1
_POLL_SECONDS: Final = 1.0
_LOOK_LIMIT: Final = 60.0
_ENDED: Final = "no service outlives the launcher that started it"


@dataclass
class Report:
    """What happened in a run.

    Attributes
    ----------
    seed, seconds
        What it was drawn from.
    injected
        Faults by kind and target.
    missed
        Faults whose target did not run at that moment, likewise.
    left_out
        Kinds of faults that cannot be made here, with the reason.
    starts
        How many times ``cosmo up`` was started.
    inputs
        Files of the source.
    recovery_seconds
        From the end of the last fault until everything was done and all invariants held; None where
        that did not happen.
    violations
        What did not hold.
    """

    seed: int
    seconds: float
    injected: dict[str, int] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    starts: int = 0
    inputs: int = 0
    recovery_seconds: float | None = None
    violations: Sequence[Violation] = ()


@dataclass(frozen=True)
class Run:
    """How a run goes.

    Attributes
    ----------
    seed
        Of the faults and the data.
    seconds
        Time in which there are faults.
    pause, longest
        Seconds between two faults on average, and of the longest one.
    portions
        Portions of work in that time.
    patience
        Seconds after the last fault until everything has to be done.
    real
        Folder of real data; None where there is none.
    association
        Whether to calibrate the real association too.
    """

    seed: int
    seconds: float
    pause: float = 5.0
    longest: float = 10.0
    portions: int = 10
    patience: float = 300.0
    real: Path | None = None
    association: bool = False

    def carry_out(self, folder: Path, log: Callable[[str], None] = lambda _: None) -> Report:
        """Work under faults, and check the outcome.

        Parameters
        ----------
        folder
            Empty folder.
        log
            Receives what happens, a line at a time.
        """
        work = Work(
            folder / "work", self.seed, self.portions, self.real, association=self.association
        )
        report = Report(self.seed, self.seconds)
        with Instance(folder, work.source, work.references) as instance:
            report.left_out = dict(instance.missing)
            agenda = _Agenda(instance)

            def inject(fault: Fault) -> None:
                end = begin(instance, fault)
                counts = report.missed if end is None else report.injected
                name = f"{fault.kind} {fault.target}"
                counts[name] = counts.get(name, 0) + 1
                log(f"{fault.at:.0f} s: {name}{' (not there)' if end is None else ''}")
                if end is not None:
                    agenda.add(fault.at + fault.length, end)

            for fault in draw_faults(self.seed, self.seconds, self.pause, self.longest):
                if fault.kind not in instance.missing:
                    agenda.add(fault.at, partial(inject, fault))
            for number in range(len(work)):
                agenda.add(self.seconds * number / len(work), partial(work.offer, number))
            instance.wait_until_up()
            agenda.carry_out()
            report.inputs = len(work.files())
            self._settle(instance, work, report, log)
            report.starts = instance.starts
        return report

    def _settle(
        self, instance: Instance, work: Work, report: Report, log: Callable[[str], None]
    ) -> None:
        """Wait until nothing is wrong any more."""
        files, begun = work.files(), time.monotonic()
        while True:
            instance.keep()
            try:
                report.violations = asyncio.run(_look(instance, work.damaged, files))
            except (*DATABASE_ERRORS, CosmoError) as error:
                report.violations = [
                    Violation("the database and the store answer", "cosmo up", str(error))
                ]
            report.violations = [
                *report.violations,
                *(
                    Violation(_ENDED, f"process {process.pid}", "it runs")
                    for process in instance.left_over()
                ),
            ]
            passed = time.monotonic() - begun
            if not report.violations:
                report.recovery_seconds = round(passed, 1)
                return
            log(
                f"{passed:.0f} s after the last fault: {len(report.violations)} violations, "
                f"{report.violations[0]}"
            )
            if passed > self.patience:
                return
            time.sleep(_POLL_SECONDS)


class _Agenda:
    """What is to be done at which time.

    Parameters
    ----------
    instance
        Is kept up meanwhile.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._items: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0

    def add(self, at: float, action: Callable[[], object]) -> None:
        """Let something be done at a time, seconds from the start."""
        self._count += 1
        heapq.heappush(self._items, (at, self._count, action))

    def carry_out(self) -> None:
        """Do all of it."""
        begun = time.monotonic()
        while self._items:
            self._instance.keep()
            at, _, action = self._items[0]
            if (wait := begun + at - time.monotonic()) > 0:
                time.sleep(min(wait, _LOOK_SECONDS))
                continue
            heapq.heappop(self._items)
            action()


async def _look(
    instance: Instance, damaged: Collection[str], files: Mapping[str, str]
) -> list[Violation]:
    database = Database(instance.database_url)
    try:
        async with asyncio.timeout(_LOOK_LIMIT):
            return await find_violations(database, Store(file_url(instance.store)), files, damaged)
    finally:
        await database.dispose()
