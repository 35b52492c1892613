"""Values of a monitor in the database.

Only what changed is written, so that each keeps the run that it is from.
"""

import hashlib
import io
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.framework.declaration import IncrementResult, Values
from services.monitor.framework.increments import write_parts
from shared.database.models.monitoring import MonitorPart

__all__ = ["write_values"]

_COLUMNS = (
    "key",
    "quantity",
    "file_id",
    "rootname",
    "mjd",
    "segment",
    "hvlevel",
    "life_adj",
    "region",
    "value",
    "error",
    "outlier",
)
_CHANGING = tuple(name for name in _COLUMNS if name not in ("key", "quantity"))

_FILES = 512
"""Keys of files in a block of values."""

_TERMS = {
    "columns": ", ".join(_COLUMNS),
    "assignments": ", ".join(f"{name} = excluded.{name}" for name in _CHANGING),
    "old": ", ".join(f"old.{name}" for name in _CHANGING),
    "new": ", ".join(f"excluded.{name}" for name in _CHANGING),
    "block": f"quantity, coalesce(file_id / {_FILES}, -1)",
}
_STAGE = (
    "CREATE TEMPORARY TABLE new_values ON COMMIT DROP AS SELECT {columns} FROM "
    "monitor_values WITH NO DATA"
)
_MERGE = """
    INSERT INTO monitor_values AS old (monitor, run_id, {columns})
    SELECT :monitor, :run_id, {columns} FROM new_values
    ON CONFLICT (monitor, key, quantity) DO UPDATE SET run_id = excluded.run_id, {assignments}
    WHERE ({old}) IS DISTINCT FROM ({new})
"""
_PRUNE = """
    DELETE FROM monitor_values AS old WHERE monitor = :monitor
    AND ({block}) IN (SELECT * FROM unnest(CAST(:quantities AS text[]), CAST(:numbers AS bigint[])))
    AND (file_id BETWEEN :first AND :last OR file_id IS NULL)
    AND NOT EXISTS (SELECT 1 FROM new_values AS new WHERE new.key = old.key AND
      new.quantity = old.quantity)
"""
_COUNT = "SELECT {block}, count(*) FROM monitor_values WHERE monitor = :monitor GROUP BY {block}"

_Block = tuple[str, int]
"""Values of one quantity from a range of files: its name and the number of the range, -1 for those
of no file.
"""


async def write_values(
    session: AsyncSession, monitor: str, run_id: int, values: Sequence[Values]
) -> None:
    """Make these the values of a monitor.

    Only blocks of values that differ from those that the last run left are compared with the
    database.

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
    blocks = _blocks(values)
    digests = {block: _digest(tables) for block, tables in blocks.items()}
    known = await _known(session, monitor)
    changed = [
        block for block in blocks.keys() | known.keys() if digests.get(block) != known.get(block)
    ]
    if changed:
        await _stage(
            session,
            b"".join(
                _rows(block[0], table) for block in changed for table in blocks.get(block, ())
            ),
        )
        await session.execute(text(_MERGE.format(**_TERMS)), {"monitor": monitor, "run_id": run_id})
        quantities, numbers = (list(column) for column in zip(*changed, strict=True))
        # The blocks say it all; the span of their files is what an index serves.
        span = {"first": min(numbers) * _FILES, "last": (max(numbers) + 1) * _FILES - 1}
        gone = {"monitor": monitor, "quantities": quantities, "numbers": numbers} | span
        await session.execute(text(_PRUNE.format(**_TERMS)), gone)
    new = {
        block: None if known.get(block) == digest else IncrementResult(inputs=digest)
        for block, digest in digests.items()
    }
    await write_parts(
        session, _owner(monitor), {f"{name} {number}": part for (name, number), part in new.items()}
    )


def _owner(monitor: str) -> str:
    """Name under which digests of a monitor's values are kept, apart from its own parts."""
    return f"{monitor}: values"


def _digest(tables: Sequence[pa.Table]) -> str:
    """Return the digest of rows, which is far sooner made than their text, after their number."""
    content = hashlib.blake2b(digest_size=16)
    for table in tables:
        for batch in table.to_batches():
            content.update(batch.serialize())
    return f"{sum(map(len, tables))} {content.hexdigest()}"


async def _known(session: AsyncSession, monitor: str) -> dict[_Block, str]:
    """Return the digests of the blocks that are there as the last run left them.

    Nothing for others that are there.
    """
    query = select(MonitorPart.key, MonitorPart.inputs).where(
        MonitorPart.monitor == _owner(monitor)
    )
    left = {key: digest for key, digest in await session.execute(query)}  # noqa: C416 - rows, not pairs
    rows = await session.execute(text(_COUNT.format(**_TERMS)), {"monitor": monitor})
    counts = {(str(name), int(number)): int(count) for name, number, count in rows}
    # Values go with the file that they are from.
    return {
        block: digest
        if (digest := left.get("{} {}".format(*block), "")).startswith(f"{count} ")
        else ""
        for block, count in counts.items()
    }


async def _stage(session: AsyncSession, rows: bytes) -> None:
    """Put rows of CSV into a table of their own, ``new_values``."""
    await session.execute(text(_STAGE.format(**_TERMS)))
    connection = await (await session.connection()).get_raw_connection()
    driver: Any = connection.driver_connection
    await driver.copy_to_table(
        "new_values", source=io.BytesIO(rows), columns=list(_COLUMNS), format="csv"
    )
    await session.execute(text("ANALYZE new_values"))


def _blocks(values: Sequence[Values]) -> dict[_Block, list[pa.Table]]:
    """Return the rows of all that is finite, by block; of rows with one key, that of the newest
    file.
    """
    groups: defaultdict[str, list[pa.Table]] = defaultdict(list)
    for group in values:
        chosen = np.flatnonzero(np.isfinite(group.value) & np.isfinite(group.mjd))
        files = np.where(np.isfinite(group.file_id), group.file_id, -1.0)[chosen]
        groups[group.quantity].append(_table(group, chosen[np.argsort(files, kind="stable")]))
    found: dict[_Block, list[pa.Table]] = {}
    for quantity, tables in groups.items():
        table = _single(tables)
        numbers, first, lengths = np.unique(
            _files_of(table) // _FILES, return_index=True, return_counts=True
        )
        for number, begin, length in zip(
            numbers.tolist(), first.tolist(), lengths.tolist(), strict=True
        ):
            found[quantity, number] = [table.slice(begin, length)]
    return found


def _files_of(table: pa.Table) -> np.ndarray:
    """Return the keys of the files of rows; of those of none what is in the block -1."""
    files: np.ndarray = table["file_id"].fill_null(-1).to_numpy()
    return files


def _single(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of tables in order of their files, of which none has the key of another.

    The last one of each key.
    """
    table = tables[0]
    if len(tables) > 1:
        table = pa.concat_tables(tables).combine_chunks()
        table = table.take(np.argsort(_files_of(table), kind="stable"))
    time = pc.if_else(table["rootname"].is_null(), table["mjd"], None)
    code = np.zeros(len(table), dtype=np.int64)
    for column in (table["rootname"], table["segment"], table["region"], table["hvlevel"], time):
        encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
        code = code * len(encoded.dictionary) + encoded.indices.to_numpy()
    # The first from behind is the last one.
    last = len(code) - 1 - np.unique(code[::-1], return_index=True)[1]
    return table if len(last) == len(code) else table.take(np.sort(last))


def _table(group: Values, chosen: np.ndarray) -> pa.Table:
    """Return the rows of `_COLUMNS` without their key and quantity; what is unknown is null."""
    columns = {
        "mjd": pa.array(group.mjd[chosen]),
        "outlier": pa.array(group.outlier[chosen].astype(bool)),
        **{name: _numbers(getattr(group, name)[chosen]) for name in ("value", "error")},
        "file_id": _integers(group.file_id[chosen], 63),
        **{name: _integers(getattr(group, name)[chosen], 31) for name in ("hvlevel", "life_adj")},
        **{
            name: _texts(getattr(group, name)[chosen]) for name in ("rootname", "segment", "region")
        },
    }
    return pa.table(columns)


def _rows(quantity: str, table: pa.Table) -> bytes:
    """Return the rows of `_COLUMNS` as CSV; what is null is empty. `_single` knows what the key is
    made of.
    """
    # Values of no exposure are identified by their time.
    parts = [
        pc.coalesce(table["rootname"], pa.array(map(str, table["mjd"].to_pylist()), pa.string())),
        *(
            pc.fill_null(table[name].cast(pa.string()), "")
            for name in ("segment", "region", "hvlevel")
        ),
    ]
    key = pc.binary_join_element_wise(*parts, "|")
    whole = table.append_column("key", key).append_column(
        "quantity", pa.repeat(quantity, len(table))
    )
    rows = io.BytesIO()
    csv.write_csv(whole.select(list(_COLUMNS)), rows, csv.WriteOptions(include_header=False))
    return rows.getvalue()


def _numbers(values: np.ndarray) -> pa.Array:
    """Return the floats; what is not finite is unknown."""
    return pa.array(values, mask=~np.isfinite(values))


def _integers(values: np.ndarray, bits: int) -> pa.Array:
    """Return the whole numbers; what does not fit into so many bits beside its sign is unknown."""
    known = np.abs(values) < 2.0**bits
    return pa.array(np.where(known, values, 0).astype(np.int64), mask=~known)


def _texts(values: np.ndarray) -> pa.Array:
    """Return the text; what is empty is unknown."""
    texts = pa.array(values, type=pa.string())
    return pc.if_else(pc.equal(texts, ""), None, texts)
