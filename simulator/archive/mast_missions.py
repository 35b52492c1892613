"""MAST's search API of the missions: search, lists of products, columns."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.archive.catalogue import Catalogue
from simulator.archive.columns import read_columns
from simulator.archive.faults import Kind, content_fault
from simulator.archive.files import file_reply, refusal

__all__ = ["MissionsApi"]

_BASE: Final = "/search/hst/api/v0.1"
_LIMIT: Final = 5000
_RADIUS_UNITS: Final = {"arcseconds": 3600.0, "arcminutes": 60.0, "degrees": 1.0}
_TYPES: Final = {
    "datetime": "DATETIME",
    "float": "FLOAT",
    "ra": "FLOAT",
    "dec": "FLOAT",
    "integer": "INTEGER",
    "boolean": "INTEGER",
}
_MOMENT: Final = "strftime('%Y-%m-%dT%H:%M:%f000', {} + 2400000.5)"
_VALUES: Final = {
    "sci_data_set_name": "upper(name)",
    "sci_targname": "target",
    "sci_hapnum": "0",
    "sci_haspnum": "0",
    "sci_instrume": "substr(instrument || '      ', 1, 6)",
    "sci_aper_1234": "aperture",
    "sci_spec_1234": "grating",
    "sci_actual_duration": "exposure",
    "sci_start_time": _MOMENT.format("start"),
    "sci_stop_time": _MOMENT.format("stop"),
    "sci_pep_id": "proposal",
    "sci_pi_last_name": "upper(pi)",
    "sci_ra": "ra",
    "sci_dec": "dec",
    "sci_archive_class": "'CAL'",
    "sci_program_id": "upper(substr(name, 2, 3))",
    "sci_obset_id": "upper(substr(name, 5, 2))",
    "sci_obsnum": "upper(substr(name, 7, 3))",
    "sci_asn_id": "upper(association)",
    "sci_target_descrip": "target_kind",
    "sci_broad_category": "target_kind",
    "sci_refnum": "0",
    "sci_expflag": "flag",
    "sci_instrument_config": "instrument || '/' || detector",
    "sci_operating_mode": "obsmode",
    "sci_central_wavelength": "wavelength",
    "sci_mtflag": "'F'",
    "sci_release_date": "released",
    "sci_aec": "iif(exptype LIKE 'EXTERNAL/SCI%', 'S', 'C')",
    "sci_generation_date": "generated",
    "sci_archive_date": "archived",
    "sci_preview_name": "upper(name)",
    "sci_obs_type": "iif(obstype LIKE 'IMAG%', 'IMAGE', 'SPECTRUM')",
    "sci_status": "status",
}
"""SQL of the columns that the catalogue has; the others are null."""

_PLAIN: Final = {"sci_instrume": "instrument"}
"""What conditions compare with, of columns that are padded."""
_SORTED: Final = {"sci_data_set_name": "name", "sci_preview_name": "name"}
"""Columns of the same order that have an index."""

_RAW_SUFFIXES: Final = ("raw", "spt", "pha")
_AUXILIARY: Final = ("asn", "jit", "jif", "trl")


class _BadQueryError(ValueError):
    """A query that MAST answers with 400."""


class MissionsApi:
    """The interface.

    Parameters
    ----------
    catalogue
        What it serves.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._columns = {row["column_name"]: row for row in read_columns("missions")}
        self.routes = [
            Route(f"{_BASE}/search", self._search, methods=["POST"]),
            Route(f"{_BASE}/post_list_products", self._post_products, methods=["POST"]),
            Route(f"{_BASE}/list_products", self._get_products),
            Route(f"{_BASE}/retrieve_product", self._retrieve),
            Route("/search/util/api/v0.1/column_list", self._column_list),
        ]

    async def _search(self, request: Request) -> Response:
        try:
            asked = await _json(request)
            return JSONResponse(await run_in_threadpool(self._found, request, asked))
        except _BadQueryError as error:
            return _refusal(error)

    async def _post_products(self, request: Request) -> Response:
        try:
            ids = (await _json(request)).get("dataset_ids")
        except _BadQueryError as error:
            return _refusal(error)
        return await self._products(request, [ids] if isinstance(ids, str) else ids or [])

    async def _get_products(self, request: Request) -> Response:
        ids = request.query_params.getlist("dataset_ids")
        return await self._products(request, [one for part in ids for one in part.split(",")])

    async def _products(self, request: Request, ids: Sequence[object]) -> Response:
        wrong = content_fault(request, Kind.SIZE)
        products = await run_in_threadpool(
            self._listed, [str(one).strip() for one in ids], wrong.amount if wrong else 0
        )
        return JSONResponse({"products": products})

    async def _retrieve(self, request: Request) -> Response:
        name = request.query_params.get("product_name", "").rsplit("/", 1)[-1]
        file = await run_in_threadpool(self._catalogue.file, name)
        if file is None:
            return JSONResponse({"detail": f"{name} was not found"}, 404)
        return refusal(self._catalogue, request, file) or file_reply(file.path, file.name)

    async def _column_list(self, request: Request) -> Response:
        if request.query_params.get("mission", "hst").lower() != "hst":
            return _refusal(_BadQueryError("this stand-in has the mission hst only"))
        names = ("field_name", "column_name", "queryable", "qual_type", "default_output")
        return JSONResponse(
            [
                {name: row[name] for name in (*names, "indexed", "datatype")}
                | {"description": row["field_name"]}
                for row in self._columns.values()
            ]
        )

    def _found(self, request: Request, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a search."""
        targets = asked.get("target") or []
        columns = list(asked.get("select_cols") or self._default_columns())
        sort_by = list(asked.get("sort_by") or [])
        descending = list(asked.get("sort_desc") or [])
        sort_by = sort_by or [*(["ang_sep"] if targets else []), "sci_data_set_name"]
        descending += [False] * (len(sort_by) - len(descending))
        offset = _count(asked, "offset", 0)
        limit = _count(asked, "limit", _LIMIT)
        echo = {
            "target": targets,
            "radius": asked.get("radius", 3),
            "radius_units": asked.get("radius_units", "arcminutes"),
            "offset": offset,
            "limit": limit,
            "sort_by": sort_by,
            "sort_desc": descending,
            "skip_count": bool(asked.get("skip_count", False)),
            "select_cols": columns,
            "search_key": asked.get("search_key") or [],
            "user_fields": asked.get("user_fields") or [],
            "conditions": asked.get("conditions") or [],
        }
        where, values = self._conditions(echo["conditions"])
        extra, position = {}, ""
        if targets:
            position, ra, dec = _position(targets)
            radius = _radius(asked)
            apart = "separation(ra, dec, :ra0, :dec0)"
            where.append(f"{apart} <= :radius")
            values |= {"ra0": ra, "dec0": dec, "radius": radius, "position": position}
            extra = {
                "search_key": ":position || upper(name)",
                "search_pos": ":position",
                "ang_sep": f"60 * {apart}",
            }
        if not self._catalogue.description.member_rows:
            where.append("is_top")
        selected = {name: self._value(name) for name in columns} | extra
        order = [
            f"{_SORTED.get(name) or extra.get(name) or self._value(name)}{' DESC' if down else ''}"
            for name, down in zip(sort_by, descending, strict=False)
        ]
        if shift := content_fault(request, Kind.SHIFT):
            offset = max(0, offset + shift.amount) if offset else 0
        with self._catalogue.connection() as connection:
            rows, total = _select(
                connection, selected, where, values, order, (limit, offset, not echo["skip_count"])
            )
        return {
            "messages": [],
            "info": [
                {"name": name, "type": self._type(name)}
                for name in (*columns, *(["search_key"] if targets else []))
            ],
            "search_params": echo,
            "totalResults": total,
            "results": rows,
        }

    def _listed(self, ids: Sequence[str], offset: int) -> list[dict[str, Any]]:
        """List the products of datasets: an association's are its members' too."""
        with self._catalogue.connection() as connection:
            connection.execute("CREATE TEMP TABLE wanted (name TEXT PRIMARY KEY)")
            connection.executemany(
                "INSERT OR IGNORE INTO wanted VALUES (lower(?))", ((one,) for one in ids)
            )
            found = connection.execute(
                "SELECT wanted.name, entry.instrument, entry.grating, entry.status, entry.name, "
                "file.name, file.suffix, file.size FROM wanted "
                "JOIN entry ON entry.name = wanted.name OR entry.association = wanted.name "
                "JOIN file ON file.dataset = entry.name ORDER BY wanted.name, file.name"
            )
            return [_product(row, offset) for row in found]

    def _default_columns(self) -> list[str]:
        return [
            name
            for name, row in self._columns.items()
            if row["default_output"] == "yes" and name != "ang_sep"
        ]

    def _value(self, name: object) -> str:
        if name not in self._columns:
            raise _BadQueryError(f"there is no column {name}")
        return _VALUES.get(str(name), "NULL")

    def _type(self, name: str) -> str:
        return _TYPES.get(self._columns[name]["qual_type"], "VARCHAR")

    def _conditions(self, conditions: object) -> tuple[list[str], dict[str, object]]:
        """Return conditions in SQL, and their values."""
        if not isinstance(conditions, list) or not all(isinstance(one, dict) for one in conditions):
            raise _BadQueryError("conditions are a list of objects")
        where: list[str] = []
        values: dict[str, object] = {}
        for name, wanted in (item for one in conditions for item in one.items()):
            terms = [term.strip() for term in str(wanted).split(",") if term.strip()]
            column = _PLAIN.get(name) or self._value(name)
            number = self._type(name) in ("FLOAT", "INTEGER")
            some: list[str] = []
            for term in terms:
                sql = _term(f"CAST({column} AS REAL)" if number else column, term, number, values)
                (where if term.startswith("!") else some).append(sql)
            if some:
                where.append(f"({' OR '.join(some)})")
        return where, values


def _term(column: str, term: str, number: bool, values: dict[str, object]) -> str:
    """Return one value of a condition in SQL, and keep what it compares with."""

    def kept(text: str) -> str:
        name = f"value{len(values)}"
        try:
            values[name] = float(text) if number else text.strip()
        except ValueError as error:
            raise _BadQueryError(f"{text} is not a number") from error
        return f":{name}"

    if term.startswith("!"):
        return f"NOT ({_term(column, term[1:], number, values)})"
    for sign in ("<=", ">=", "<", ">"):
        if term.startswith(sign):
            return f"{column} {sign} {kept(term.removeprefix(sign))}"
    if ".." in term:
        low, _, high = term.partition("..")
        return f"{column} BETWEEN {kept(low)} AND {kept(high)}"
    if "*" in term and not number:
        return f"{column} LIKE {kept(term.replace('*', '%'))}"
    return f"{column} = {kept(term)} COLLATE NOCASE"


def _select(
    connection: sqlite3.Connection,
    selected: Mapping[str, str],
    where: Sequence[str],
    values: Mapping[str, object],
    order: Sequence[str],
    page: tuple[int, int, bool],
) -> tuple[list[dict[str, Any]], int | None]:
    """Return the rows of a page, and how many there are in all where that is wanted."""
    limit, offset, count = page
    condition = " AND ".join(where) or "1"
    if not any(key.split()[0] == "name" for key in order):
        order = [*order, "name"]
    columns = ", ".join(f"{value} AS {name}" for name, value in selected.items())
    cursor = connection.execute(
        f"SELECT {columns} FROM entry WHERE {condition} "  # noqa: S608 - of this module alone
        f"ORDER BY {', '.join(order)} LIMIT {limit} OFFSET {offset}",
        values,
    )
    names = list(selected)
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    if not count:
        return rows, None
    (total,) = connection.execute(
        f"SELECT count(*) FROM entry WHERE {condition}",  # noqa: S608
        values,
    ).fetchone()
    return rows, total


def _product(row: Sequence[Any], offset: int) -> dict[str, Any]:
    dataset, instrument, grating, status, owner, name, suffix, size = row
    category = "UNCALIBRATED" if suffix.startswith(_RAW_SUFFIXES) else "CALIBRATED"
    return {
        "product_key": f"{dataset.upper()}_{name}",
        "access": status,
        "dataset": dataset.upper(),
        "instrument_name": f"{instrument:6}",
        "filters": grating,
        "filename": name,
        "uri": f"{dataset.upper()}/{name}",
        "authz_primary_identifier": owner.upper(),
        "authz_secondary_identifier": "CAL",
        "file_suffix": suffix.upper(),
        "category": "AUX" if suffix in _AUXILIARY else category,
        "size": size + offset,
        "type": "science",
    }


async def _json(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.body())
    except ValueError as error:
        raise _BadQueryError(f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise _BadQueryError("the body is not a JSON object")
    return found


def _refusal(error: _BadQueryError) -> Response:
    return JSONResponse({"detail": str(error)}, 400)


def _count(asked: Mapping[str, Any], name: str, default: int) -> int:
    found = asked.get(name)
    found = default if found is None else found
    if not isinstance(found, int) or found < 0:
        raise _BadQueryError(f"{name} is a count, not {found!r}")
    return found


def _position(targets: Iterable[object]) -> tuple[str, float, float]:
    """Return the first target as it was written, and its position in degrees."""
    text = str(next(iter(targets)))
    try:
        ra, dec = (float(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise _BadQueryError(f"target {text!r} is not a position") from error
    return text, ra, dec


def _radius(asked: Mapping[str, Any]) -> float:
    """Return the radius of a search, degree."""
    units = _RADIUS_UNITS.get(asked.get("radius_units", "arcminutes"))
    radius = asked.get("radius", 3)
    if units is None or not isinstance(radius, int | float):
        raise _BadQueryError("radius and radius_units do not make an angle")
    return radius / units
