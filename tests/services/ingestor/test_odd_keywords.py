"""Every keyword of every real kind of file with values that it should not have.

Rows, or a problem that names the file.

All keywords at once with each value always; single ones in a seeded order for some seconds
(``COSMO_TEST_ODD_KEYWORDS=600`` for longer). What is read goes into real tables.
"""

import gzip
import io
import os
import random
import re
import time
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import pytest

from services.ingestor.extractors import References, Rows, Source, extract
from services.ingestor.writing import FileRows, write_rows
from shared.cos.names import parse_name
from shared.database.engine import Database
from shared.database.models.operations import Dataset, DatasetState, File
from shared.fits import FitsFile
from tests.services.ingestor.bench import sample
from tests.services.ingestor.events import write_corrtag

_SECONDS = float(os.environ.get("COSMO_TEST_ODD_KEYWORDS", "10"))
_SEED = int(os.environ.get("COSMO_TEST_SEED", "18"))
_CARD = 80
_FILE = 1

_Counts = dict[str, dict[str, int]]

_SAMPLES = (
    "ldfd01010_asn",
    "ldfd01010_jif",
    "ldfd01010_jit",
    "ldfd01vlq_rawacq",
    "ldfd01vnq_lampflash",
    "ldfd01vnq_rawtag_a",
    "ldfd01vnq_spt",
    "ldfd01vnq_x1d",
    "ldfd01010_x1dsum",
    "ldngz2szq_rawacq",
    "ldngz2szq_spt",
    "lb4l02m1q_rawacq",
    "lb4c10niq_lampflash",
    "ld9m10ujq_corrtag_a",
)
_VALUES = (
    "NaN",
    "1.0E+09",
    "1000000000",
    "-1",
    "1.0E+20",
    "99999999999999999999",
    "''",
    "'N/A'",
    "'odd'",
    "1.5",
    "T",
)
_MADE_OF_KEYWORDS = frozenset(
    {"headers", "keywords", "quality", "apertures", "spt", "acqs", "jitter", "data"}
)
"""Tables whose rows no keyword but the rootname can cost."""

_STRUCTURE = re.compile(
    r"SIMPLE|BITPIX|NAXIS\d*|EXTEND|XTENSION|[PG]COUNT|TFIELDS|T(FORM|TYPE|SCAL|ZERO|NULL|DIM)\d+|EXT(NAME|VER)|ROOTNAME"
    r"|B(SCALE|ZERO)|EXPNAME"
)
"""Keywords without which there is no table, or no exposure, to read anything of."""


def _cards(content: bytes, name: str) -> list[tuple[int, str]]:
    """Return the offset and keyword of every card with a value."""
    found, start = [], 0
    for hdu in FitsFile(partial(io.BytesIO, content), name).hdus:
        for offset in range(start, hdu.start, _CARD):
            if content[offset + 8 : offset + 10] == b"= ":
                found.append((offset, content[offset : offset + 8].decode().rstrip()))
        start = hdu.start + -(-hdu.size // 2880) * 2880
    return found


def _with(content: bytes, offsets: Collection[int], value: str) -> bytes:
    changed = bytearray(content)
    for offset in offsets:
        changed[offset + 8 : offset + _CARD] = f"= {value:>20}".ljust(_CARD - 8).encode()
    return bytes(changed)


def _read(content: bytes, name: str, references: Path) -> tuple[list[Rows], list[str]]:
    opener, parsed = partial(io.BytesIO, content), parse_name(name)
    file = FitsFile(opener, name)
    source = Source(
        file,
        opener,
        parsed.rootname,
        parsed.suffix,
        lambda *_: file.headers,
        References(references),
    )
    return extract(source), source.problems


def _count(found: Collection[Rows]) -> dict[str, int]:
    return {rows.model.__tablename__: len(rows) for rows in found if len(rows)}


@pytest.fixture(scope="module")
def wholes(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Content of each sample by its name."""
    found = {
        f"{name}.fits": gzip.decompress(sample(data_dir, name).read_bytes()) for name in _SAMPLES
    }
    folder = tmp_path_factory.mktemp("darks")
    dark = write_corrtag(
        folder / "ldx001aaq_corrtag_a.fits", {"TIME": range(90)}, 90.0, EXPTYPE="DARK"
    )
    return {**found, dark.name: dark.read_bytes()}


@pytest.fixture(scope="module")
def before(wholes: dict[str, bytes], data_dir: Path) -> _Counts:
    """Count the rows of each sample by table."""
    return {
        name: _count(_read(content, name, data_dir / "references")[0])
        for name, content in wholes.items()
    }


@pytest.fixture
async def filed(database: Database) -> Database:
    """Database that knows the file whose rows all are."""
    async with database.transaction() as session:
        session.add(
            Dataset(id=1, rootname="ldx001aaq", kind="exposure", state=DatasetState.INGESTED)
        )
        await session.flush()
        session.add(
            File(
                id=_FILE,
                dataset_id=1,
                origin="raw",
                path="x",
                name="x",
                suffix="x",
                size=1,
                sha256="",
            )
        )
    return database


async def _write(database: Database, rows: list[Rows]) -> None:
    async with database.transaction() as session:
        await write_rows(await session.connection(), [FileRows(_FILE, rows)])


@pytest.mark.parametrize("value", _VALUES)
async def test_every_keyword_at_once(
    filed: Database, wholes: dict[str, bytes], before: _Counts, data_dir: Path, value: str
) -> None:
    """Tables that need no keyword but the rootname keep their rows."""
    for name, content in wholes.items():
        offsets = [
            offset for offset, keyword in _cards(content, name) if not _STRUCTURE.fullmatch(keyword)
        ]
        assert len(offsets) > 5
        found, problems = _read(_with(content, offsets, value), name, data_dir / "references")
        assert all(problem.startswith(name) for problem in problems), problems
        for table in before[name].keys() & _MADE_OF_KEYWORDS:
            assert _count(found).get(table) == before[name][table], (name, table, problems)
        await _write(filed, found)


def _singles(wholes: dict[str, bytes]) -> Iterator[tuple[str, int, str, str]]:
    """Yield every keyword of every kind with every value, in an order that a seed decides."""
    every = [
        (name, offset, keyword, value)
        for name, content in wholes.items()
        for offset, keyword in _cards(content, name)
        for value in _VALUES
    ]
    random.Random(_SEED).shuffle(every)
    return iter(every)


async def test_single_keywords(
    filed: Database, wholes: dict[str, bytes], before: _Counts, data_dir: Path
) -> None:
    """A keyword that costs rows is a problem that names it, or the table that cannot be read
    without it.
    """
    end, done = time.monotonic() + _SECONDS, 0
    for name, offset, keyword, value in _singles(wholes):
        if time.monotonic() > end:
            break
        what = f"seed {_SEED}: {keyword} = {value} at {offset} of {name}"
        try:
            found, problems = _read(
                _with(wholes[name], [offset], value), name, data_dir / "references"
            )
            await _write(filed, found)
        except Exception as error:
            raise AssertionError(what) from error
        assert all(problem.startswith(name) for problem in problems), (what, problems)
        lost = before[name].keys() - _count(found).keys()
        optional = {"OBSMODE", "DETECTOR", "EXPTYPE", "LAMPMXCR", "LAMPMYCR", "EXTNAME", "ROOTNAME"}
        assert problems or not lost or keyword in optional, (what, lost)
        done += 1
    assert done > 20
