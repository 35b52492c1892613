"""Lamp flashes as columns of monitors: of real tables, and made up."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Boolean, String

from services.monitor.framework.declaration import Values
from shared.database.engine import Database
from shared.database.models.operations import Dataset, File
from shared.database.models.science import Header, Lampflash, ScheduledExposure
from tests.services.ingestor.bench import extract_file, rows_of, sample
from tests.services.monitor.monitors.bench import keep_product

__all__ = [
    "REAL",
    "Flashes",
    "flashes_of",
    "keep_flashes",
    "keep_report",
    "made_up",
    "real_flashes",
    "value_of",
]

Flashes = dict[str, np.ndarray]

REAL = (
    "ld1ce1rcq",
    "ld1ce4dkq",
    "lcwj02qvq",
    "lb4c10niq",
    "lbhx26fmq",
    "ldfd01vnq",
    "ldfd01vpq",
)
"""Exposures of which there are real tables."""


def flashes_of(rows: Sequence[dict[str, Any]]) -> Flashes:
    """Return rows of ``lampflash``, with ``file_id``, as a monitor is given them."""
    columns = {}
    for column in Lampflash.__table__.columns:
        values = [row.get(column.name) for row in rows]
        if isinstance(column.type, Boolean):
            columns[column.name] = np.array([bool(value) for value in values], dtype=bool)
        elif isinstance(column.type, String):
            columns[column.name] = np.array(values, dtype=object)
        else:
            columns[column.name] = np.array(
                [np.nan if value is None else value for value in values], dtype=float
            )
    columns["template"] = np.array([row.get("has_lines") is not None for row in rows], dtype=bool)
    return columns | {"mjd": columns["date"]}


def real_flashes(
    data_dir: Path, names: Sequence[str] = REAL, *, references: bool = True
) -> Flashes:
    """Return the flashes of real exposures, with their templates or without."""
    folder = data_dir / "references" if references else None
    return flashes_of(
        [
            {"file_id": number, **row}
            for number, name in enumerate(names, 1)
            for row in rows_of(
                extract_file(sample(data_dir, f"{name}_lampflash"), folder), "lampflash"
            )
        ]
    )


def made_up(number: int, segment: str = "FUVA", flash: int = 1, **changed: Any) -> dict[str, Any]:
    """Return a flash that was found where it should be, of the exposure of a number."""
    detector = segment[:3]
    return {
        "file_id": number,
        "rootname": f"ld{number:06d}q",
        "date": 58000.0 + number,
        "detector": detector,
        "segment": segment,
        "flash": flash,
        "time": 6.0 + 600.0 * (flash - 1),
        "exptime": 12.0,
        "shift_disp": 1.0,
        "x_shift": 1.0,
        "y_shift": 0.5,
        "found": True,
        "has_lines": True,
        "rate": 100.0,
        "gross": 101.0,
        "template_scale": 0.008,
        "template_scale_error": 0.0004,
        "life_adj": 4,
        "proposid": 12345,
        "opt_elem": "G130M" if detector == "FUV" else "G225M",
        "cenwave": 1291 if detector == "FUV" else 2250,
        "fppos": 3,
        "lamptab": "some_lamp.fits",
        "wcptab": "some_wcp.fits",
        "exptype": "EXTERNAL/SCI",
        "lampused": "P1",
        "lampset": "Medium",
    } | changed


def value_of(
    values: Sequence[Values],
    quantity: str,
    rootname: str | None,
    segment: str | None,
    region: str | None,
) -> tuple[float, float]:
    """Return a value of an exposure and its error."""
    ((value, error),) = [
        (float(one.value[place]), float(one.error[place]))
        for one in values
        if one.quantity == quantity
        for place in np.flatnonzero(
            (one.rootname == rootname) & (one.segment == segment) & (one.region == region)
        )
    ]
    return value, error


async def keep_flashes(
    database: Database,
    name: str,
    rows: Sequence[dict[str, Any]],
    wcptab: str,
    detector: str = "NUV",
) -> None:
    """Store the flashes of an exposure, and the run that made them."""
    async with database.transaction() as session:
        file = await keep_product(session, f"{name}_lampflash", ("WCPTAB", wcptab))
        for number, row in enumerate(rows):
            session.add(Lampflash(id=file.id * 100 + number, file_id=file.id, **row))
        header = {"file_id": file.id, "rootname": name, "preferred": True}
        session.add(Header(expstart=57300.0, detector=detector, **header))


async def keep_report(database: Database, row: dict[str, Any], *, preferred: bool) -> None:
    """Store the row of a schedule report; one that is not preferred was replaced."""
    async with database.transaction() as session:
        dataset = Dataset(rootname=row["report"], kind="schedule")
        session.add(dataset)
        await session.flush()
        file = File(
            dataset_id=dataset.id,
            origin="manual",
            path=f"reports/{row['report']}",
            name=f"{row['report']}.txt",
            rootname=row["report"],
            suffix="sms",
            size=1,
            sha256="2" * 64,
            current=True,
            shown=True,
        )
        session.add(file)
        await session.flush()
        session.add(ScheduledExposure(file_id=file.id, preferred=preferred, **row))
