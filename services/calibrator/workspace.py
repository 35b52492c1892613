"""Scratch folders: one for each run, always fresh, always removed."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits
from isal import igzip

from shared.cos.names import parse_name
from shared.errors import TransientError

__all__ = ["Workspace", "fix_seed", "open_workspace", "stage"]

_CLOCK_SEED = -1
"""RANDSEED that lets CalCOS take the clock."""


@dataclass(frozen=True)
class Workspace:
    """Folders of a run: inputs, CalCOS's output, packed products."""

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
        workspace = Workspace(root)
        workspace.inputs.mkdir()
        workspace.outdir.mkdir()
        yield workspace
    finally:
        shutil.rmtree(root, ignore_errors=True)


def stage(paths: Sequence[Path], names: Sequence[str], folder: Path) -> None:
    """Put plain copies of raw files into a folder.

    Parameters
    ----------
    paths
        Files, plain or gzipped.
    names
        Their names.
    folder
        Where the copies go.

    Raises
    ------
    TransientError
        If the disk is full.
    """
    for path, name in zip(paths, names, strict=True):
        target = folder / f"{parse_name(name).stem}.fits"
        try:
            with (
                igzip.open(path, "rb") if name.endswith(".gz") else path.open("rb") as stream,
                target.open("wb") as out,
            ):
                shutil.copyfileobj(stream, out, 1 << 20)
        except OSError as error:
            raise TransientError(f"{name} could not be staged: {error}; free space in the scratch folder") from error


def fix_seed(path: Path, seed: int) -> int:
    """Give a staged raw file a seed where it leaves it to the clock; returns the seed in force.

    Parameters
    ----------
    path
        Staged raw file, changed in place.
    seed
        Seed to set.
    """
    found = int(fits.getval(path, "RANDSEED")) if "RANDSEED" in fits.getheader(path) else _CLOCK_SEED
    if found != _CLOCK_SEED:
        return found
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["RANDSEED"] = seed
    return seed
