"""Increments of monitors: a run computes only the parts of its inputs that changed."""

import asyncio
import io
from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
from sqlalchemy import ColumnElement, Double, String, cast, delete, extract, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.monitor.framework.declaration import (
    Columns,
    Increment,
    IncrementResult,
    Inputs,
    Monitor,
    RowQuery,
)
from services.monitor.framework.loading import load, texts_of
from shared.database.models.monitoring import MonitorPart
from shared.database.models.operations import File
from shared.database.models.repopulation import Repopulation

__all__ = [
    "by_files",
    "file_numbers",
    "file_ranges",
    "find_parts",
    "join_parts",
    "parts_query",
    "write_parts",
    "written",
]

_FILES = 512
"""Keys of files in a part: some hundred thousand rows of them."""


def parts_query(monitor: str) -> RowQuery:
    """Return the query for what a monitor kept.

    ``key``, ``inputs`` and ``content``, which is JSON text.

    Parameters
    ----------
    monitor
        Its name.
    """
    content = cast(MonitorPart.content, String).label("content")
    return select(MonitorPart.key, MonitorPart.inputs, content).where(
        MonitorPart.monitor == monitor
    )


def written(tables: Collection[str]) -> ColumnElement[float]:
    """Return when the rows of a file were last written, by an ingest or by a re-population.

    Seconds since 1970.

    Parameters
    ----------
    tables
        Names of the tables that they are in.
    """
    names = cast(sorted(tables), ARRAY(String))
    repopulated = (
        select(func.max(Repopulation.finished_at))
        .where(func.jsonb_exists_any(Repopulation.tables, names))
        .scalar_subquery()
    )
    return cast(extract("epoch", func.greatest(File.ingested_at, repopulated)), Double)


def file_ranges(tables: Collection[str]) -> RowQuery:
    """Return the query for ranges of files.

    ``key``, and ``inputs``, which says which of them are shown to readers and of what state.

    Parameters
    ----------
    tables
        Names of the tables whose rows are read.
    """
    number = File.id // _FILES
    # The sum does not depend on the order, so that nothing is sorted.
    each = func.hashtextextended(func.concat(File.id, " ", written(tables)), 0)
    return (
        select(
            cast(number, String).label("key"),
            func.concat(func.count(), " ", func.sum(each), type_=String).label("inputs"),
        )
        .where(File.shown)
        .group_by(number)
    )


def file_numbers(key: str) -> tuple[int, int]:
    """Return the first and last key of the files of a range, by the range's key."""
    return int(key) * _FILES, (int(key) + 1) * _FILES - 1


def by_files(
    ranges: str, queries: Mapping[str, RowQuery], *columns: InstrumentedAttribute[int]
) -> Increment:
    """Divide the rows of queries by ranges of the files that they were measured from.

    Parameters
    ----------
    ranges
        Name of the input that `file_ranges` is the query of.
    queries
        Queries for the rows of all files by the table's name; each reads ``files``.
    columns
        Other columns of the queries that are keys of the file.
    """

    def digests(inputs: Inputs) -> dict[str, str]:
        return dict(
            zip(*(inputs[ranges][name].tolist() for name in ("key", "inputs")), strict=True)
        )

    def rows(key: str) -> dict[str, RowQuery]:
        mine = [column.between(*file_numbers(key)) for column in (File.id, *columns)]
        return {name: query.where(*mine) for name, query in queries.items()}

    return Increment(
        digests=digests, rows=rows, find=lambda _, inputs: {name: inputs[name] for name in queries}
    )


async def find_parts(
    session: AsyncSession, monitor: Monitor, inputs: Inputs
) -> tuple[Inputs, dict[str, IncrementResult | None]]:
    """Find what a monitor's parted inputs are, in those parts that changed since its last run.

    Parameters
    ----------
    session
        Session of the transaction to read in.
    monitor
        The monitor.
    inputs
        Its other inputs.

    Returns
    -------
    Inputs
        All inputs.
    dict of str to IncrementResult or None
        Parts to keep: new ones, and None for those that are as they were.
    """
    kept: dict[str, IncrementResult | None] = {}
    for name, parted in monitor.parts.items():
        digests = {
            key: f"{digest}/{monitor.version}"
            for key, digest in sorted(parted.digests(inputs).items())
        }
        known = await _known(
            session, monitor.name, {f"{name} {key}": digest for key, digest in digests.items()}
        )
        kept |= dict.fromkeys(known)
        found: dict[str, tuple[Mapping[str, Columns], bool]] = {}
        for key, digest in digests.items():
            tables = known.get(f"{name} {key}")
            if tables is None:
                rows = {one: await load(session, query) for one, query in parted.rows(key).items()}
                found[key] = await asyncio.to_thread(parted.find, key, {**inputs, **rows}), True
                kept[f"{name} {key}"] = IncrementResult(inputs=digest, tables=found[key][0])
            else:
                found[key] = tables, False
        inputs = {**inputs, **join_parts(name, found)}
    return inputs, kept


def join_parts(
    name: str, parts: Mapping[str, tuple[Mapping[str, Columns], bool]]
) -> dict[str, Columns]:
    """Make inputs of what was found in parts (see `Increment`).

    Parameters
    ----------
    name
        Name of the parted input.
    parts
        Tables of each part by its key, and whether they are new.
    """
    new = np.array([new for _, new in parts.values()], dtype=bool)
    joined: dict[str, Columns] = {name: {"key": np.array(list(parts), dtype=object), "new": new}}
    found = [tables for tables, _ in parts.values()]
    for table in found[0] if found else ():
        columns = {
            one: np.concatenate([part[table][one] for part in found]) for one in found[0][table]
        }
        numbers = [len(next(iter(part[table].values()))) for part in found]
        joined[table] = columns | {"part": np.repeat(np.arange(len(found)), numbers)}
    return joined


async def _known(
    session: AsyncSession, monitor: str, digests: Mapping[str, str]
) -> dict[str, Mapping[str, Columns]]:
    """Return the tables of the parts that are as the monitor kept them."""
    query = select(MonitorPart.key, MonitorPart.inputs).where(MonitorPart.monitor == monitor)
    same = [key for key, inputs in await session.execute(query) if digests.get(key) == inputs]
    contents = await session.execute(
        select(MonitorPart.key, MonitorPart.tables).where(
            MonitorPart.monitor == monitor, MonitorPart.key.in_(same)
        )
    )
    return {key: _unpacked(content) for key, content in contents if content is not None}


def _packed(tables: Mapping[str, Columns]) -> bytes:
    """Make tables bytes: a stream of Arrow for each, one after the other."""
    buffer = io.BytesIO()
    for name, columns in tables.items():
        arrays = {
            column: pa.array(values, pa.string()).dictionary_encode()
            if values.dtype == object
            else pa.array(values)
            for column, values in columns.items()
        }
        table = pa.table(arrays).replace_schema_metadata({"name": name})
        with pa.ipc.new_stream(buffer, table.schema) as stream:
            stream.write_table(table)
    return buffer.getvalue()


def _unpacked(content: bytes) -> dict[str, Columns]:
    source = pa.BufferReader(content)
    found: dict[str, Columns] = {}
    while source.tell() < source.size():
        table = pa.ipc.open_stream(source).read_all()
        name = table.schema.metadata[b"name"].decode()
        found[name] = {
            column: texts_of(values) if _is_text(values.type) else values.to_numpy()
            for column, values in zip(table.column_names, table.columns, strict=True)
        }
    return found


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind) or pa.types.is_string(kind))


async def write_parts(
    session: AsyncSession, monitor: str, parts: Mapping[str, IncrementResult | None]
) -> None:
    """Keep these parts of a monitor, and no others.

    Parameters
    ----------
    session
        Session of the transaction that writes the run.
    monitor
        Its name.
    parts
        By key; None keeps what there is.
    """
    await session.execute(
        delete(MonitorPart).where(
            MonitorPart.monitor == monitor, MonitorPart.key.not_in(sorted(parts))
        )
    )
    rows = [
        {
            "monitor": monitor,
            "key": key,
            "inputs": part.inputs,
            "content": part.content,
            "tables": _packed(part.tables) if part.tables else None,
        }
        for key, part in parts.items()
        if part is not None
    ]
    if rows:
        statement = insert(MonitorPart)
        new = {name: statement.excluded[name] for name in ("inputs", "content", "tables")}
        await session.execute(
            statement.on_conflict_do_update(index_elements=["monitor", "key"], set_=new), rows
        )
