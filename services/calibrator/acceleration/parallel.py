"""Exposures of one dataset calibrated at the same time, in processes forked from the one that runs
CalCOS.

Rewrites ``calcos.Calibration.allScience``, which goes through the raw files of an association one
after the other. A raw file reads what the wavecal exposures gave and writes files of its own; what
its calibration changes in memory is the description of that raw file, which comes back from the
process. Random numbers are drawn from a generator that is seeded for each file. The one exception
is kept in order: where segment B has no lamp lines it copies the lamp shifts of segment A. Messages
go to the log and to the trailer in the order of the files, and of several failures the first in
that order is raised. With simulated wavecals (which share their description), where one text file
takes lines of every exposure (stims, live times, bursts), where a raw file comes twice, or with one
process everything runs as in the original.
"""

import contextlib
import copyreg
import io
import multiprocessing
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from calcos import cosutil
from calcos.calcos import EXP_ACQ_IMAGE, EXP_CALIBRATION, EXP_SCIENCE
from calcos.calcosparam import BadApertureError, MissingRowError

from services.calibrator.acceleration.registry import Change, Function, Replacement, rewritten
from shared.operating_system import end_with_parent, forked_pools_work

__all__ = ["REPLACEMENT", "use_processes"]

_TEXT_FILES = ("stimfile", "livetimefile", "burstfile")
"""Arguments of CalCOS that name files to which every exposure appends."""
_AHEAD = "_accelerated_ahead"
_CALLS = """\
                self.basicCal(obs.filenames,
                              obs.info, obs.switches, obs.reffiles)
                self.updateShift(obs.filenames, obs.switches["wavecorr"],
                                 obs.info)
                if obs.switches["x1dcorr"] == "PERFORM":
                    self.extractSpectrum(obs.filenames)
                    any_x1dcorr = "PERFORM"
"""
_COLLECT = """\
                _accelerated_calibrate(self, obs)
                if obs.switches["x1dcorr"] == "PERFORM":
                    any_x1dcorr = "PERFORM"
"""

_processes = 1
_calibration: Any = None
"""In a forked process, what it inherited."""


def use_processes(number: int) -> None:
    """Set how many processes the next run may use.

    Parameters
    ----------
    number
        1 calibrates one raw file after the other.
    """
    global _processes  # noqa: PLW0603 - CalCOS has no argument to carry it
    _processes = number


@dataclass(frozen=True)
class _Outcome:
    """What the calibration of a raw file left in memory, said, and raised."""

    info: dict[str, Any]
    switches: dict[str, Any]
    reffiles: dict[str, Any]
    printed: str
    trailer: str
    error: Exception | None


class _Ahead:
    """Raw files whose calibration was started ahead of their turn."""

    def __init__(self, calibration: Any) -> None:
        global _calibration  # noqa: PLW0603 - processes inherit it by the fork
        groups = _independent(calibration)
        self._where: dict[int, tuple[Future[list[_Outcome]], int]] = {}
        self._pool: ProcessPoolExecutor | None = None
        if _processes < 2 or len(groups) < 2 or not forked_pools_work():
            return
        _calibration = calibration
        self._pool = ProcessPoolExecutor(
            min(_processes, len(groups)),
            multiprocessing.get_context("fork"),
            initializer=end_with_parent,
            initargs=(os.getpid(),),
        )
        for group in groups:
            future = self._pool.submit(_calibrate_group, group)
            self._where.update({index: (future, place) for place, index in enumerate(group)})

    def outcome(self, index: int) -> _Outcome | None:
        """Return the outcome of a raw file, waited for; None if it was not started ahead."""
        if index not in self._where:
            return None
        future, place = self._where[index]
        try:
            return future.result()[place]
        except BrokenProcessPool as error:
            raise MemoryError(
                "a process of the run was killed; most likely the machine ran out of memory"
            ) from error

    def close(self) -> None:
        """Wait for what runs, drop what waits."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _independent(calibration: Any) -> list[list[int]]:
    """Group the raw files of science exposures so that no group needs another's files."""
    association = calibration.assoc
    inputs = [obs.input for obs in association.obs]
    if (
        "EXP-SWAVE" in association.asn_info["memtype"]
        or any(association.cl_args[name] is not None for name in _TEXT_FILES)
        or len(set(inputs)) < len(inputs)
    ):
        return []
    groups: list[list[int]] = []
    roots: dict[str, list[int]] = {}
    for index, obs in enumerate(association.obs):
        if obs.exp_type not in (EXP_SCIENCE, EXP_CALIBRATION, EXP_ACQ_IMAGE):
            continue
        if _copies_lamp(obs) and obs.filenames["root"] in roots:
            roots[obs.filenames["root"]].append(index)
            continue
        groups.append([index])
        roots[obs.filenames["root"]] = groups[-1]
    return groups


def _copies_lamp(obs: Any) -> bool:
    """Return whether a raw file takes the lamp shifts from the other segment, or may do so."""
    if obs.info["segment"] != "FUVB":
        return False
    try:
        return bool(
            cosutil.checkForNoWavecalData(
                obs.info["opt_elem"], obs.info["cenwave"], "FUVB", obs.reffiles["lamptab"]
            )
        )
    except Exception:  # noqa: BLE001 - the calibration meets the same error, and says it in its turn
        return True


def _calibrate_group(group: list[int]) -> list[_Outcome]:
    outcomes = []
    for index in group:
        outcomes.append(_calibrate_apart(_calibration.assoc.obs[index]))
        error = outcomes[-1].error
        if error is not None and not isinstance(error, BadApertureError | MissingRowError):
            break
    return outcomes


def _calibrate_apart(obs: Any) -> _Outcome:
    """Calibrate a raw file and keep what it says to itself."""
    obs.info["addsimulatedwavecal"] = False
    error: Exception | None = None
    with contextlib.redirect_stdout(io.StringIO()) as printed, _own_trailer() as trailer:
        try:
            _calibrate_here(_calibration, obs)
        except Exception as reason:  # noqa: BLE001 - whatever it is, it is raised in its turn
            error = _portable(reason)
    return _Outcome(
        obs.info, obs.switches, obs.reffiles, printed.getvalue(), trailer.getvalue(), error
    )


@contextlib.contextmanager
def _own_trailer() -> Iterator[io.StringIO]:
    trailer = io.StringIO()
    inherited, cosutil.fd_trl = cosutil.fd_trl, trailer
    try:
        yield trailer
    finally:
        cosutil.fd_trl = inherited


def _portable(error: Exception) -> Exception:
    """Return an error that survives the way to another process.

    Itself, if need be in parts, or else its text.
    """
    for _ in range(2):
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - its own bytes
        except Exception:  # noqa: BLE001 - whatever keeps it from travelling
            copyreg.pickle(type(error), _take_apart)
        else:
            return error
    return RuntimeError(f"{type(error).__name__}: {error}")


def _take_apart(error: Exception) -> tuple[Any, ...]:
    """Reduce an error whose constructor takes something else than what it keeps as its
    arguments.
    """
    return _put_together, (type(error), error.args, vars(error))


def _put_together(
    kind: type[Exception], arguments: tuple[Any, ...], attributes: dict[str, Any]
) -> Exception:
    error = kind.__new__(kind, *arguments)
    vars(error).update(attributes)
    return error


def _calibrate_here(calibration: Any, obs: Any) -> None:
    calibration.basicCal(obs.filenames, obs.info, obs.switches, obs.reffiles)
    calibration.updateShift(obs.filenames, obs.switches["wavecorr"], obs.info)
    if obs.switches["x1dcorr"] == "PERFORM":
        calibration.extractSpectrum(obs.filenames)


def _calibrate(calibration: Any, obs: Any) -> None:
    """Take over what was calibrated ahead, or calibrate now."""
    outcome = getattr(calibration, _AHEAD).outcome(calibration.assoc.obs.index(obs))
    if outcome is None:
        _calibrate_here(calibration, obs)
        return
    print(outcome.printed, end="", flush=True)  # noqa: T201 - CalCOS's log is its output
    if cosutil.fd_trl is not None:
        cosutil.fd_trl.write(outcome.trailer)
        cosutil.fd_trl.flush()
    for mine, theirs in (
        (obs.info, outcome.info),
        (obs.switches, outcome.switches),
        (obs.reffiles, outcome.reffiles),
    ):
        mine.update(theirs)
    if outcome.error is not None:
        raise outcome.error


def _make(original: Function) -> Function:
    in_turn = rewritten(original, [(_CALLS, _COLLECT)], calibrate=_calibrate)

    def all_science(calibration: Any) -> Any:
        """Calibrate all science exposures of an association."""
        ahead = _Ahead(calibration)
        setattr(calibration, _AHEAD, ahead)
        try:
            return in_turn(calibration)
        finally:
            ahead.close()

    return all_science


REPLACEMENT = Replacement(
    "parallel",
    [
        Change(
            "calcos.calcos:Calibration.allScience",
            "dc0cd518859b9cf5e9289bb4e4f5ed1c976dee795e18bc9a9987f29a099cdf1e",
            _make,
        )
    ],
    {
        "calcos.calcos:Calibration.basicCal": "eef9444b16cfbc4ea6f6293440b38309accbe7fa4a081bf513400f3ee3f1eb85",
        "calcos.calcos:Calibration.updateShift": "2694b17a74765c5a2b40e017b956ea484c4cf14e161b4358a2c89007054bbde3",
        "calcos.calcos:Calibration.extractSpectrum": (
            "84847f616111c816996faa56df9e927c29cb7857b6afd5113660578393ac3fb0"
        ),
        "calcos.calcos:Observation.openTrailer": "6d883e45c602fd66f1ad2c822676c6349514fee51ac818c8a7cec5ed4396a5d4",
        "calcos.cosutil:openTrailer": "7b667436e31bad04b2eda950630ffe1ec0299844b6f83dce6a775efdb85ee372",
        "calcos.cosutil:printMsg": "dc456653f3b05197dfb2c511044e4d90429bb56759a2b0036809e14136ad318d",
        "calcos.timetag:timetagBasicCalibration": "a243a1e57bff5378c3abc6416681bd6274732a85a928fa05319b920335e26e84",
        "calcos.accum:accumBasicCalibration": "c1876bca6d0e1dfcda069b1e1c29f2479bf20bd3543c9183762a8158adf8b69d",
        "calcos.cosutil:checkForNoWavecalData": "bc15c1acc420c86693d3768b8bf02d016c5db7a0fcd7e802f8d30610ad1a2879",
    },
)
