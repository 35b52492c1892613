"""A simulated exposure and the real CalCOS, with tables that monitors wrote."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from astropy.io import fits

from services.monitor.framework.declaration import NewArtifact
from simulator.nominal import nominal_state
from simulator.observe import observe
from simulator.references.catalogue import Catalogue
from simulator.state import Viewing
from simulator.verify.cases import CASES
from simulator.verify.running import run_calcos, unpack

__all__ = ["Exposure"]


class Exposure:
    """An exposure of the NUV (G225M/2250) with two flashes, whose spectra are shifted.

    Parameters
    ----------
    folder
        Empty folder.
    shift
        Of all stripes along dispersion, pix.
    channel
        What else is other in the state of all stripes.
    """

    def __init__(self, folder: Path, shift: float, **channel: Any) -> None:
        (case,) = (one for one in CASES.values() if one.name == "NUV G225M/2250 TAGFLASH")
        plan = replace(case.members[0], exptime=120.0, flashes=case.members[0].flashes[:1])
        state = nominal_state(plan.start, dict.fromkeys(("NUVA", "NUVB", "NUVC"), (shift, 0.0)))
        channels = {name: replace(one, **channel) for name, one in state.channels.items()}
        state = replace(state, channels=channels)
        self._folder, self.plan = folder, plan
        self.references = folder / "plain"
        raw = folder / "raw"
        raw.mkdir()
        catalogue = Catalogue()
        chosen = catalogue.select(plan)
        self.used = {keyword: key.name for keyword, key in chosen.items()}
        taken = observe(plan, state, Viewing(7.2, plan.start, 5720.0), raw, catalogue)
        unpack(folder, catalogue.write(folder, chosen.values()), self.references)
        self._raw = taken.paths[0]
        # The limit of CalCOS itself; that of simulated tables lets any match pass.
        with fits.open(self.path("WCPTAB"), mode="update") as hdus:
            hdus[1].data["N_SIGMA"] = 15.0

    def path(self, keyword: str) -> Path:
        """Return the path of the reference file that the raw header names."""
        return self.references / self.used[keyword]

    def calibrate(self, name: str, *artifacts: NewArtifact) -> Path:
        """Calibrate with tables in place of those that the header names.

        Parameters
        ----------
        name
            Of the run.
        artifacts
            Tables.

        Returns
        -------
        Path
            Folder of the products.
        """
        raw = self._folder / name / self._raw.name
        raw.parent.mkdir()
        shutil.copyfile(self._raw, raw)
        for one in artifacts:
            (self.references / one.name).write_bytes(one.content)
            fits.setval(raw, one.kind, value=f"lref${one.name}")
        products = self._folder / name / "products"
        run_calcos([raw], self.references, products)
        return products

    def rows(self, products: Path, kind: str) -> Any:
        """Return the rows of a product, ``lampflash`` or ``x1d``, as FITS records."""
        return fits.getdata(products / f"{self.plan.rootname}_{kind}.fits", 1)
