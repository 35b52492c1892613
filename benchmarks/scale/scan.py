"""``python -m benchmarks.scale.scan``: costs of scans, each in a process of its own.

The source is a folder of exposures, each a raw file and a support file with the primary header of
a real one. A first scan finds all of them new, a second one unchanged.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from string import ascii_lowercase, digits
from typing import Any

from astropy.io import fits

from cosmo.launcher.embedded import EmbeddedPostgres
from services.archive.scan import scan
from services.archive.sources import open_source
from shared.database.engine import Database
from shared.database.schema import migrate
from shared.jobs.events import Outbox

_DATA = Path(__file__).parents[3] / "shared" / "data"
_TEMPLATE = "ldfd01vnq_rawtag_a.fits.gz"
_PER_VISIT = 20
_LINKS = 30_000
"""Names of one file; file systems have a limit (ext4: 65,000)."""
_LETTERS = digits + ascii_lowercase


def _visits() -> Iterator[str]:
    return (f"l{''.join(found)}" for found in product(_LETTERS, repeat=5))


def _fill(folder: Path, template: Path, datasets: int) -> None:
    """Make the source, as links to a few small files."""
    folder.mkdir(parents=True)
    with fits.open(template) as hdus:
        header = hdus[0].header
        header["ASN_ID"] = "NONE"
        small = fits.PrimaryHDU(header=header)
    made, visits, place = 0, _visits(), folder
    origin = folder.parent
    for number in range(datasets):
        if number % _PER_VISIT == 0:
            place = folder / next(visits)
            place.mkdir()
        exposure = f"{place.name}{_LETTERS[number % _PER_VISIT]}0q"
        for suffix in ("rawtag_a", "spt"):
            if made % _LINKS == 0:
                origin = folder.parent / f"template-{made}.fits"
                small.writeto(origin)
            os.link(origin, place / f"{exposure}_{suffix}.fits")
            made += 1


async def _scan(url: str, folder: str) -> dict[str, Any]:
    """Scan in this process, and say what that cost it."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    database = Database(url)
    try:
        result = await scan(database, open_source(folder), Outbox())
    finally:
        await database.dispose()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "files": result.files,
        "changed": result.changed,
        "datasets": result.datasets,
        "cpu_seconds": round(cpu, 2),
        "wall_seconds": round(time.perf_counter() - start, 2),
        "cpu_ms_per_dataset": round(1e3 * cpu / max(result.datasets, 1), 3),
        "peak_mb": round(after.ru_maxrss / 1024),
        "mb_before": round(before.ru_maxrss / 1024),
    }


def _scan_apart(url: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.scale.scan", "--scan", url, str(folder)]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return dict(found)


async def _migrate(url: str) -> None:
    database = Database(url)
    try:
        await migrate(database)
    finally:
        await database.dispose()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.scan", description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=_DATA, help="folder with ldfd01010/raw, for the template"
    )
    parser.add_argument("--datasets", type=int, default=50_000, help="two files each")
    parser.add_argument("--scan", nargs=2, metavar=("URL", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.scan:
        print(json.dumps(asyncio.run(_scan(*chosen.scan))))
        return
    template = chosen.data.resolve() / "ldfd01010" / "raw" / _TEMPLATE
    with tempfile.TemporaryDirectory(prefix="cosmo-benchmark-") as name:
        folder = Path(name) / "source"
        _fill(folder, template, chosen.datasets)
        postgres = EmbeddedPostgres(Path(name) / "postgres")
        postgres.start()
        try:
            asyncio.run(_migrate(postgres.url))
            for scanned in ("new", "unchanged"):
                print(json.dumps({scanned: _scan_apart(postgres.url, folder)}), flush=True)
        finally:
            postgres.stop()


if __name__ == "__main__":
    main()
