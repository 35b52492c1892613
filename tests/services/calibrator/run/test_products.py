"""Which products a run must leave, and how they are packed."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from services.calibrator.run.associations import read_association
from services.calibrator.run.headers import read_exposures
from services.calibrator.run.products import check_products, kept_products, pack, promised_products
from services.calibrator.run.workspace import stage
from shared.cos.association import Association, Row
from shared.errors import PermanentError

MakeExposure = Any
ASSOCIATION = Association("ldfd01010_asn.fits", (Row("ldfd01010", "PROD-FP", False),))
EXTRACT = {"X1DCORR": "PERFORM", "WAVECORR": "PERFORM", "TAGFLASH": "AUTO"}


def promised(association: Association | None, *exposures: Any) -> set[str]:
    names = promised_products(association, exposures)
    return {
        name.removesuffix(".fits")
        for name in names
        if not name.split("_", 1)[1].startswith(("flt_", "counts"))
    }


def test_real_association(association_files: dict[str, Path], tmp_path: Path) -> None:
    stage(association_files, tmp_path)
    names = promised_products(read_association(tmp_path), read_exposures(tmp_path))
    sums = {f"ldfd01010_x1dsum{position}.fits" for position in ("", 1, 2, 3, 4)}
    assert sums < names
    assert len(names - sums) == 4 * len(("corrtag_a", "flt_a", "counts_a", "x1d", "lampflash"))


def test_spectrum_with_flashes(make_exposure: MakeExposure) -> None:
    own = {"ldfd01vnq_corrtag_a", "ldfd01vnq_x1d", "ldfd01vnq_lampflash"}
    assert promised(None, make_exposure(**EXTRACT)) == own
    assert promised(ASSOCIATION, make_exposure(**EXTRACT)) == own | {
        "ldfd01010_x1dsum",
        "ldfd01010_x1dsum2",
    }


@pytest.mark.parametrize(
    ("keywords", "data"),
    [
        ({}, {"NUMFLASH": 0}),
        ({}, {"NAXIS2": 0}),
        ({"TAGFLASH": "NONE"}, {}),
        ({"WAVECORR": "OMIT"}, {}),
    ],
)
def test_no_flash_no_lampflash(
    make_exposure: MakeExposure, keywords: dict[str, str], data: dict[str, int]
) -> None:
    found = promised(None, make_exposure(data=data, **(EXTRACT | keywords)))
    assert found == {"ldfd01vnq_corrtag_a", "ldfd01vnq_x1d"}


def test_sums_are_of_science_alone(make_exposure: MakeExposure) -> None:
    science = make_exposure(**(EXTRACT | {"TAGFLASH": "NONE", "FPPOS": 3}))
    lamp = make_exposure(
        "ldfd01vpq", **(EXTRACT | {"TAGFLASH": "NONE", "EXPTYPE": "WAVECAL", "FPPOS": 4})
    )
    sums = {name for name in promised(ASSOCIATION, science, lamp) if "sum" in name}
    assert sums == {"ldfd01010_x1dsum", "ldfd01010_x1dsum3"}
    assert "ldfd01vpq_x1d" in promised(ASSOCIATION, science, lamp)
    calibration = make_exposure(**(EXTRACT | {"EXPTYPE": "EXTERNAL/CAL"}))
    assert not any("sum" in name for name in promised(ASSOCIATION, calibration))
    assert not any("sum" in name for name in promised(ASSOCIATION, make_exposure(X1DCORR="OMIT")))


def test_images_are_added_up(make_exposure: MakeExposure) -> None:
    image = make_exposure(suffix="rawtag", OBSTYPE="IMAGING", SEGMENT="N/A", X1DCORR="PERFORM")
    assert promised(ASSOCIATION, image) == {
        "ldfd01vnq_corrtag",
        "ldfd01vnq_flt",
        "ldfd01010_fltsum",
    }


def test_missing_and_damaged_products_are_named(tmp_path: Path) -> None:
    (tmp_path / "ldfd01vnq_x1d.fits").write_bytes(b"SIMPLE  =")
    with pytest.raises(PermanentError, match=r"did not write ldfd01010_x1dsum.fits"):
        check_products(tmp_path, {"ldfd01vnq_x1d.fits", "ldfd01010_x1dsum.fits"})
    with pytest.raises(PermanentError, match=r"ldfd01vnq_x1d.fits.*truncated"):
        check_products(tmp_path, {"ldfd01vnq_x1d.fits"})


def test_packing_is_reversible_and_reproducible(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for suffix in ("flt_a", "x1d", "corrtag_a"):
        (tmp_path / "out" / f"ldfd01vnq_{suffix}.fits").write_bytes(
            b"\0" * 100_000 + suffix.encode()
        )
    kept, others = kept_products(tmp_path / "out", "x1d, flt*")
    assert others == ["ldfd01vnq_corrtag_a.fits"]
    assert [path.name for path in kept] == ["ldfd01vnq_flt_a.fits", "ldfd01vnq_x1d.fits"]
    first, second = pack(kept, tmp_path / "a"), pack(kept, tmp_path / "b")
    assert gzip.decompress(first[0].path.read_bytes()) == kept[0].read_bytes()
    assert [(item.size, item.sha256) for item in first] == [
        (item.size, item.sha256) for item in second
    ]
