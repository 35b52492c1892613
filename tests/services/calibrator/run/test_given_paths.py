"""Headers as users write them: products are those of plain CalCOS on the same files."""

import gzip
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from astropy.io import fits

from services.calibrator.run.references import ReferenceFolder
from shared.cos.references import FILETYPES
from simulator.plan import Flash
from simulator.verify.cases import CASES
from tests.services.calibrator.recipes.running import calibrate_as_is, simulated

pytestmark = pytest.mark.e2e

_REWRITTEN = [*FILETYPES, "DATE"]
"""Keywords in which products may differ: staged headers name references by ``lref``."""


def _edit(path: Path, references: Path) -> None:
    """Give references by full path, one by a variable as shells have it, and switches in lower
    case.
    """
    with fits.open(path, mode="update") as hdus:
        header = hdus[0].header
        for keyword in FILETYPES:
            name = str(header.get(keyword, "N/A"))
            if name.startswith("lref$"):
                header[keyword] = f"{references}/{name.removeprefix('lref$')}"
        header["RANDSEED"] = 1
        header["FLATFILE"] = header["FLATFILE"].replace(f"{references}/", "$lref/")
        for keyword, value in header.items():
            if value == "PERFORM":
                header[keyword] = "perform"


def test_paths_and_lower_case_give_what_plain_calcos_gives(tmp_path: Path) -> None:
    (plan,) = CASES["NUV G185M/1850 TAGFLASH"].members
    short = replace(plan, exptime=40.0, flashes=(Flash(1.0, 13.0), Flash(25.0, 37.0)))
    case = replace(CASES["NUV G185M/1850 TAGFLASH"], members=(short,))
    raw, _, label = simulated(case, tmp_path)
    folder = tmp_path / "references"
    (science,) = (path for name, path in raw.items() if "_rawtag" in name)
    _edit(science, folder)
    references = ReferenceFolder(folder, tmp_path / "cache", "3.6.2")
    for packed in folder.glob("*.gz"):  # CalCOS wants references unpacked
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    result, products = calibrate_as_is(raw, references, label, tmp_path / "run")
    assert result.warnings == ()
    out = tmp_path / "plain"
    code = f"import sys, calcos; sys.exit(calcos.calcos({science.name!r}, outdir={str(out)!r}))"
    environment = {**os.environ, "lref": f"{folder}/"}
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=science.parent,
        env=environment,
        check=True,
        capture_output=True,
    )
    plain = sorted(path for path in out.glob("*.fits"))
    assert {path.name for path in plain} == {path.stem for path in products.glob("*.fits.gz")}
    for path in plain:
        difference = fits.FITSDiff(
            str(products / f"{path.name}.gz"), str(path), ignore_keywords=_REWRITTEN
        )
        assert difference.identical, difference.report()
