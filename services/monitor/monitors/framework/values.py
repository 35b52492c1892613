"""Values of a monitor in the database: only what changed is written, so that each keeps the run that it is from."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.monitors.framework.monitor import Values

__all__ = ["write_values"]

_COLUMNS = (
    "key", "quantity", "file_id", "rootname", "mjd", "segment", "hvlevel", "life_adj", "region", "value", "error",
    "outlier",
)  # fmt: skip
_CHANGING = tuple(name for name in _COLUMNS if name not in ("key", "quantity"))

_STAGE = """
    CREATE TEMPORARY TABLE new_values ON COMMIT DROP AS
    SELECT {columns} FROM monitor_values WITH NO DATA
"""
_MERGE = """
    INSERT INTO monitor_values AS old (monitor, run_id, {columns})
    SELECT :monitor, :run_id, {columns} FROM new_values
    ON CONFLICT (monitor, key, quantity) DO UPDATE SET run_id = excluded.run_id, {assignments}
    WHERE ({old}) IS DISTINCT FROM ({new})
"""
_PRUNE = """
    DELETE FROM monitor_values AS old WHERE monitor = :monitor
    AND NOT EXISTS (SELECT 1 FROM new_values AS new WHERE new.key = old.key AND new.quantity = old.quantity)
"""


async def write_values(session: AsyncSession, monitor: str, run_id: int, values: Sequence[Values]) -> None:
    """Make these the values of a monitor.

    Parameters
    ----------
    session
        Session of the transaction that writes the run.
    monitor
        Name of the monitor.
    run_id
        Its run; values that differ from what is there get it.
    values
        All values that the monitor has now.
    """
    columns = ", ".join(_COLUMNS)
    await session.execute(text(_STAGE.format(columns=columns)))
    connection = await (await session.connection()).get_raw_connection()
    driver: Any = connection.driver_connection
    buffer = io.BytesIO(_csv(values).encode())
    await driver.copy_to_table("new_values", source=buffer, columns=list(_COLUMNS), format="csv")
    merge = _MERGE.format(
        columns=columns,
        assignments=", ".join(f"{name} = excluded.{name}" for name in _CHANGING),
        old=", ".join(f"old.{name}" for name in _CHANGING),
        new=", ".join(f"excluded.{name}" for name in _CHANGING),
    )
    await session.execute(text("ANALYZE new_values"))
    await session.execute(text(merge), {"monitor": monitor, "run_id": run_id})
    await session.execute(text(_PRUNE), {"monitor": monitor})


def _csv(values: Sequence[Values]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for group in values:
        writer.writerows(_rows(group))
    return buffer.getvalue()


def _rows(group: Values) -> Iterator[tuple[Any, ...]]:
    finite = np.flatnonzero(np.isfinite(group.value) & np.isfinite(group.mjd))
    for index in finite.tolist():
        rootname, segment, region = group.rootname[index], group.segment[index], group.region[index]
        hvlevel, life_adj = _integer(group.hvlevel[index]), _integer(group.life_adj[index])
        key = "|".join(
            str(part) for part in (rootname or float(group.mjd[index]), segment or "", region or "", hvlevel)
        )
        error = group.error[index]
        yield (
            key, group.quantity, _integer(group.file_id[index]), rootname or "", repr(float(group.mjd[index])),
            segment or "", hvlevel, life_adj, region or "", repr(float(group.value[index])),
            repr(float(error)) if np.isfinite(error) else "", bool(group.outlier[index]),
        )  # fmt: skip


def _integer(value: float) -> int | str:
    return int(value) if np.isfinite(value) else ""
