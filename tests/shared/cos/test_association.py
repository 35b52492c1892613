"""Association tables as CalCOS reads them, with CalCOS itself as the judge."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from shared.cos.association import Association, Row, read_association
from shared.errors import PermanentError
from shared.fits import FitsFile

NAMES = ["LSV140A0Q", "LSV140A1Q", "LSV140A2Q", "LSV140010"]
KINDS = ["EXP-FP", "EXP-FP", "EXP-GWAVE", "PROD-FP"]


def write(
    path: Path,
    present: Any = (True, True, True, True),
    form: str = "L",
    names: Any = NAMES,
    kinds: Any = KINDS,
    extname: str | None = None,
    width: int = 14,
) -> Path:
    columns = [
        fits.Column("MEMNAME", f"{width}A", array=np.array(names)),
        fits.Column("MEMTYPE", "14A", array=np.array(kinds)),
        fits.Column("MEMPRSNT", form, array=np.array(present)),
    ]
    hdu = fits.BinTableHDU.from_columns(columns)
    if extname:
        hdu.name = extname
    hdu.writeto(path, overwrite=True)
    return path


def read(path: Path) -> Association:
    return read_association(FitsFile(lambda: path.open("rb"), path.name))


def as_calcos(path: Path) -> tuple[list[str], str | None]:
    """Return the members that CalCOS looks for, and its product."""
    calcos = pytest.importorskip("calcos.calcos")
    table = calcos.Association.__new__(calcos.Association)
    table.asntable, table.indir, table.outdir, table.asn_info = str(path), "", "", {}
    table.readAsnTable()
    rows = zip(
        *(table.asn_info[name] for name in ("memname", "memtype", "mempresent")), strict=True
    )
    return [
        str(name) for name, kind, present in rows if kind.find("PROD") < 0 and present
    ], table.product


@pytest.mark.parametrize(
    ("form", "present"),
    [
        ("L", [True, False, True, False]),
        ("K", [1, 0, 1, 1]),
        ("I", [1, 0, -1, 0]),
        ("B", [2, 0, 1, 0]),
        ("D", [1.0, 0.0, np.nan, 0.0]),
        ("3A", ["yes", "", "no", ""]),
        ("1A", ["T", " ", "F", "T"]),
    ],
)
def test_presence_in_every_form(tmp_path: Path, form: str, present: Any) -> None:
    path = write(tmp_path / "x_asn.fits", present, form)
    found = read(path)
    assert found.members == ("lsv140a0q", "lsv140a2q")
    assert found.left_out == ("lsv140a1q",)
    assert (list(found.members), found.product) == as_calcos(path)


@pytest.mark.parametrize("width", [9, 14, 40])
@pytest.mark.parametrize("extname", [None, "ASN", "MEMBERS"])
def test_names_of_any_width_in_the_first_extension(
    tmp_path: Path, width: int, extname: str | None
) -> None:
    path = write(
        tmp_path / "x_asn.fits", names=[f"{name}  " for name in NAMES], width=width, extname=extname
    )
    assert read(path).members == ("lsv140a0q", "lsv140a1q", "lsv140a2q")
    assert (list(read(path).members), read(path).product) == as_calcos(path)


@pytest.mark.parametrize(
    ("product", "kind", "expected"),
    [
        ("STAR_ALL", "PROD-FP", "star_all"),
        ("star.v2", "PROD-TARG", "star.v2"),
        ("LSV140010", "GO-PROD", "lsv140010"),
        ("LSV140010", "EXP-FP", None),
    ],
)
def test_product_has_any_name(
    tmp_path: Path, product: str, kind: str, expected: str | None
) -> None:
    path = write(
        tmp_path / "x_asn.fits",
        [True] * 3 + [False],
        names=[*NAMES[:3], product],
        kinds=[*KINDS[:3], kind],
    )
    assert read(path).product == expected == as_calcos(path)[1]


def test_product_in_lower_case_is_none_and_no_exposure(tmp_path: Path) -> None:
    found = read(write(tmp_path / "x_asn.fits", kinds=[kind.lower() for kind in KINDS]))
    assert found.members == ("lsv140a0q", "lsv140a1q", "lsv140a2q")
    assert found.product is None


def test_names_of_files_stand_for_their_exposures(tmp_path: Path) -> None:
    names = ["lsv140a0q_rawtag.fits", "../v2/LSV140A1Q_rawtag.fits", "LSV140A2Q", "LSV140010"]
    assert read(write(tmp_path / "x_asn.fits", names=names, width=40)).members == (
        "lsv140a0q",
        "lsv140a1q",
        "lsv140a2q",
    )


def test_row_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x_asn.fits", [False, True, True], names=["A", "A", "B"], kinds=["EXP-FP"] * 3
    )
    assert (read(path).members, read(path).left_out) == (("a", "b"), ())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ["/etc/passwd", *NAMES[1:]]}, "names neither"),
        ({"names": ["../lsv140a0q", *NAMES[1:]]}, "names neither"),
        ({"names": [*NAMES[:3], "../star"]}, "names neither"),
        ({"names": ["LSV*", *NAMES[1:]]}, "names neither"),
        ({"names": ["", *NAMES[1:]]}, "names neither"),
        ({"kinds": ["PROD-FP", *KINDS[1:]]}, "lists 2 products"),
        ({"present": np.ones((4, 2), bool), "form": "2L"}, "one value a row"),
        ({"present": [], "names": np.array([], "U9"), "kinds": np.array([], "U9")}, "is empty"),
    ],
)
def test_tables_that_calcos_stops_at(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PermanentError, match=message):
        read(write(tmp_path / "x_asn.fits", **changes))


def test_file_without_a_table(tmp_path: Path) -> None:
    path = tmp_path / "x_asn.fits"
    fits.PrimaryHDU().writeto(path)
    with pytest.raises(PermanentError, match="no table of members"):
        read(path)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((2, 2)))]).writeto(path, overwrite=True)
    with pytest.raises(PermanentError, match="not a binary table"):
        read(path)


def test_json_and_back() -> None:
    table = Association(
        "x_asn.fits", (Row("lsv140a0q", "EXP-FP", True), Row("star", "PROD-FP", False))
    )
    assert Association.from_dict(table.to_dict()) == table
