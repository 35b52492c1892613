"""Sub-exposures: parts of the calibrated events of a run, each given to CalCOS by itself."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.io import fits

from services.calibrator.calcos.contract import RunResult
from services.calibrator.calcos.process import exit_status
from services.calibrator.recipes.edits.changes import SubExposure
from services.calibrator.recipes.sub_exposures.light_curve import Part, write_light_curve
from services.calibrator.recipes.sub_exposures.selection import intervals_of
from services.calibrator.recipes.sub_exposures.splitting import good_times, write_part
from services.calibrator.run.preparation import Prepared
from services.calibrator.run.workspace import Workspace
from shared.errors import PermanentError
from shared.recipes.division import SubExposures

__all__ = ["Division", "RunCalcos", "calibrate_parts", "split"]

_PASSED_ON = ("verbosity", "find_target")
"""Arguments of CalCOS that mean something for events that are calibrated already."""

RunCalcos = Callable[[Path, Path, Mapping[str, Any]], Awaitable[RunResult]]


@dataclass(frozen=True)
class Division:
    """What became of the sub-exposures.

    Attributes
    ----------
    parts
        Those that were calibrated.
    files
        Their events and spectra, and the light curve.
    warnings
        Which have no events, or none of a segment.
    """

    parts: tuple[Part, ...] = ()
    files: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()


async def calibrate_parts(
    label: str, division: SubExposures, prepared: Prepared, workspace: Workspace, run: RunCalcos
) -> Division:
    """Write the events of each sub-exposure to files of its own and have CalCOS extract their
    spectra.

    Parameters
    ----------
    label
        Dataset.
    division
        What the recipe asks for.
    prepared
        What went into the run.
    workspace
        Its folders, with what CalCOS left of the whole exposures.
    run
        Runs CalCOS on a file, with a folder for its output and other arguments.

    Raises
    ------
    PermanentError
        If no sub-exposure has events, or CalCOS fails on one.
    TransientError
        If CalCOS was killed, or ran out of memory, disk or time.
    """
    folder = workspace.root / "parts"
    folder.mkdir()
    arguments = {name: value for name, value in prepared.arguments.items() if name in _PASSED_ON}
    parts, warnings = [], []
    for change in prepared.changes:
        if not isinstance(change, SubExposure):
            continue
        scratch = workspace.root / "part"
        (scratch / "out").mkdir(parents=True)
        intervals, files, empty = await asyncio.to_thread(split, change, workspace, scratch)
        if files:
            warnings += [
                f"the sub-exposure {change.file} has no events in {name}, which is left out"
                for name in empty
            ]
            status = exit_status(await run(files[0], scratch / "out", arguments))
            if status != 0:
                raise PermanentError(
                    f"CalCOS ended with status {status} for the sub-exposure {change.file}"
                )
            parts.append(await asyncio.to_thread(_keep, change, intervals, scratch / "out", folder))
        else:
            warnings.append(f"the sub-exposure {change.file} is left out: it has no events")
        await asyncio.to_thread(shutil.rmtree, scratch)
    if not parts:
        raise PermanentError(
            "sub_exposures: none of them has events; choose other times, altitudes or pulse heights"
        )
    write_light_curve(parts, division.wavelengths, folder / f"{label}_lightcurve.fits")
    return Division(tuple(parts), tuple(sorted(folder.glob("*.fits"))), tuple(warnings))


def split(
    part: SubExposure, workspace: Workspace, scratch: Path
) -> tuple[list[tuple[float, float]], list[Path], list[str]]:
    """Write the events of a sub-exposure, by segment.

    Parameters
    ----------
    part
        The sub-exposure.
    workspace
        Folders of the run, with the calibrated events of the whole exposure.
    scratch
        Folder that the files go to.

    Returns
    -------
    tuple of list
        Its times (second), the files, and the names of files that are not written since they would
        have no events.
    """
    sources = sorted(workspace.outdir.glob(f"{part.exposure}_corrtag*.fits"))
    intervals = intervals_of(part, sources[0])
    targets = [scratch / source.name.replace(part.exposure, part.file, 1) for source in sources]
    made = [
        target
        for source, target in zip(sources, targets, strict=True)
        if write_part(source, target, intervals, part.pulse_heights)
    ]
    orbit = workspace.inputs / f"{part.exposure}_spt.fits"
    if orbit.is_file():  # CalCOS makes a new TIMELINE table
        shutil.copyfile(orbit, scratch / f"{part.file}_spt.fits")
    return intervals, made, [target.name for target in targets if target not in made]


def _keep(
    part: SubExposure, intervals: Sequence[tuple[float, float]], outdir: Path, folder: Path
) -> Part:
    """Keep events and spectra of a sub-exposure.

    Images are hundreds of megabytes, and hardly hold a count.
    """
    x1d = outdir / f"{part.file}_x1d.fits"
    if not x1d.is_file():
        raise PermanentError(f"CalCOS did not write {x1d.name}; see the end of its log")
    kept = [*sorted(outdir.glob(f"{part.file}_corrtag*.fits")), x1d, *sorted(outdir.glob("*.tra"))]
    with fits.open(kept[0]) as hdus:
        exposed = good_times(hdus)
    for path in kept:
        path.rename(folder / path.name)
    return Part(part, tuple(intervals), tuple(exposed), folder / x1d.name)
