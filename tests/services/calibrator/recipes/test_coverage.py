"""Which references do not cover the mode of an exposure; whether real ones do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.recipes.checks.coverage import check_coverage
from services.calibrator.run.headers import read_exposures
from services.calibrator.run.references import ReferenceFolder
from services.calibrator.run.workspace import stage
from shared.cos.references import FILETYPES
from shared.errors import PermanentError
from tests.services.calibrator.conftest import MakeExposure

_FORMATS = {
    "SEGMENT": "4A",
    "OPT_ELEM": "8A",
    "CENWAVE": "1J",
    "APERTURE": "4A",
    "FPOFFSET": "1J",
    "HAS_LINES": "1L",
}
_SWITCHES = dict.fromkeys(
    ("X1DCORR", "FLUXCORR", "WAVECORR", "TRCECORR", "ALGNCORR", "HVDSCORR", "FLATCORR", "DEADCORR"),
    "PERFORM",
)
_FILES = dict.fromkeys(FILETYPES, "lref$any.fits")
FUV = {"SEGMENT": "FUVA", "OPT_ELEM": "G140L", "CENWAVE": 1105}
NUV: dict[str, Any] = {
    "DETECTOR": "NUV",
    "SEGMENT": "N/A",
    "OPT_ELEM": "G230L",
    "CENWAVE": 2950,
    "TRCECORR": "OMIT",
    "ALGNCORR": "OMIT",
}


def rows(**columns: list[Any]) -> list[dict[str, Any]]:
    """Return the rows of all combinations of values."""
    found: list[dict[str, Any]] = [{}]
    for name, values in columns.items():
        found = [{**row, name: value} for row in found for value in values]
    return found


def fuv_rows(*apertures: str, **more: list[Any]) -> list[dict[str, Any]]:
    return rows(**{name: [value] for name, value in FUV.items()}, APERTURE=list(apertures), **more)


def nuv_rows(stripes: str, *apertures: str) -> list[dict[str, Any]]:
    return rows(
        SEGMENT=[f"NUV{stripe}" for stripe in stripes],
        OPT_ELEM=["G230L"],
        CENWAVE=[2950],
        APERTURE=list(apertures),
    )


def lamps(position: int, *, lines: bool = True, segment: str = "FUVA") -> list[dict[str, Any]]:
    return [FUV | {"SEGMENT": segment, "FPOFFSET": position, "HAS_LINES": lines}]


WAVECAL = {"EXPTYPE": "WAVECAL", "APERTURE": "WCA", "TRCECORR": "OMIT", "ALGNCORR": "OMIT"}
FLASHED = {"TAGFLASH": "AUTO", "FPOFFSET": -1}
ACCUM = {"OBSMODE": "ACCUM", "suffix": "rawaccum_a"}
FUVB = {"SEGMENT": "FUVB", "suffix": "rawtag_b"}


@pytest.mark.parametrize(
    ("keyword", "table", "header", "reason"),
    [
        ("XTRACTAB", fuv_rows("PSA", "WCA"), {}, None),
        ("XTRACTAB", fuv_rows("ANY"), {}, None),
        ("XTRACTAB", fuv_rows("PSA"), {}, "CENWAVE 1105 APERTURE WCA"),
        ("XTRACTAB", fuv_rows("WCA"), {}, "APERTURE PSA"),
        ("XTRACTAB", fuv_rows("PSA"), ACCUM, None),
        ("XTRACTAB", fuv_rows("PSA", "WCA"), {"APERTURE": "BOA"}, "APERTURE BOA"),
        ("XTRACTAB", fuv_rows("BOA", "WCA"), {"APERTURE": "BOA"}, "APERTURE PSA"),
        ("XTRACTAB", fuv_rows("PSA", "WCA"), {"APERTURE": "RelMvReq"}, None),
        ("XTRACTAB", fuv_rows("WCA"), WAVECAL, None),
        ("XTRACTAB", fuv_rows("PSA"), WAVECAL, "APERTURE WCA"),
        ("XTRACTAB", fuv_rows("PSA", "WCA"), FUVB, "SEGMENT FUVB"),
        ("XTRACTAB", fuv_rows("PSA"), {"suffix": "corrtag_a"}, None),
        ("XTRACTAB", nuv_rows("ABC", "PSA", "WCA"), NUV, None),
        ("XTRACTAB", nuv_rows("AB", "PSA", "WCA"), NUV, "SEGMENT NUVC"),
        ("XTRACTAB", nuv_rows("ABC", "PSA"), NUV, "SEGMENT NUVA .* APERTURE WCA"),
        ("FLUXTAB", nuv_rows("A", "PSA"), NUV, "SEGMENT NUVB"),
        ("FLUXTAB", fuv_rows("WCA"), WAVECAL, None),
        ("FLUXTAB", fuv_rows("PSA", FPOFFSET=[0, 1]), FLASHED, "FPOFFSET -1"),
        ("DISPTAB", fuv_rows("PSA"), {}, None),
        ("DISPTAB", fuv_rows("PSA"), FLASHED, "APERTURE WCA"),
        ("DISPTAB", fuv_rows("PSA", "WCA", FPOFFSET=[0, 1]), FLASHED, "FPOFFSET -1"),
        ("DISPTAB", fuv_rows("PSA", "WCA", FPOFFSET=[-1, 0]), FLASHED, None),
        ("LAMPTAB", lamps(-1), FLASHED, None),
        ("LAMPTAB", lamps(0), FLASHED, "FPOFFSET -1"),
        ("LAMPTAB", lamps(0), {"FPOFFSET": -1}, None),  # without flashes its template is not read
        ("LAMPTAB", lamps(0), WAVECAL | {"FPOFFSET": -1}, "FPOFFSET -1"),
        ("LAMPTAB", lamps(0, segment="FUVB", lines=False), FLASHED | FUVB, None),
        ("LAMPTAB", lamps(0, segment="FUVB"), FLASHED | FUVB, "SEGMENT FUVB .* FPOFFSET -1"),
        ("WCPTAB", [{"OPT_ELEM": "G130M"}], WAVECAL, "OPT_ELEM G140L"),
        ("WCPTAB", [{"OPT_ELEM": "G140L"}], WAVECAL, None),
        ("HVDSTAB", rows(SEGMENT=["FUVA"], CENWAVE=[1280]), {}, "CENWAVE 1105"),
        ("DEADTAB", [{"SEGMENT": "FUVB"}], {"EXPTYPE": "DARK"}, "SEGMENT FUVA"),
        (
            "DEADTAB",
            [{"SEGMENT": "FUVB"}],
            {"EXPTYPE": "DARK", "DETECTOR": "NUV", "SEGMENT": "N/A"},
            None,
        ),
        ("BPIXTAB", [{"SEGMENT": "FUVB"}], {"DQICORR": "PERFORM"}, None),  # no bad pixels
    ],
)
def test_tables_are_asked_what_calcos_asks_them(
    make_exposure: MakeExposure,
    tmp_path: Path,
    keyword: str,
    table: list[dict[str, Any]],
    header: dict[str, Any],
    reason: str | None,
) -> None:
    names = [name for name in _FORMATS if name in table[0]]
    columns = [
        fits.Column(name, _FORMATS[name], array=[row[name] for row in table]) for name in names
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "any.fits")
    exposure = make_exposure(**{**_SWITCHES, **_FILES, "APERTURE": "PSA", **header})
    if reason is None:
        check_coverage([exposure], [keyword], tmp_path)
        return
    with pytest.raises(
        PermanentError, match=rf"^{keyword}: any\.fits has nothing for .*{reason}.* which ldfd01vnq"
    ):
        check_coverage([exposure], [keyword], tmp_path)


@pytest.mark.parametrize(
    ("own", "found", "reason"),
    [
        ({"LIFE_ADJ": 3}, {"LIFE_ADJ": 3}, None),
        (
            {"LIFE_ADJ": 3},
            {"LIFE_ADJ": 4},
            r"is for lifetime position 4 \(LIFE_ADJ\), ldfd01vnq_rawtag_a.fits of 3",
        ),
        ({"LIFE_ADJ": 3}, {}, "is for no lifetime position"),
        ({}, {"LIFE_ADJ": -1}, None),
        ({"LIFE_ADJ": 3, "TRCECORR": "OMIT"}, {"LIFE_ADJ": 4}, None),
    ],
)
def test_a_trace_is_of_the_lifetime_position(
    make_exposure: MakeExposure,
    tmp_path: Path,
    own: dict[str, Any],
    found: dict[str, Any],
    reason: str | None,
) -> None:
    names = ("SEGMENT", "OPT_ELEM", "CENWAVE", "APERTURE")
    columns = [fits.Column(name, _FORMATS[name], array=[FUV.get(name, "ANY")]) for name in names]
    table = fits.BinTableHDU.from_columns(columns)
    fits.HDUList([fits.PrimaryHDU(header=fits.Header(found)), table]).writeto(tmp_path / "any.fits")
    exposure = make_exposure(**{**_SWITCHES, **_FILES, **own})
    if reason is None:
        check_coverage([exposure], ["TRACETAB"], tmp_path)
        return
    with pytest.raises(PermanentError, match=reason):
        check_coverage([exposure], ["TRACETAB"], tmp_path)


def test_an_image_is_needed_for_the_segment(make_exposure: MakeExposure, tmp_path: Path) -> None:
    image = fits.ImageHDU(np.ones((2, 2), np.float32), name="FUVA")
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "any.fits")
    check_coverage([make_exposure(**_SWITCHES, **_FILES)], ["FLATFILE"], tmp_path)
    with pytest.raises(PermanentError, match="nothing for SEGMENT FUVB"):
        check_coverage(
            [make_exposure(suffix="rawtag_b", **_SWITCHES, **_FILES, SEGMENT="FUVB")],
            ["FLATFILE"],
            tmp_path,
        )


def test_real_references_cover_the_real_exposures(
    association_files: dict[str, Path], references: ReferenceFolder, tmp_path: Path
) -> None:
    (tmp_path / "raw").mkdir()
    stage(
        {name: path for name, path in association_files.items() if "rawtag" in name},
        tmp_path / "raw",
    )
    exposures = read_exposures(tmp_path / "raw")
    assert len(exposures) == 4
    references.link(references.resolve(exposures), tmp_path / "lref")
    check_coverage(exposures, FILETYPES, tmp_path / "lref")
