"""Tables derived by a recipe's numbers, and what their regions fall on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.recipes.checks.placement import check_placement
from services.calibrator.recipes.checks.regions import region_warnings
from services.calibrator.recipes.edits.changes import apply
from services.calibrator.recipes.edits.extraction import derive
from shared.errors import PermanentError
from shared.recipes import parse_recipe
from tests.services.calibrator.conftest import MakeExposure
from tests.services.calibrator.recipes.conftest import TWOZONE


def test_a_table_is_derived_and_the_active_one_left_as_it_is(
    make_exposure: MakeExposure, lref: Path, tmp_path: Path
) -> None:
    exposure = make_exposure(**TWOZONE)
    events = fits.BinTableHDU.from_columns([fits.Column("TIME", "1E", array=[0.0])])
    fits.HDUList([fits.PrimaryHDU(header=exposure.header), events]).writeto(exposure.path)
    before = (lref / "two_2zx.fits").read_bytes()
    recipe = parse_recipe(
        {"extraction": {"twozone": {"all": {"LOWER_OUTER": 0.1, "UPPER_OUTER": 0.9}}}}
    )
    changes = derive(recipe, [exposure], lref)
    apply(changes, tmp_path, lref)

    name = fits.getval(exposure.path, "TWOZXTAB").removeprefix("lref$")
    assert (lref / "two_2zx.fits").read_bytes() == before
    assert fits.getval(lref / name, "PARENT") == "two_2zx.fits"
    old, new = fits.getdata(lref / "two_2zx.fits", 1), fits.getdata(lref / name, 1)
    assert (new["LOWER_OUTER"][1], new["UPPER_OUTER"][1]) == (0.1, 0.9)
    assert np.array_equal(old[:1], new[:1])
    assert derive(recipe, [exposure], lref)[0] == changes[0]


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({"LOWER_OUTER": 0.5}, "the zones do not ascend: LOWER_OUTER 0.5, LOWER_INNER 0.1"),
        ({"B_HGT1": 20}, "no column B_HGT1; it has"),
    ],
)
def test_numbers_that_do_not_fit_the_table_are_refused(
    make_exposure: MakeExposure, lref: Path, numbers: Any, reason: str
) -> None:
    recipe = parse_recipe({"extraction": {"twozone": {"FUVA": numbers}}})
    with pytest.raises(PermanentError, match=reason):
        derive(recipe, [make_exposure(**TWOZONE)], lref)


def write_profile(lref: Path, centre: float) -> None:
    """Write a profile of 72 rows."""
    mode = {
        "SEGMENT": "4A",
        "OPT_ELEM": "8A",
        "CENWAVE": "1J",
        "APERTURE": "4A",
        "ROW_0": "1J",
        "CENTER": "1D",
    }
    values = ["FUVA", "G140L", 1105, "ANY", 431, centre]
    columns = [
        fits.Column(name, mode[name], array=[value])
        for name, value in zip(mode, values, strict=True)
    ]
    columns.append(fits.Column("PROFILE", "288E", dim="(4,72)", array=np.ones((1, 72, 4))))
    fits.BinTableHDU.from_columns(columns).writeto(lref / "any_profile.fits")


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({}, None),
        ({"HEIGHT": 57}, None),
        (
            {"HEIGHT": 58},
            "HEIGHT 58 reaches beyond the profile of FUVA .* rows 431 to 502 .* at most 57",
        ),
        ({"B_BKG1": 300.0}, None),
        (
            {"B_BKG1": 300.0, "B_BKG2": 530.0},
            "both background regions lie outside .* omit BACKCORR",
        ),
    ],
)
def test_regions_lie_on_the_profile(
    make_exposure: MakeExposure, lref: Path, numbers: dict[str, Any], reason: str | None
) -> None:
    write_profile(lref, 459.5)
    with fits.open(lref / "two_2zx.fits", mode="update") as hdus:
        for name, value in numbers.items():
            hdus[1].data[name][1] = value
    exposure = make_exposure(**TWOZONE, PROFTAB="lref$any_profile.fits")
    if reason is None:
        check_placement([exposure], lref)
        return
    with pytest.raises(PermanentError, match=reason):
        check_placement([exposure], lref)


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({}, None),
        ({"B_BKG1": 10.0}, None),
        ({"B_BKG1": 9.0}, "the box of 21 rows around B_BKG1 9 of FUVA reaches beyond the detector"),
        ({"B_BKG1": 40.0, "SLOPE": -0.002}, "B_BKG1 40"),
        ({"B_SPEC": 1010.0}, "the box of 35 rows around B_SPEC 1010"),
    ],
)
def test_boxes_lie_on_the_detector(
    make_exposure: MakeExposure, lref: Path, numbers: dict[str, Any], reason: str | None
) -> None:
    with fits.open(lref / "box_1dx.fits", mode="update") as hdus:
        for name, value in numbers.items():
            hdus[1].data[name][0] = value
    exposure = make_exposure(**{**TWOZONE, "XTRCTALG": "BOXCAR"})
    if reason is None:
        check_placement([exposure], lref)
        return
    with pytest.raises(PermanentError, match=reason):
        check_placement([exposure], lref)


def test_boxcar_cannot_be_aligned_without_its_column(
    make_exposure: MakeExposure, lref: Path
) -> None:
    exposure = make_exposure(**(TWOZONE | {"XTRCTALG": "BOXCAR"}))
    with pytest.raises(
        PermanentError, match=r"YERRMAX, which box_1dx\.fits lacks; omit TRCECORR and ALGNCORR"
    ):
        derive(parse_recipe({}), [exposure], lref)


@pytest.mark.parametrize(
    ("row", "warnings"),
    [
        (420.0, []),
        (530.0, ["covers 1 gain-sagged areas"]),
        (565.0, ["reaches into the wavecal aperture"]),
        (552.0, ["reaches into the wavecal aperture", "covers 1 gain-sagged areas"]),
    ],
)
def test_background_on_what_is_no_background(
    make_exposure: MakeExposure, lref: Path, row: float, warnings: list[str]
) -> None:
    with fits.open(lref / "two_2zx.fits", mode="update") as hdus:
        hdus[1].data["B_BKG1"] = row
    data = {"SDQFLAGS": 8346, "EXPSTART": 60000.0, "HVLEVELA": 163}
    found = region_warnings([make_exposure(data=data, **TWOZONE)], lref)
    assert [expected in text for expected, text in zip(warnings, found, strict=True)] == [
        True
    ] * len(warnings)


DATA = {"SDQFLAGS": 8346, "EXPSTART": 60000.0, "HVLEVELA": 163}
BOXCAR = {**TWOZONE, "XTRCTALG": "BOXCAR"}


def set_background(lref: Path, name: str, row: float) -> None:
    with fits.open(lref / name, mode="update") as hdus:
        hdus[1].data["B_BKG1"] = row


def test_two_zone_regions_go_with_the_profile(make_exposure: MakeExposure, lref: Path) -> None:
    set_background(lref, "two_2zx.fits", 525.0)  # 65 rows above B_SPEC
    write_profile(lref, 459.5)
    exposure = make_exposure(data=DATA, **TWOZONE, PROFTAB="lref$any_profile.fits")
    assert region_warnings([exposure], lref) == []
    (lref / "any_profile.fits").unlink()
    write_profile(lref, 469.2)
    (text,) = region_warnings([exposure], lref)
    assert "background region 1 of FUVA (rows 524 to 544) covers 1 gain-sagged areas" in text


def write_voltages(lref: Path, *history: tuple[float, int]) -> None:
    """Write a history of the high voltage of segment A."""
    columns = [fits.Column("DATE", "1D", array=[date for date, _ in history])]
    columns.append(fits.Column("HVLEVELA", "1J", array=[level for _, level in history]))
    table = fits.BinTableHDU.from_columns(columns, name="FUVA")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(lref / "any_hv.fits")


@pytest.mark.parametrize(
    ("level", "history", "warned"),
    [
        (163, [], True),
        (160, [], True),  # the next higher one that the table has
        (164, [], False),
        (164, [(57000.0, 170), (59000.0, 163), (61000.0, 170)], True),
        (163, [(57000.0, 163), (59000.0, 170), (61000.0, 163)], False),
        (163, [(61000.0, 170)], False),
    ],
)
def test_gain_sag_is_that_of_the_voltage(
    make_exposure: MakeExposure,
    lref: Path,
    level: int,
    history: list[tuple[float, int]],
    warned: bool,
) -> None:
    set_background(lref, "box_1dx.fits", 530.0)
    if history:
        write_voltages(lref, *history)
    exposure = make_exposure(
        data=DATA | {"HVLEVELA": level}, **BOXCAR, HVTAB="lref$any_hv.fits" if history else "N/A"
    )
    assert any("gain-sagged" in text for text in region_warnings([exposure], lref)) == warned


@pytest.mark.parametrize(
    ("switch", "warned"), [("PERFORM", True), ("COMPLETE", True), ("OMIT", False)]
)
def test_gain_sag_is_flagged_in_calibrated_events_as_well(
    make_exposure: MakeExposure, lref: Path, switch: str, warned: bool
) -> None:
    set_background(lref, "two_2zx.fits", 540.0)
    exposure = make_exposure(suffix="corrtag_a", data=DATA, **{**TWOZONE, "DQICORR": switch})
    assert any("gain-sagged" in text for text in region_warnings([exposure], lref)) == warned
