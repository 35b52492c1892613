"""The fast reader against astropy, on every real file and on odd ones."""

import gzip
import io
import warnings
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from astropy.io import fits

from shared.errors import PermanentError
from shared.fits import FitsFile, read_hdus

_COMMENTARY = ("COMMENT", "HISTORY")


def _expected(header: fits.Header) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for card in header.cards:
        if card.keyword in _COMMENTARY:
            found.setdefault(card.keyword, []).append(card.value)
        elif card.keyword:
            found.setdefault(
                card.keyword, None if isinstance(card.value, fits.card.Undefined) else card.value
            )
    return found


def _same(ours: Any, theirs: Any) -> bool:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.dtype.kind == "f":
        return bool(np.array_equal(ours, theirs, equal_nan=True))
    return bool(
        np.array_equal(ours, np.char.rstrip(theirs) if theirs.dtype.kind in "US" else theirs)
    )


def test_every_keyword_of_every_real_file_is_astropys(data_dir: Path) -> None:
    paths = sorted(data_dir.rglob("*.fits.gz"))
    assert len(paths) > 50
    seen = 0
    for path in paths:
        with path.open("rb") as stream:
            ours = read_hdus(stream, path.name)
        with fits.open(path, disable_image_compression=True) as theirs:
            assert len(ours) == len(theirs)
            for hdu, other in zip(ours, theirs, strict=True):
                expected = _expected(other.header)
                assert dict(hdu.header) == expected, (path.name, other.name)
                assert [type(hdu.header[key]) for key in expected] == [
                    type(value) for value in expected.values()
                ]
                seen += len(expected)
    assert seen > 20_000


def test_every_column_and_image_of_every_sample_is_astropys(data_dir: Path) -> None:
    folders = ("acquisitions", "corrtag", "jitter", "lampflash", "ldfd01010/archive")
    for path in [
        path for folder in folders for path in sorted((data_dir / folder).glob("*.fits.gz"))
    ]:
        file = FitsFile(lambda path=path: path.open("rb"), path.name)  # type: ignore[misc]
        with fits.open(path) as theirs:
            for hdu, other in zip(file.hdus, theirs, strict=True):
                if isinstance(other, fits.BinTableHDU):
                    names = list(other.columns.names)
                    assert all(
                        _same(values, other.data[name])
                        for name, values in file.table(hdu, names).items()
                    )
                elif isinstance(other, fits.ImageHDU) and other.data is not None:
                    assert np.array_equal(file.image(hdu), other.data)


def test_chunks_join_to_the_whole(data_dir: Path) -> None:
    path = data_dir / "ldfd01010" / "raw" / "ldfd01vrq_rawtag_a.fits.gz"
    file = FitsFile(lambda: path.open("rb"), path.name)
    parts = [chunk["RAWX"] for chunk in file.chunks(file.find("EVENTS"), ["RAWX"])]
    assert np.array_equal(np.concatenate(parts), fits.getdata(path, 1)["RAWX"])


def test_plain_gzipped_and_remote_are_the_same(data_dir: Path) -> None:
    path = data_dir / "lampflash" / "lb4c10niq_lampflash.fits.gz"
    plain = gzip.decompress(path.read_bytes())
    memory = fsspec.filesystem("memory")
    memory.pipe("/cosmo-test/x.fits", plain)
    with path.open("rb") as zipped, memory.open("/cosmo-test/x.fits", "rb") as remote:
        found = [read_hdus(stream, "x") for stream in (zipped, remote, io.BytesIO(plain))]
    assert found[0] == found[1] == found[2]


def _odd(*cards: str) -> bytes:
    lines = [
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    0",
    ]
    text = "".join(card.ljust(80) for card in (*lines, *cards, "END"))
    return text.ljust(-(-len(text) // 2880) * 2880).encode()


@pytest.mark.parametrize(
    "cards",
    [
        ("LONGTEXT= 'first part &'", "CONTINUE  'and the second'"),
        ("HIERARCH COS long keyword = 3.5 / a comment",),
        (
            "QUOTED  = 'it''s / here' / and a comment",
            "EMPTY   = ''",
            "BLANKS  = '   '",
            "UNDEF   =",
            "UNDEF2  = / none",
        ),
        (
            "DEXP    = 1.5D-3",
            "EEXP    = -2E5",
            "POINT   = 1.",
            "PLUS    = +7",
            "ZEROS   = 007",
            "LOGICAL =      F / no",
        ),
        ("D2IM1   = 'AXIS.1: 2.5'",),
        ("COMMENT one", "HISTORY a = 'b'", "COMMENT two", "        blank keyword"),
        ("COMPLEX = (1.0, 2.0)",),
        ("TWICE   = 1", "TWICE   = 2"),
        ("COMMENT = 'looks like a value'",),
    ],
)
def test_odd_cards_are_read_as_astropy_does(cards: tuple[str, ...]) -> None:
    content = _odd(*cards)
    (hdu,) = read_hdus(io.BytesIO(content), "odd.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = _expected(fits.getheader(io.BytesIO(content)))
    assert dict(hdu.header) == {
        key: value if isinstance(value, bool | int | float | str | list) else None
        for key, value in expected.items()
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"garbage" * 1000, "not a FITS file"),
        (_odd()[:2000], "truncated in its header"),
        (_odd().replace(b"END", b"FIN"), "truncated in its header"),
        (_odd("KEY     = 'caf\xe9'").decode().encode("latin-1"), "no text"),
        (
            _odd().replace(b"NAXIS   =                    0", b"NAXIS   =                    1"),
            "NAXIS1 is None",
        ),
        (
            _odd().replace(b"BITPIX  =                    8", b"BITPIX  =                    9"),
            "BITPIX is 9",
        ),
        (
            _odd("NAXIS1  = 10000000000").replace(
                b"NAXIS   =                    0", b"NAXIS   =                    1"
            ),
            "truncated",
        ),
        (_odd() + b"rubbish".ljust(2880), "neither an extension"),
        (_odd()[:240] + b"COMMENT".ljust(80) * 36 * 2001, "no end within 2000 blocks"),
    ],
)
def test_what_is_no_fits_file_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(PermanentError, match=reason):
        read_hdus(io.BytesIO(content), "bad.fits")


def _table(tmp_path: Path, *columns: fits.Column) -> Path:
    path = tmp_path / "table.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="T")]).writeto(
        path
    )
    return path


def test_kinds_of_columns(tmp_path: Path) -> None:
    path = _table(
        tmp_path,
        fits.Column("FLAG", "L", array=[True, False]),
        fits.Column("BITS", "11X", array=np.zeros((2, 11), bool)),
        fits.Column("UNSIGNED", "I", bzero=32768, array=np.array([0, 65535], np.uint16)),
        fits.Column("SCALED", "I", array=np.array([2, 5], np.int16)),
        fits.Column("LONG", "K", array=[2**40, -1]),
        fits.Column("CELL", "3E", array=np.arange(6.0).reshape(2, 3)),
        fits.Column("TEXT", "5A", array=["ab", "cdefg"]),
        fits.Column("VARIABLE", "PJ()", array=np.array([[1], [1, 2]], dtype=object)),
    )
    with fits.open(path, mode="update") as hdus:
        hdus[1].header["TSCAL4"], hdus[1].header["TZERO4"] = 0.5, 10.0
    file = FitsFile(lambda: path.open("rb"), path.name)
    names = ["FLAG", "UNSIGNED", "SCALED", "LONG", "CELL", "TEXT"]
    expected = fits.getdata(path, 1)
    found = file.table(file.find("T"), names)
    assert all(_same(found[name], expected[name]) for name in names)
    with pytest.raises(PermanentError, match="table T has no column MISSING"):
        file.table(file.find("T"), ["MISSING"])
    with pytest.raises(PermanentError, match="column VARIABLE"):
        file.table(file.find("T"), ["VARIABLE"])
    with pytest.raises(PermanentError, match="no extension OTHER"):
        file.find("OTHER")


def test_texts_end_at_their_first_nul_and_are_ascii(tmp_path: Path) -> None:
    path = _table(
        tmp_path, fits.Column("TEXT", "4A", array=np.array([b"FU\0A", b"ABxy", b"\0\xffCD"]))
    )
    file = FitsFile(lambda: path.open("rb"), path.name)
    assert file.table(file.find("T"), ["TEXT"])["TEXT"].tolist() == ["FU", "ABxy", ""]
    path.write_bytes(path.read_bytes().replace(b"ABxy", b"A\x07xy"))
    with pytest.raises(PermanentError, match="table T holds bytes that are no text"):
        FitsFile(lambda: path.open("rb"), path.name).table(file.find("T"), ["TEXT"])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"TFORM1  = '3E", b"TFORM1  = '4E", "its columns take"),
        (b"TFORM1  = '3E", b"TFORM1  = '3Z", "TFORM1"),
        (b"TFIELDS =                    1", b"TFIELDS =                 9999", "TFIELDS"),
        (b"NAXIS2  =                    2", b"NAXIS2  =           9000000000", "truncated"),
        (b"XTENSION= 'BINTABLE'", b"XTENSION= 'IMAGE   '", "not a binary table"),
    ],
)
def test_lying_tables_are_refused(tmp_path: Path, old: bytes, new: bytes, reason: str) -> None:
    path = _table(tmp_path, fits.Column("CELL", "3E", array=np.arange(6.0).reshape(2, 3)))
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    file = FitsFile(lambda: path.open("rb"), path.name)
    with pytest.raises(PermanentError, match=reason):
        file.table(file.find("T"), ["CELL"])


@pytest.mark.parametrize("zipped", [True, False])
def test_small_tables_behind_large_ones_are_read_on_the_way(tmp_path: Path, zipped: bool) -> None:
    events = np.random.default_rng(3).random(300_000)
    times = np.array([[0.0, 400.5], [410.0, 1330.0]])
    tables = [
        fits.BinTableHDU.from_columns([fits.Column("TIME", "D", array=events)], name="EVENTS"),
        fits.BinTableHDU.from_columns(
            [
                fits.Column(name, "D", array=times[:, side])
                for side, name in enumerate(("START", "STOP"))
            ],
            name="GTI",
        ),
    ]
    path = tmp_path / ("a.fits.gz" if zipped else "a.fits")
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(path)
    opened = 0

    def opener() -> Any:
        nonlocal opened
        opened += 1
        return path.open("rb")

    file = FitsFile(opener, path.name)
    good = file.table(file.find("GTI"), ["START", "STOP"])
    assert np.array_equal(np.stack([good["START"], good["STOP"]], axis=-1), times)
    assert opened == (1 if zipped else 2)
    assert np.array_equal(file.table(file.find("EVENTS"), ["TIME"])["TIME"], events)
    assert opened == (2 if zipped else 3)
