"""What the changes of a recipe are called, in the one place from which API, pages and commands have it."""

import json

from services.calibrator.recipes.changes import (
    CellEdit,
    Change,
    FileLeftOut,
    HeaderEdit,
    RowAdded,
    SubExposure,
    TableCopied,
    describe,
)


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
        "sub-exposure of lrnd01a1q, 0 to 200 s; Sun -90° to -20° above the limb; target 20° to 90° above the limb",
    ]
    assert json.loads(json.dumps(described))[1]["change"] == "HeaderEdit"
