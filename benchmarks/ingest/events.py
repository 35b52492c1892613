"""Event tables: events a second, read and reduced by one process."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from services.ingestor.datasets import DatasetFile, DatasetReader
from services.ingestor.extractors import References
from shared.store import Store

__all__ = ["event_rate", "write_dark"]

_SECONDS = 1330.0


def write_dark(path: Path, sample: Path, events: int) -> None:
    """Write a dark exposure with the columns and the headers of a real corrtag file, and very many
    events.
    """
    random = np.random.default_rng(1)
    values: dict[str, Any] = {
        "TIME": np.sort(random.uniform(0, _SECONDS, events)),
        "RAWX": random.integers(0, 16384, events),
        "RAWY": random.integers(0, 1024, events),
        "XCORR": random.uniform(1060, 15250, events),
        "YCORR": random.uniform(296, 734, events),
        "PHA": random.integers(0, 31, events),
    }
    with fits.open(sample) as hdus:
        columns = [
            fits.Column(
                column.name,
                column.format,
                unit=column.unit,
                array=values.get(column.name, np.zeros(events)),
            )
            for column in hdus["EVENTS"].columns
        ]
        header = hdus["EVENTS"].header.copy(strip=True)
        hdus[0].header["EXPTYPE"] = "DARK"
        table = fits.BinTableHDU.from_columns(columns, header, name="EVENTS")
        gti = fits.BinTableHDU.from_columns(
            [fits.Column("START", "D", array=[0.0]), fits.Column("STOP", "D", array=[_SECONDS])],
            name="GTI",
        )
        fits.HDUList([hdus[0], table, gti, hdus["TIMELINE"]]).writeto(path)


def event_rate(path: Path, events: int, tables: tuple[str, ...]) -> tuple[float, float]:
    """Return the events per second of processor time and of wall time that are read and reduced to
    rows of tables.
    """
    root, _, suffix = path.name.partition(".")[0].partition("_")
    file = DatasetFile(1, str(path.parent), path.name, root, suffix)
    wall, processor = time.perf_counter(), time.process_time()
    rows = DatasetReader(Store("/"), [file], References(None)).read(file, tables).rows
    if not rows or not all(len(one) for one in rows):
        raise RuntimeError("the events gave no rows")
    return events / (time.process_time() - processor), events / (time.perf_counter() - wall)
