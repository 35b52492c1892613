"""Values of a monitor in the database: only what changed is written, so that each keeps the run that it is from."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
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
    buffer = io.BytesIO(_csv(values))
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


def _csv(values: Sequence[Values]) -> bytes:
    """Rows of `_COLUMNS` of all that is finite; what is unknown is empty."""
    buffer = io.BytesIO()
    for group in values:
        finite = np.isfinite(group.value) & np.isfinite(group.mjd)
        if finite.any():
            csv.write_csv(_table(group, finite), buffer, csv.WriteOptions(include_header=False))
    return buffer.getvalue()


def _table(group: Values, chosen: np.ndarray) -> pa.Table:
    mjd = pa.array(group.mjd[chosen])
    numbers = {name: _numbers(getattr(group, name)[chosen]) for name in ("value", "error")}
    whole = {name: _integers(getattr(group, name)[chosen]) for name in ("file_id", "hvlevel", "life_adj")}
    texts = {name: _texts(getattr(group, name)[chosen]) for name in ("rootname", "segment", "region")}
    # What is of no exposure is told apart by its time.
    parts = [
        pc.coalesce(texts["rootname"], pa.array(map(str, mjd.to_pylist()), pa.string())),
        *(pc.fill_null(one, "") for one in (texts["segment"], texts["region"], whole["hvlevel"].cast(pa.string()))),
    ]
    columns = {
        "key": pc.binary_join_element_wise(*parts, "|"),
        "quantity": pa.repeat(group.quantity, len(mjd)),
        "mjd": mjd,
        "outlier": pa.array(group.outlier[chosen].astype(bool)),
    }
    columns |= numbers | whole | texts
    return pa.table({name: columns[name] for name in _COLUMNS})


def _numbers(values: np.ndarray) -> pa.Array:
    """Floats; what is not finite is unknown."""
    return pa.array(values, mask=~np.isfinite(values))


def _integers(values: np.ndarray) -> pa.Array:
    known = np.isfinite(values)
    return pa.array(np.where(known, values, 0).astype(np.int64), mask=~known)


def _texts(values: np.ndarray) -> pa.Array:
    """Text; what is empty is unknown."""
    texts = pa.array(values, type=pa.string())
    return pc.if_else(pc.equal(texts, ""), None, texts)
