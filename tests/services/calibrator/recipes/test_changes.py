"""What the changes of a recipe are called, in the one place from which API, pages and commands have
it.
"""

import json
from pathlib import Path

import numpy as np
from astropy.io import fits

from services.calibrator.recipes.edits.changes import (
    CellEdit,
    Change,
    FileLeftOut,
    HeaderEdit,
    RowAdded,
    SubExposure,
    TableCopied,
    apply,
    describe,
)
from services.calibrator.recipes.edits.extraction import derive
from shared.recipes import parse_recipe
from tests.services.calibrator.conftest import MakeExposure


def test_every_kind_has_words_of_its_own() -> None:
    part = ("lrnd01a1q_s001", "lrnd01a1q", 0.0, 200.0)
    changes: list[Change] = [
        FileLeftOut("a"),
        HeaderEdit("a", 0, "FLATCORR", "PERFORM", "OMIT"),
        HeaderEdit("a", 1, "PARENT", None, "x_1dx.fits"),
        CellEdit("a", 1, 3, "HEIGHT", 57, 41),
        RowAdded("a", 1, {"MEMNAME": "LRND01A2Q", "MEMTYPE": "EXP-GWAVE"}),
        TableCopied("a", "x_1dx.fits"),
        SubExposure(*part, None, None, (2, 11)),
        SubExposure(*part, None, None, (12, 23)),
        SubExposure(*part, (-90.0, -20.0), (20.0, 90.0), None),
    ]
    described = describe(changes)
    assert [change["text"] for change in described] == [
        "left out",
        "[0] FLATCORR: PERFORM → OMIT",
        "[1] PARENT: (none) → x_1dx.fits",
        "[1] row 3, HEIGHT: 57 → 41",
        "[1] new row: MEMNAME LRND01A2Q, MEMTYPE EXP-GWAVE",
        "derived from x_1dx.fits",
        "sub-exposure of lrnd01a1q, 0 to 200 s; pulse heights 2 to 11",
        "sub-exposure of lrnd01a1q, 0 to 200 s; pulse heights 12 to 23",
        "sub-exposure of lrnd01a1q, 0 to 200 s; Sun -90° to -20° above the limb; target 20° to 90° "
        "above the limb",
    ]
    assert json.loads(json.dumps(described))[1]["change"] == "HeaderEdit"


def test_a_derived_table_says_in_itself_what_it_has_of_its_own(
    make_exposure: MakeExposure, tmp_path: Path
) -> None:
    exposure = make_exposure(XTRCTALG="BOXCAR", X1DCORR="PERFORM", XTRACTAB="lref$box_1dx.fits")
    mode = {
        "SEGMENT": "FUVA",
        **{name: exposure.header[name] for name in ("OPT_ELEM", "CENWAVE", "APERTURE")},
    }
    columns = [
        fits.Column(name, "J" if name == "CENWAVE" else "8A", array=[value])
        for name, value in mode.items()
    ]
    columns += [fits.Column("HEIGHT", "J", array=[57]), fits.Column("B_SPEC", "D", array=[490.5])]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "box_1dx.fits")
    events = fits.BinTableHDU.from_columns([fits.Column("TIME", "E", array=np.zeros(1))])
    fits.HDUList([fits.PrimaryHDU(header=exposure.header), events]).writeto(exposure.path)

    recipe = parse_recipe({"extraction": {"boxcar": {"FUVA": {"HEIGHT": 41, "B_SPEC": 492.0}}}})
    apply(derive(recipe, [exposure], tmp_path), tmp_path, tmp_path)
    (derived,) = tmp_path.glob(f"{'?' * 9}_1dx.fits")
    header = fits.getheader(derived)
    assert header["PARENT"] == "box_1dx.fits"
    assert list(header["HISTORY"]) == [
        "row 0, B_SPEC: 492.0, where box_1dx.fits has 490.5",
        "row 0, HEIGHT: 41, where box_1dx.fits has 57",
    ]
