"""The catalogue as the Common Archive Observation Model, and queries of it in ADQL.

SQLite answers them: its SQL is close to ADQL, whose ``TOP`` and whose geometry are added. CADC has
public data only, and so have its tables.
"""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from simulator.archive.catalogue import separation
from simulator.archive.columns import read_columns
from simulator.archive.votable import Field

__all__ = ["SCHEMA", "BadAdqlError", "caom_fields", "fields_of", "prepare", "publisher_name", "run"]

SCHEMA: Final = "caom2"
_PUBLISHER: Final = "ivo://cadc.nrc.ca/mirror/HST?"
_TOP: Final = re.compile(r"^\s*select\s+(distinct\s+|all\s+)?top\s+(\d+)\s", re.IGNORECASE)
_MILLISECONDS: Final = "substr({0} || iif(length({0}) = 19, '.000', ''), 1, 23)"
_START: Final = "strftime('%Y-%m-%dT%H:%M:%f', start + 2400000.5)"
_CORNERS: Final = "printf('%.9f %.9f %.9f %.9f %.9f %.9f %.9f %.9f', " + (
    "ra - .0003, dec - .0003, ra + .0003, dec - .0003, ra + .0003, dec + .0003, "
    "ra - .0003, dec + .0003)"
)
_OBSERVATION: Final = {
    "observationURI": "'caom:HST/' || name",
    "obsID": "uuid",
    "collection": "'HST'",
    "observationID": "name",
    "algorithm_name": "iif(association = name, 'calcos', 'exposure')",
    "type": "'OBJECT'",
    "intent": "iif(exptype LIKE 'EXTERNAL/SCI%', 'science', 'calibration')",
    "metaRelease": _START,
    "proposal_id": "CAST(proposal AS TEXT)",
    "proposal_pi": "pi",
    "target_name": "target",
    "target_type": "'object'",
    "target_keywords": "target_kind",
    "targetPosition_coordinates_cval1": "ra",
    "targetPosition_coordinates_cval2": "dec",
    "targetPosition_coordsys": "'ICRS'",
    "telescope_name": "'HST'",
    "instrument_name": "instrument || '/' || detector",
    "members": "(SELECT group_concat('caom:HST/' || member.name, ' ') FROM dataset AS member "
    "WHERE member.association = entry.name AND member.name != entry.name)",
    "typeCode": "iif(association = name, 'C', 'S')",
    "lastModified": _MILLISECONDS.format("archived"),
    "maxLastModified": _MILLISECONDS.format("archived"),
}
_PLANE: Final = {
    "planeURI": "'caom:HST/' || name || '/' || name",
    "publisherID": f"'{_PUBLISHER}' || name || '/' || name",
    "obsID": "uuid",
    "planeID": "uuid",
    "metaRelease": _START,
    "dataRelease": _MILLISECONDS.format("released"),
    "dataProductType": "iif(obstype LIKE 'IMAG%', 'image', 'spectrum')",
    "calibrationLevel": "iif(association = name, 2, 1)",
    "provenance_name": "'CALCOS'",
    "provenance_version": "version",
    "provenance_project": "'HST'",
    "provenance_lastExecuted": _MILLISECONDS.format("generated"),
    "position_bounds": f"iif(ra IS NULL, NULL, {_CORNERS})",
    "energy_emBand": "'UV'",
    "energy_bandpassName": "grating",
    "time_bounds_lower": "start",
    "time_bounds_upper": "stop",
    "time_bounds_width": "stop - start",
    "time_exposure": "exposure",
    "lastModified": _MILLISECONDS.format("archived"),
    "productID": "name",
}
_ARTIFACT: Final = {
    "planeID": "entry.uuid",
    "artifactID": "file.uuid",
    "uri": "'mast:HST/product/' || file.name",
    "productType": "iif(suffix IN ('jit', 'jif', 'spt', 'asn', 'trl'), 'auxiliary', 'science')",
    "releaseType": "'data'",
    "contentType": "'application/fits'",
    "contentLength": "size",
    "contentChecksum": "'md5:' || md5(path, size, modified)",
    "lastModified": _MILLISECONDS.format("file.archived"),
}
_ENUM_FIELD: Final = {
    "num_tuples": "count(*)",
    "max_time_bounds_cval1": "max(start)",
    "collection": "'HST'",
    "telescope_name": "'HST'",
    "instrument_name": "instrument || '/' || detector",
    "intent": "'science'",
    "dataProductType": "'spectrum'",
    "energy_emBand": "'UV'",
    "energy_bandpassName": "grating",
}
_FILES: Final = "file JOIN entry ON entry.name = file.dataset"
_PUBLIC: Final = "WHERE entry.status = 'PUBLIC'"
_VIEWS: Final = {
    "Observation": (_OBSERVATION, f"entry {_PUBLIC}"),
    "Plane": (_PLANE, f"entry {_PUBLIC}"),
    "Artifact": (_ARTIFACT, f"{_FILES} {_PUBLIC}"),
    "EnumField": (_ENUM_FIELD, f"entry {_PUBLIC} GROUP BY instrument, detector, grating"),
}
_ALLOWED: Final = (
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
)


class BadAdqlError(ValueError):
    """A query that cannot be answered."""


@cache
def caom_fields() -> Mapping[str, tuple[Field, ...]]:
    """Return the columns of each table by its name, ``caom2.Observation`` and the like."""
    found: dict[str, list[Field]] = defaultdict(list)
    for row in read_columns("caom2"):
        attributes = ("name", "datatype", "arraysize", "utype", "xtype", "unit")
        found[row["table"]].append(Field(*(row[name] for name in attributes)))
    return {name: tuple(fields) for name, fields in found.items()}


def prepare(connection: sqlite3.Connection) -> None:
    """Add the tables of the model to a connection, which after this only reads.

    Parameters
    ----------
    connection
        Connection to the catalogue.
    """
    for name, (values, source) in _VIEWS.items():
        fields = caom_fields()[f"{SCHEMA}.{name}"]
        selected = ", ".join(
            f"{values.get(field.name, 'NULL')} AS {field.name}" for field in fields
        )
        connection.execute(
            f"CREATE TEMP VIEW {name} AS SELECT {selected} FROM {source}"  # noqa: S608 - of this module
        )
    functions: dict[str, Callable[..., Any]] = {
        "point": _point,
        "circle": _circle,
        "contains": _contains,
        "intersects": _intersects,
    }
    for name, function in functions.items():
        connection.create_function(name, -1, function, deterministic=True)
    connection.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
    )


def run(connection: sqlite3.Connection, query: str) -> sqlite3.Cursor:
    """Run a query in ADQL.

    Raises
    ------
    BadAdqlError
        If it is none, or asks for what is not there.
    """
    sql = query.strip().rstrip(";")
    if found := _TOP.match(sql):
        sql = f"SELECT {found[1] or ''}{sql[found.end() :]} LIMIT {found[2]}"
    sql = re.sub(rf"\b{SCHEMA}\.({'|'.join(_VIEWS)})\b", r"\1", sql, flags=re.IGNORECASE)
    try:
        return connection.execute(sql)
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        raise BadAdqlError(str(error)) from error


def fields_of(cursor: sqlite3.Cursor, first: tuple[Any, ...] | None) -> list[Field]:
    """Return the columns of a result; of those that the model does not know, by the first row."""
    known = {field.name.lower(): field for fields in caom_fields().values() for field in fields}
    values = first or (None,) * len(cursor.description or ())
    fields = []
    for (name, *_), value in zip(cursor.description or (), values, strict=True):
        short = name.rsplit(".", 1)[-1].strip('"')
        fields.append(known.get(short.lower()) or _inferred(short, value))
    return fields


def publisher_name(identifier: str) -> str | None:
    """Return the dataset that a publisher's identifier means; None for one of somebody else."""
    if not identifier.startswith(_PUBLISHER):
        return None
    return identifier.removeprefix(_PUBLISHER).split("/", 1)[0].lower()


def _inferred(name: str, value: Any) -> Field:
    if isinstance(value, int):
        return Field(name, "long")
    return Field(name, "double") if isinstance(value, float) else Field(name, "char", "*")


def _point(*arguments: Any) -> str:
    ra, dec = arguments[-2:]
    return f"{float(ra)!r} {float(dec)!r} 0"


def _circle(*arguments: Any) -> str:
    ra, dec, radius = arguments[-3:]
    return f"{float(ra)!r} {float(dec)!r} {float(radius)!r}"


def _contains(inner: str | None, outer: str | None) -> int | None:
    return _close(inner, outer, -1.0)


def _intersects(one: str | None, other: str | None) -> int | None:
    return _close(one, other, 1.0)


def _close(one: str | None, other: str | None, sign: float) -> int | None:
    """Return whether two regions are closer than the one's radius and, by its sign, the other's."""
    if one is None or other is None:
        return None
    ra, dec, radius = _disc(one)
    ra0, dec0, radius0 = _disc(other)
    apart = separation(ra, dec, ra0, dec0)
    return int(apart is not None and apart <= radius0 + sign * radius)


def _disc(region: str) -> tuple[float, float, float]:
    """Return the circle about a region: three numbers are one, others the corners of a polygon."""
    numbers = [float(part) for part in region.split()]
    if len(numbers) == 3:
        return numbers[0], numbers[1], numbers[2]
    corners = list(zip(numbers[::2], numbers[1::2], strict=True))
    ra = sum(corner[0] for corner in corners) / len(corners)
    dec = sum(corner[1] for corner in corners) / len(corners)
    radius = max(separation(*corner, ra, dec) or 0.0 for corner in corners)
    return ra, dec, radius
