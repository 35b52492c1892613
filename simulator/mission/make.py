"""Simulation of a mission: every exposure of a schedule, with its files, reports and truth.

The files of a visit are made aside and moved when all are there, association tables first: a scan
of the folder meanwhile knows what is still to come. A simulation that was stopped goes on with
the visits that are not there yet.
"""

import contextlib
import hashlib
import json
import shutil
import signal
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from astropy.io import fits

from shared.operating_system import semaphores_work
from simulator.files.associations import write_association
from simulator.files.jitter import jitter_files
from simulator.files.rawacq import Acquired, acquire
from simulator.files.support import support_file
from simulator.mission.reports import ScheduleReports, schedule_reports
from simulator.mission.schedule import Mission, draw
from simulator.mission.targets import FUV_STANDARD, NUV_STANDARD
from simulator.mission.truth import Record, Taken, exposure_truth, write_json, write_truth
from simulator.mission.visits import Visit
from simulator.observatory import blind_offset, state_of, viewing_of
from simulator.observe import observe
from simulator.plan import ExposurePlan, FaultKind
from simulator.references.catalogue import Catalogue
from simulator.references.context import CONTEXTS, REVISED, write_contexts
from simulator.references.lines import write_line_list
from simulator.truth import TRUTH_NAME

__all__ = [
    "CRDS",
    "DATA",
    "REFERENCES",
    "REPORTS",
    "MissionSimulation",
    "simulate",
    "simulated_truth",
    "spread",
]

CRDS: Final = "crds"
DATA: Final = "data"
REFERENCES: Final = "references"
REPORTS: Final = "sms"
_ASIDE = ".making"
_VISITS = ".visits"
"""The truth of each visit that is there, until that of the mission is written."""


class MissionSimulation:
    """A mission that is being simulated into a folder.

    Parameters
    ----------
    mission
        What it is drawn from.
    folder
        Receives ``data/<proposal>/``, ``references/``, ``crds/``, ``sms/`` and ``truth.json``.

    Attributes
    ----------
    visits
        Its schedule.
    taken
        Those of them that get files.
    """

    def __init__(self, mission: Mission, folder: Path) -> None:
        self.mission, self.folder = mission, folder
        self.visits: Sequence[Visit] = draw(mission)
        self.taken = [visit for visit in self.visits if visit.taken]
        bad_times = [
            (plan.start + fault.start / 86400.0, plan.start + fault.stop / 86400.0)
            for visit in self.taken
            for plan in visit.exposures
            for fault in plan.faults_of(FaultKind.BAD_TIME)
        ]
        self._catalogue = Catalogue(bad_times)
        self._visits = _folder_of(mission, folder)

    def write_references(self, visit: Visit) -> list[str]:
        """Write the reference files that either context chooses for a visit.

        Those that are there stay.

        Returns
        -------
        list of str
            Their names.
        """
        names = []
        for catalogue in (self._catalogue, self._catalogue.revise(REVISED)):
            keys = {key for plan in visit.exposures for key in catalogue.select(plan).values()}
            names += catalogue.write(
                self.folder / REFERENCES, sorted(keys, key=lambda key: key.name)
            )
        return names

    def write_contexts(self) -> None:
        """Write the rules that choose reference files."""
        write_contexts(self.folder / CRDS, self._catalogue)

    def write_lines(self) -> None:
        """Write the list of lines whose wavelengths are known."""
        folder = self.folder / REFERENCES
        folder.mkdir(parents=True, exist_ok=True)
        write_line_list(folder, (FUV_STANDARD, NUV_STANDARD))

    def write_reports(self) -> ScheduleReports:
        """Write the schedule reports; returns them."""
        folder = self.folder / REPORTS
        folder.mkdir(parents=True, exist_ok=True)
        mission = self.mission
        reports = schedule_reports(mission.instrument, self.visits, changing=mission.changing_plans)
        for name, text in reports.texts.items():
            (folder / name).write_text(text)
        return reports

    def take(self, visit: Visit) -> list[Record]:
        """Take a visit's exposures and publish their files and references.

        Returns the truth of each.

        Of a visit that is there already, only its truth is read.
        """
        known = self._visits / f"{visit.name}.json"
        if known.exists():
            found: list[Record] = json.loads(known.read_text())
            return found
        self.write_references(visit)
        aside = self.folder / _ASIDE / visit.name
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        taken = self._expose(visit, aside)
        for association in visit.associations:
            write_association(association, aside)
            self._write_jitter(association.rootname, association.members, visit, aside)
        target = self.folder / DATA / str(visit.exposures[0].proposal)
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(aside.iterdir(), key=lambda path: "_asn" not in path.name):
            path.replace(target / path.name)
        aside.rmdir()
        records = [exposure_truth(self.mission, one) for one in taken]
        write_json(records, known)
        return records

    def _expose(self, visit: Visit, aside: Path) -> list[Taken]:
        instrument = self.mission.instrument
        first = visit.exposures[0]
        offset = blind_offset(instrument, visit.name, visit.guiding.fgs, first.start)
        taken = []
        for plan in visit.exposures:
            external = plan.target.spectrum is not None
            state = state_of(instrument, plan, offset if external else (0.0, 0.0))
            viewing = viewing_of(instrument, plan, visit.guiding.roll)
            acquired, observation = None, None
            if plan.is_acquisition:
                references = {
                    keyword: key.name for keyword, key in self._catalogue.select(plan).items()
                }
                chance = instrument.chance("acquisition", plan.rootname)
                acquired = acquire(plan, state, viewing, references, chance, CONTEXTS[0])
                acquired.file.writeto(aside / f"{plan.rootname}_rawacq.fits")
                offset = _after(offset, acquired)
            else:
                observation = observe(
                    plan, state, viewing, aside, self._catalogue, self.mission.seed, CONTEXTS[0]
                )
            recordings = observation.recordings if observation else {}
            rates = {
                segment: len(found.time) / plan.exptime for segment, found in recordings.items()
            }
            support = support_file(
                plan,
                instrument.orbit,
                state,
                visit.guiding,
                rates=rates,
                results=acquired.support if acquired else (),
                lamp_sets=acquired.lamp_sets if acquired else 0,
            )
            _write(support, aside / f"{plan.rootname}_spt.fits")
            if not plan.association:
                self._write_jitter(f"{plan.rootname[:-1]}j", (plan,), visit, aside)
            files = tuple(path.name for path in aside.glob(f"{plan.rootname[:-1]}*"))
            taken.append(Taken(visit, plan, state, observation, acquired, files))
        return taken

    def _write_jitter(
        self, rootname: str, plans: Sequence[ExposurePlan], visit: Visit, aside: Path
    ) -> None:
        locked = plans[0].target.name != "DARK"
        table, image = jitter_files(
            rootname, plans, self.mission.instrument, visit.guiding, locked=locked
        )
        _write(table, aside / f"{rootname}_jit.fits")
        _write(image, aside / f"{rootname}_jif.fits")


def _folder_of(mission: Mission, folder: Path) -> Path:
    """Return the folder of the truth of the visits of a mission that are there."""
    return folder / _VISITS / hashlib.sha256(repr(mission).encode()).hexdigest()[:16]


def simulated_truth(mission: Mission, folder: Path) -> list[Record]:
    """Read the truth of the exposures of a mission that are there, in the order of time.

    Parameters
    ----------
    mission, folder
        As in `simulate`.
    """
    whole = folder / TRUTH_NAME
    if whole.exists():
        records: list[Record] = json.loads(whole.read_text())["exposures"]
    else:
        parts = _folder_of(mission, folder).glob("[!.]*.json")
        records = [record for path in parts for record in json.loads(path.read_text())]
    return sorted(records, key=lambda record: float(record["plan"]["start"]))


def _write(hdus: fits.HDUList, path: Path) -> None:
    hdus.writeto(path)


def _after(offset: tuple[float, float], acquired: Acquired) -> tuple[float, float]:
    """Return the offset that is left after an acquisition's slew."""
    along, across = (axis or 0.0 for axis in acquired.slew)
    return offset[0] - along, offset[1] - across


_simulation: MissionSimulation | None = None


def _start(mission: Mission, folder: Path) -> None:
    """Draw the schedule once in a worker process, which leaves Ctrl-C to the one that hands out the
    visits.
    """
    global _simulation  # noqa: PLW0603 - the worker's own
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _simulation = MissionSimulation(mission, folder)


def _take(index: int) -> list[Record]:
    if _simulation is None:
        raise RuntimeError("the worker was not started")
    return _simulation.take(_simulation.taken[index])


def simulate(
    mission: Mission, folder: Path, *, jobs: int = 1
) -> Generator[tuple[Visit, int, int], None, None]:
    """Simulate a whole mission.

    Parameters
    ----------
    mission
        What it is drawn from.
    folder
        Where to; see `MissionSimulation`. Visits of the same mission that are there stay.
    jobs
        Processes that take visits at the same time; the data do not depend on it.

    Yields
    ------
    tuple
        A visit that is complete, how many are, and how many there will be, in an order that covers
        the whole mission ever more densely. The reports are there before the first, the truth after
        the last.
    """
    simulation = MissionSimulation(mission, folder)
    simulation.write_contexts()
    simulation.write_lines()
    reports = simulation.write_reports()
    records: list[Record] = []
    total = len(simulation.taken)
    order = spread(total)
    with contextlib.ExitStack() as stack:
        taken: Iterator[Sequence[Record]]
        if semaphores_work():
            pool = ProcessPoolExecutor(
                jobs, get_context("spawn"), initializer=_start, initargs=(mission, folder)
            )
            stack.callback(pool.shutdown, cancel_futures=True)
            taken = pool.map(_take, order)
        else:
            taken = (simulation.take(simulation.taken[index]) for index in order)
        for done, (index, found) in enumerate(zip(order, taken, strict=True), start=1):
            records += found
            yield simulation.taken[index], done, total
    write_truth(mission, records, simulation.visits, reports, folder)
    for name in (_ASIDE, _VISITS):
        shutil.rmtree(folder / name, ignore_errors=True)


def spread(count: int) -> list[int]:
    """Return the order in which any first part covers the whole of the mission.

    That of the reversed binary digits.
    """
    digits = max(count - 1, 1).bit_length()
    return sorted(range(count), key=lambda index: f"{index:0{digits}b}"[::-1])
