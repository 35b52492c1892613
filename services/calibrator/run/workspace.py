"""Scratch folders: one for each run, always fresh, always removed."""

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits

from services.calibrator.run.gzip import unpack
from shared.cos.names import parse_name

__all__ = ["Workspace", "fix_seed", "keep_workspace", "open_workspace", "stage", "sweep_scratch"]

_LOCK = ".lock"
"""File that a run holds locked; the kernel lets go of it when the process ends, however it ends."""

CLOCK_SEED = -1
"""RANDSEED that lets CalCOS take the clock."""


@dataclass(frozen=True)
class Workspace:
    """Folders of a run: inputs, references, CalCOS's output, packed products."""

    root: Path

    @property
    def inputs(self) -> Path:
        """Staged raw files."""
        return self.root / "raw"

    @property
    def outdir(self) -> Path:
        """CalCOS's output."""
        return self.root / "out"

    @property
    def references(self) -> Path:
        """Reference files, for ``lref`` to point to."""
        return self.root / "ref"

    @property
    def packed(self) -> Path:
        """Packed products."""
        return self.root / "packed"


@contextmanager
def open_workspace(scratch: Path, label: str) -> Iterator[Workspace]:
    """Make a scratch folder and remove it at the end, however that comes.

    Parameters
    ----------
    scratch
        Folder that scratch folders are made in.
    label
        Beginning of its name.
    """
    scratch = scratch.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix=f"{label}-", dir=scratch))
    try:
        with (root / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            workspace = Workspace(root)
            workspace.inputs.mkdir()
            workspace.outdir.mkdir()
            yield workspace
    finally:
        shutil.rmtree(root, ignore_errors=True)


@asynccontextmanager
async def keep_workspace(scratch: Path, label: str) -> AsyncIterator[Workspace]:
    """Make a scratch folder and remove it at the end, beside the event loop.

    Removing gigabytes takes seconds on a busy disk, and meanwhile leases must be renewed.

    Parameters
    ----------
    scratch, label
        As of `open_workspace`.
    """
    opened = open_workspace(scratch, label)
    workspace = await asyncio.to_thread(opened.__enter__)
    try:
        yield workspace
    finally:
        await asyncio.to_thread(opened.__exit__, None, None, None)


def sweep_scratch(scratch: Path) -> list[str]:
    """Remove scratch folders whose process ended without removing them.

    Parameters
    ----------
    scratch
        Folder that scratch folders are made in.

    Returns
    -------
    list of str
        Names of the removed folders.
    """
    removed = []
    for path in sorted(scratch.glob(f"*/{_LOCK}")):
        with path.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(path.parent, ignore_errors=True)
            removed.append(path.parent.name)
    return removed


def stage(raw: Mapping[str, Path], folder: Path) -> None:
    """Put plain copies of raw files into a folder.

    Parameters
    ----------
    raw
        Files, plain or gzipped, by their names.
    folder
        Where the copies go.

    Raises
    ------
    PermanentError
        If a gzipped file is damaged.
    TransientError
        If the disk is full or a file cannot be read.
    """
    for name, path in raw.items():
        unpack(path, folder / f"{parse_name(name).stem}.fits")


def fix_seed(path: Path, seed: int) -> int:
    """Give a staged raw file a seed where it leaves it to the clock; returns the seed in force.

    Parameters
    ----------
    path
        Staged raw file, changed in place.
    seed
        Seed to set.
    """
    found = int(fits.getval(path, "RANDSEED")) if "RANDSEED" in fits.getheader(path) else CLOCK_SEED
    if found != CLOCK_SEED:
        return found
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["RANDSEED"] = seed
    return seed
