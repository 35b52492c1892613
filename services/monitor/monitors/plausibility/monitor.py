"""Implausible times: alerts about the files that have them."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

import numpy as np
from sqlalchemy import Double, cast, func, not_, select

from services.monitor.framework.declaration import (
    Columns,
    Finding,
    Increment,
    Inputs,
    Monitor,
    RowQuery,
    RunOutput,
)
from services.monitor.framework.increments import file_numbers, file_ranges
from services.monitor.framework.rules import Rule
from shared.database.models.monitoring import Severity
from shared.database.models.operations import File
from shared.database.models.science import (
    ROWS_PER_FILE,
    SCIENCE_TABLES,
    DoubtfulTime,
    Gain,
    Header,
    ScienceRow,
    believed,
    believed_time,
    moments_of,
)

__all__ = ["MONITOR"]

_TABLES = sorted(SCIENCE_TABLES.values(), key=lambda model: model is not Header)
"""Tables with those of headers first, from which the times of most others come."""

_TIMES = [(model, column.name) for model in _TABLES for column in moments_of(model)]
"""Tables and columns of times."""

_NAMED = ("table_name", "column_name")
_NAMES = [(model.__tablename__, column) for model, column in _TIMES]
_PLACES = {names: place for place, names in enumerate(_NAMES)}
"""Place of each column of times in the key of a row."""

_MOST_COLUMNS = 64
"""Columns of times for which a key has room."""

_RULE = Rule(
    name="no-time-of-cos",
    severity=Severity.WARN,
    text="times lie between the installation of COS (2009-05) and tomorrow",
    source="servicing mission 4; a planned time may lie a year ahead",
)

_EXPLANATION = """
A time of COS lies between its installation in May 2009 and tomorrow; a planned one may lie a year
ahead. Rows with other times stay in their tables as the files have them, and are listed in the
table doubtful_times. They are never the newest, and no monitor reads them: one header with a wrong
date would hide that data are old, or resolve alerts.

Each file with such times is an alert until it is replaced or forgotten.
"""


def _newest_query() -> RowQuery:
    newest = func.max(Header.expend, type_=Double).label("mjd")
    return select(newest).join(File, File.id == Header.file_id).where(File.shown, believed(Header))


def _query(model: type[ScienceRow], name: str) -> RowQuery:
    """Return the query for the files whose rows have times in a column that are not believed."""
    column = model.__table__.c[name]
    query = (
        select(
            cast(File.id, Double).label("file_id"),
            File.rootname,
            File.name,
            cast(func.count(), Double).label("number"),
            func.min(column, type_=Double).label("least"),
            func.max(column, type_=Double).label("largest"),
        )
        .join(File, File.id == model.file_id)
        .where(File.shown, not_(believed_time(column)))
        .group_by(File.id, File.rootname, File.name)
        .order_by(File.id)
    )
    # All gains of a file have one time, and a file has up to a million of them.
    return query.where(model.id == File.id * ROWS_PER_FILE) if model is Gain else query


def _rows(key: str) -> dict[str, RowQuery]:
    first, last = file_numbers(key)
    return {
        f"{model.__tablename__}.{name}": _query(model, name).where(
            File.id.between(first, last), model.file_id.between(first, last)
        )
        for model, name in _TIMES
    }


def _find(_: str, inputs: Inputs) -> Mapping[str, Columns]:
    tables = [inputs[f"{model.__tablename__}.{name}"] for model, name in _TIMES]
    joined = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    counts = [len(table["file_id"]) for table in tables]
    for name, texts in zip(_NAMED, zip(*_NAMES, strict=True), strict=True):
        joined[name] = np.repeat(np.array(texts, dtype=object), counts)
    return {"doubts": joined}


def _digests(inputs: Inputs) -> dict[str, str]:
    return dict(zip(*(inputs["ranges"][name].tolist() for name in ("key", "inputs")), strict=True))


def _findings(columns: Columns) -> Iterator[Finding]:
    """Yield one alert for each file, with the first of its columns that is not believed."""
    _, first, counts = np.unique(columns["file_id"], return_index=True, return_counts=True)
    for row, count in zip(first.tolist(), counts.tolist(), strict=True):
        least, largest = (float(columns[name][row]) for name in ("least", "largest"))
        values = f"{least:.10g}" if least == largest else f"{least:.10g} to {largest:.10g}"
        more = f", and {count - 1} more columns" if count > 1 else ""
        message = (
            f"{columns['name'][row]}: {columns['column_name'][row]} in "
            f"{columns['table_name'][row]} is {values}{more}; "
            "these rows are excluded from all statistics: replace the file, or forget it"
        )
        yield _RULE.finding(
            message,
            0.0,
            least,
            configuration=str(columns["name"][row]),
            rootname=columns["rootname"][row],
        )


def _compute(inputs: Inputs) -> RunOutput:
    newest = float(inputs["newest"]["mjd"][0])
    doubts = inputs.get("doubts")
    if doubts is None:
        return RunOutput(newest_mjd=None)
    columns = {
        name: doubts[name]
        for name in ("file_id", "rootname", "name", "number", "least", "largest", *_NAMED)
    }
    place = [_PLACES[one] for one in zip(*(columns[name] for name in _NAMED), strict=True)]
    columns["id"] = columns["file_id"].astype(np.int64) * _MOST_COLUMNS + np.array(place, np.int64)
    return RunOutput(
        newest_mjd=newest if np.isfinite(newest) else None,
        findings=list(_findings(columns)),
        tables={DoubtfulTime.__tablename__: columns},
    )


MONITOR = Monitor(
    name="plausibility",
    title="Implausible times",
    explanation=_EXPLANATION.strip(),
    detector="FUV and NUV",
    version=2,
    tables=frozenset(model.__tablename__ for model, _ in _TIMES),
    inputs={
        "ranges": file_ranges({model.__tablename__ for model, _ in _TIMES}),
        "newest": _newest_query(),
    },
    parts={"by_files": Increment(digests=_digests, rows=_rows, find=_find)},
    quantities={},
    compute=_compute,
    cadence=timedelta(days=7),
    rules=(_RULE,),
)
