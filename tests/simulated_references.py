"""Reference files of the simulated instrument, which each process of the tests makes once."""

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from simulator.references.catalogue import Catalogue
from simulator.references.keys import Key

__all__ = ["write_references"]


@cache
def _made() -> Path:
    """Make the folder of what was made so far, which goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="cosmo-references-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def write_references(catalogue: Catalogue, folder: Path, keys: Iterable[Key]) -> list[str]:
    """Write reference files as `Catalogue.write` does, as copies, which a test may change.

    Their names say what they hold, so that a file of the same name is the same file.
    """
    names = catalogue.write(_made(), keys)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        target = folder / f"{name}.gz"
        if not target.exists():
            shutil.copy2(_made() / target.name, target)
    return names
