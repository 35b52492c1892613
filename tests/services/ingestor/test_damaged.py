"""Damaged files give named problems and rows that the tables take.

No crash, no hang, no memory above a gigabyte.

The seeded few run always; ``COSMO_TEST_MUTATIONS=10000`` runs the whole set.
"""

import asyncio
import contextlib
import gzip
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from services.ingestor.datasets import check_readable
from services.ingestor.extractors import Rows
from services.ingestor.writing import FileRows, write_rows
from shared.database.engine import Database
from shared.database.models.operations import Dataset, DatasetState, File
from shared.errors import PermanentError
from shared.fits import check_fits
from tests.services.ingestor.bench import read_file, sample
from tests.services.ingestor.events import write_corrtag
from tests.shared.fits.mutations import mutated

_COUNT = int(os.environ.get("COSMO_TEST_MUTATIONS", "300"))
_SECONDS = 10
_MODULE = "tests.services.ingestor.test_damaged"
_MEMORY = 1 << 30
_FILE = 1
"""Key of the file whose rows all are."""

_SAMPLES = (
    "ldfd01vnq_rawtag_a",
    "ldfd01vnq_x1d",
    "ldngz2szq_spt",
    "ldngz2szq_rawacq",
    "ld1ce4dkq_lampflash",
    "lb4c10niq_lampflash",
    "ldngz2szj_jit",
    "ld9m10ujq_corrtag_a",
)


def _hang(*_: object) -> None:
    raise TimeoutError("a damaged file took too long")


async def run(folder: Path, data: Path, url: str) -> Counter[str]:
    """Read every damaged file in this process, whose address space is limited; how many ended how.

    What is read goes into real tables, as that of one file: whatever they refuse would stop an
    ingest.
    """
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    signal.signal(signal.SIGALRM, _hang)
    dark = write_corrtag(
        folder / "ldx001aaq_corrtag_a.fits", {"TIME": range(90)}, 90.0, EXPTYPE="DARK"
    )
    wholes = {name: gzip.decompress(sample(data, name).read_bytes()) for name in _SAMPLES}
    wholes["ldx001aaq_corrtag_b"] = dark.read_bytes()
    database = Database(url, pool_size=1)
    ends: Counter[str] = Counter()
    for number in range(_COUNT):
        name = sorted(wholes)[number % len(wholes)]
        content = mutated(wholes[name], number)
        zipped = number % 5 == 0
        path = folder / f"{name}.fits{'.gz' if zipped else ''}"
        path.write_bytes(gzip.compress(content, 1) if zipped else content)
        signal.alarm(_SECONDS)
        try:
            with contextlib.suppress(PermanentError):
                check_fits(path)
            found = read_file(path, data / "references")
            await _write(database, found.rows)
        except BaseException as error:
            raise AssertionError(
                f"mutation {number} of {name}: {type(error).__name__} {error}"
            ) from error
        if nameless := [problem for problem in found.problems if not problem.startswith(name)]:
            raise AssertionError(
                f"mutation {number} of {name}: the file is not named in {nameless}"
            )
        ends["odd" if found.problems else "read"] += 1
        signal.alarm(0)
        path.unlink()
    await database.dispose()
    if _peak() > _MEMORY:
        raise AssertionError("more than a gigabyte of memory")
    if ends["odd"] < _COUNT / 4 or ends["read"] < _COUNT / 10:
        raise AssertionError(f"the damages are not what they should be: {ends}")
    return ends


def _peak() -> int:
    """Return most bytes that this process held.

    ``ru_maxrss`` counts what the one that started it held, too.
    """
    status = Path("/proc/self/status").read_text()
    return (
        next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        * 1024
    )


async def _write(database: Database, rows: list[Rows]) -> None:
    async with database.transaction() as session:
        await write_rows(await session.connection(), [FileRows(_FILE, rows)])


async def test_damaged_files_are_refused_or_read(
    database: Database, tmp_path: Path, data_dir: Path
) -> None:
    """In a process of its own, since a limit of memory cannot be taken back."""
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
    script = (
        f"import asyncio; from {_MODULE} import run; from pathlib import Path; "
        f"asyncio.run(run(Path({str(tmp_path)!r}), Path({str(data_dir)!r}), {database.url!r}))"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_refusal_is_permanent(tmp_path: Path, data_dir: Path) -> None:
    path = tmp_path / "ldngz2szq_spt.fits"
    path.write_bytes(gzip.decompress(sample(data_dir, "ldngz2szq_spt").read_bytes())[:-1])
    with pytest.raises(PermanentError, match="truncated"):
        check_readable([read_file(path)])
