"""The work during a run.

Simulated visits, real acquisitions where there are any, and a file that is damaged.
"""

import random
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from astropy.io import fits

from shared.store import sha256_of
from simulator.mission.make import DATA, REFERENCES, MissionSimulation, spread
from simulator.mission.schedule import Mission

__all__ = ["Work"]

_ROUTINES: Final = ("acquisition", "nuv-dark", "nuv-imaging")
"""What CalCOS calibrates within seconds, and what it does not calibrate at all."""
_VISITS_A_YEAR: Final = 40
"""Fewer than these routines schedule."""
_DAMAGED: Final = "ldzzzza1q"


class Work:
    """Files that a source receives, portion by portion.

    Parameters
    ----------
    folder
        Folder that is made for the source and the references.
    seed
        Of the simulation.
    count
        Portions.
    real
        Folder of real data; None where there is none.
    association
        Whether the real association is among them, which takes CalCOS a minute.
    """

    def __init__(
        self, folder: Path, seed: int, count: int, real: Path | None, *, association: bool
    ) -> None:
        years = 0.5 + count / _VISITS_A_YEAR
        self._simulation = MissionSimulation(
            Mission(years=years, seed=seed, size="brief", routines=_ROUTINES), folder
        )
        self.source, self.references = folder / DATA, folder / REFERENCES
        for made in (self.source, self.references):
            made.mkdir(parents=True)
        portions: list[Callable[[], object]] = [self._damage]
        if real is not None:
            groups = [sorted(real.glob(f"acquisitions/{name}_*")) for name in _acquisitions(real)]
            if association:
                groups.append(
                    sorted(real.glob("ldfd01010/raw/*"), key=lambda path: "_asn" not in path.name)
                )
                for path in real.glob("references/*"):
                    (self.references / path.name).symlink_to(path.resolve())
            portions += [partial(self._copy, group) for group in groups]
        visits = [self._simulation.taken[index] for index in spread(len(self._simulation.taken))]
        portions += [
            partial(self._simulation.take, visit)
            for visit in visits[: max(0, count - len(portions))]
        ]
        random.Random(seed).shuffle(portions)
        self._portions = portions

    def __len__(self) -> int:
        return len(self._portions)

    def offer(self, number: int) -> None:
        """Put a portion into the source."""
        self._portions[number]()

    def files(self) -> dict[str, str]:
        """Return SHA-256 by name of what the source holds, but for what is damaged."""
        paths = (
            path for path in self.source.rglob("[!.]*.fits*") if not path.name.startswith(_DAMAGED)
        )
        return {path.name: sha256_of(path) for path in paths}

    @property
    def damaged(self) -> frozenset[str]:
        """Rootnames that have to fail."""
        return frozenset({_DAMAGED})

    def _copy(self, paths: Sequence[Path]) -> None:
        folder = self.source / "real"
        folder.mkdir(exist_ok=True)
        for path in paths:
            staged = folder / f".{path.name}"
            shutil.copyfile(path, staged)
            staged.rename(folder / path.name)

    def _damage(self) -> None:
        for suffix in ("spt", "rawacq"):
            primary = fits.PrimaryHDU()
            primary.header["INSTRUME"], primary.header["ROOTNAME"] = "COS", _DAMAGED.upper()
            image = fits.ImageHDU(np.zeros((300, 300), np.int16))
            fits.HDUList([primary, image]).writeto(self.source / f".{suffix}")
        # The other one is stored before this one is found damaged.
        with (self.source / ".spt").open("r+b") as stream:
            stream.truncate(100_000)
        for suffix in ("spt", "rawacq"):
            (self.source / f".{suffix}").rename(self.source / f"{_DAMAGED}_{suffix}.fits")


def _acquisitions(real: Path) -> list[str]:
    return sorted({path.name.split("_")[0] for path in real.glob("acquisitions/*_rawacq*")})
