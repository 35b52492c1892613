"""MAST's portal (mashup): observations by filters and positions, and their products."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.archive.catalogue import Catalogue
from simulator.archive.columns import read_columns
from simulator.archive.faults import Kind, content_fault
from simulator.archive.files import PRODUCT

__all__ = ["PortalApi"]

_PAGE_SIZE: Final = 50000
_MJD: Final = "julianday({}) - 2400000.5"
_OBSERVATION: Final = {
    "intentType": ("string", "iif(exptype LIKE 'EXTERNAL/SCI%', 'science', 'calibration')"),
    "obs_collection": ("string", "'HST'"),
    "provenance_name": ("string", "'CALCOS'"),
    "instrument_name": ("string", "instrument || '/' || detector"),
    "project": ("string", "'HST'"),
    "filters": ("string", "grating"),
    "wavelength_region": ("string", "'UV'"),
    "target_name": ("string", "target"),
    "target_classification": ("string", "target_kind"),
    "obs_id": ("string", "name"),
    "s_ra": ("float", "ra"),
    "s_dec": ("float", "dec"),
    "dataproduct_type": ("string", "iif(obstype LIKE 'IMAG%', 'image', 'spectrum')"),
    "proposal_pi": ("string", "pi"),
    "calib_level": ("int", "iif(association IS NULL, 1, 3)"),
    "t_min": ("float", "start"),
    "t_max": ("float", "stop"),
    "t_exptime": ("float", "exposure"),
    "em_min": ("float", "iif(detector = 'NUV', 165.0, 90.0)"),
    "em_max": ("float", "iif(detector = 'NUV', 320.0, 215.0)"),
    "obs_title": ("string", "target"),
    "t_obs_release": ("float", _MJD.format("released")),
    "proposal_id": ("string", "CAST(proposal AS TEXT)"),
    "proposal_type": ("string", "'GO'"),
    "sequence_number": ("int", "NULL"),
    "s_region": (
        "string",
        "'CIRCLE ICRS ' || printf('%.8f', ra) || ' ' || printf('%.8f', dec) || ' 0.00034722'",
    ),
    "jpegURL": ("string", "'mast:HST/product/' || name || '_x1d_prev.png'"),
    "dataURL": ("string", "NULL"),
    "dataRights": ("string", "iif(status = 'PUBLIC', 'PUBLIC', 'EXCLUSIVE_ACCESS')"),
    "mtFlag": ("boolean", "0"),
    "srcDen": ("float", "NULL"),
    "obsid": ("string", "number"),
    "objID": ("string", "number + 1"),
    "objID1": ("string", "number + 1"),
    "distance": ("float", "0"),
}
"""Types and SQL of the columns of observations. Wavelengths: COS Instrument Handbook, table 1.1."""

_PRODUCT_TYPES: Final = {"size": "int", "calib_level": "int", "_selected_": "boolean"}
_LEVEL_2: Final = ("flt", "x1d", "lampflash")
_DESCRIPTIONS: Final = {
    "asn": "DADS ASN file - Association table ACS/WFC3/NICMOS/COS/STIS",
    "spt": "DADS SPT file - Engineering telemetry ACS/WFC3/NICMOS/COS/STIS",
    "rawtag_a": "DADS RTA file - Raw events COS segment A",
    "rawtag_b": "DADS RTB file - Raw events COS segment B",
    "jif": "DADS JIF file",
    "jit": "DADS JIT file",
}


class _BadRequestError(ValueError):
    """A request that the portal answers with ERROR."""


class PortalApi:
    """The interface.

    Parameters
    ----------
    catalogue
        What it serves.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.routes = [
            Route("/api/v0/invoke", self._invoke, methods=["GET", "POST"]),
            Route("/portal/Mashup/Mashup.asmx/columnsconfig", self._config, methods=["POST"]),
        ]

    async def _invoke(self, request: Request) -> Response:
        if request.method == "GET":
            asked = request.query_params.get("request", "")
        else:
            asked = parse_qs((await request.body()).decode()).get("request", [""])[0]
        try:
            found = await run_in_threadpool(self._answer, request, _object(asked))
        except _BadRequestError as error:
            found = {"status": "ERROR", "msg": str(error), "data": [], "fields": [], "paging": None}
        return JSONResponse(found)

    async def _config(self, request: Request) -> Response:
        asked = parse_qs((await request.body()).decode()).get("colConfigId", [""])[0]
        return JSONResponse(_columns_config() if asked.startswith("Mast.Caom.") else {})

    def _answer(self, request: Request, asked: Mapping[str, Any]) -> dict[str, Any]:
        params = asked.get("params") or {}
        page, size = _whole(asked, "page", 1), _whole(asked, "pagesize", _PAGE_SIZE)
        shift = content_fault(request, Kind.SHIFT)
        offset = (page - 1) * size
        if shift and offset:
            offset = max(0, offset + shift.amount)
        window = (page, size, offset)
        match asked.get("service"):
            case "Mast.Caom.Filtered":
                return self._observations(params, None, window)
            case "Mast.Caom.Filtered.Position":
                ra, dec, radius = _numbers(str(params.get("position", "")).split(","))
                return self._observations(params, (ra, dec, radius), window)
            case "Mast.Caom.Cone":
                cone = _numbers([params.get(name) for name in ("ra", "dec", "radius")])
                return self._observations({"columns": "*"}, cone, window)
            case "Mast.Caom.Products":
                wrong = content_fault(request, Kind.SIZE)
                return self._products(params, wrong.amount if wrong else 0, window)
            case other:
                raise _BadRequestError(f"there is no service {other}")

    def _observations(
        self,
        params: Mapping[str, Any],
        cone: tuple[float, float, float] | None,
        window: tuple[int, int, int],
    ) -> dict[str, Any]:
        """Answer a search; a cone is its direction and radius, degree."""
        columns = dict(_OBSERVATION)
        where, values = _conditions(params.get("filters") or [])
        if cone is not None:
            apart = "separation(ra, dec, :ra0, :dec0)"
            values |= {"ra0": cone[0], "dec0": cone[1], "radius": cone[2]}
            where.append(f"{apart} <= :radius")
            columns["distance"] = ("float", f"3600 * {apart}")
        if not self._catalogue.description.member_rows:
            where.append("is_top")
        condition = " AND ".join(where) or "1"
        count = f"SELECT count(*) FROM entry WHERE {condition}"  # noqa: S608 - of this module alone
        with self._catalogue.connection() as connection:
            (total,) = connection.execute(count, values).fetchone()
            if params.get("columns") == "COUNT_BIG(*)":
                return _reply([{"Column1": total}], {"Column1": "string"}, (1, _PAGE_SIZE, 0), 1)
            selected = ", ".join(f"{sql} AS {name}" for name, (_, sql) in columns.items())
            cursor = connection.execute(
                f"SELECT {selected} FROM entry WHERE {condition} "  # noqa: S608
                f"ORDER BY name LIMIT {window[1]} OFFSET {window[2]}",
                values,
            )
            rows = [_typed(dict(zip(columns, row, strict=True))) for row in cursor]
        return _reply(rows, {name: kind for name, (kind, _) in columns.items()}, window, total)

    def _products(
        self, params: Mapping[str, Any], excess: int, window: tuple[int, int, int]
    ) -> dict[str, Any]:
        """List the products of observations, once for each that has them."""
        ids = [part.strip() for part in str(params.get("obsid", "")).split(",") if part.strip()]
        with self._catalogue.connection() as connection:
            connection.execute("CREATE TEMP TABLE wanted (number INTEGER PRIMARY KEY)")
            connection.executemany(
                "INSERT OR IGNORE INTO wanted VALUES (?)", ((one,) for one in ids if one.isdigit())
            )
            cursor = connection.execute(
                "SELECT entry.number, entry.name, entry.obstype, entry.version, entry.proposal, "
                "entry.status, parent.number, file.name, file.suffix, file.size FROM wanted "
                "JOIN dataset AS parent ON parent.number = wanted.number "
                "JOIN entry ON entry.name = parent.name OR entry.association = parent.name "
                "JOIN file ON file.dataset = entry.name ORDER BY parent.number, file.name"
            )
            rows = [_product(row, excess) for row in cursor]
        _, size, offset = window
        kinds = {name: _PRODUCT_TYPES.get(name, "string") for name in _product(_NO_PRODUCT, 0)}
        return _reply(rows[offset : offset + size], kinds, window, len(rows))


_NO_PRODUCT: Final = (0, "", "", "", 0, "", 0, "", "", 0)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise _BadRequestError(f"request is not JSON: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("params") or {}, dict):
        raise _BadRequestError("request is not an object with params")
    return found


def _whole(asked: Mapping[str, Any], name: str, default: int) -> int:
    found = asked.get(name) or default
    if not isinstance(found, int) or found < 1:
        raise _BadRequestError(f"{name} is not a number from 1 on")
    return found


def _numbers(parts: Sequence[object]) -> tuple[float, float, float]:
    try:
        ra, dec, radius = (float(str(part)) for part in parts)
    except ValueError as error:
        raise _BadRequestError("the position is not three numbers") from error
    return ra, dec, radius


def _conditions(filters: object) -> tuple[list[str], dict[str, Any]]:
    """Return filters in SQL, and their values."""
    where: list[str] = []
    values: dict[str, Any] = {}

    def kept(value: object) -> str:
        values[f"value{len(values)}"] = value
        return f":value{len(values) - 1}"

    if not isinstance(filters, list) or not all(isinstance(one, dict) for one in filters):
        raise _BadRequestError("filters are a list of objects")
    known = {name.lower(): sql for name, (_, sql) in _OBSERVATION.items()}
    for entry in filters:
        name = str(entry.get("paramName")).lower()
        if name not in known:
            raise _BadRequestError(f"there is no column {name}")
        column, some = known[name], []
        for value in entry.get("values") or []:
            if isinstance(value, dict):
                low, high = kept(value.get("min")), kept(value.get("max"))
                some.append(f"{column} BETWEEN {low} AND {high}")
            elif entry.get("separator"):
                sign = kept(str(entry["separator"]))
                wanted = f"'%' || {sign} || {kept(str(value))} || {sign} || '%'"
                some.append(f"{sign} || {column} || {sign} LIKE {wanted}")
            else:
                some.append(f"CAST({column} AS TEXT) = {kept(str(value))} COLLATE NOCASE")
        if text := entry.get("freeText"):
            some.append(f"{column} LIKE {kept(str(text))}")
        where.append(f"({' OR '.join(some) or '1'})")
    return where, values


def _reply(
    rows: Sequence[dict[str, Any]],
    kinds: Mapping[str, str],
    window: tuple[int, int, int],
    total: int,
) -> dict[str, Any]:
    page, size, _ = window
    return {
        "status": "COMPLETE",
        "msg": "",
        "data": rows,
        "fields": [{"name": name, "type": kind} for name, kind in kinds.items()],
        "paging": {
            "page": page,
            "pageSize": size,
            "pagesFiltered": max(1, -(-total // size)),
            "rows": len(rows),
            "rowsFiltered": total,
            "rowsTotal": total,
        },
    }


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    row["mtFlag"] = bool(row["mtFlag"])
    return row


def _product(row: Sequence[Any], excess: int) -> dict[str, Any]:
    number, dataset, obstype, version, proposal, status, parent, name, suffix, size = row
    recommended = suffix.startswith("x1d")
    return {
        "obsID": number,
        "obs_collection": "HST",
        "dataproduct_type": "image" if (obstype or "").startswith("IMAG") else "spectrum",
        "obs_id": dataset,
        "description": _DESCRIPTIONS.get(suffix, f"DADS {suffix.upper()} file"),
        "type": "S",
        "dataURI": f"{PRODUCT}{name}",
        "productType": "SCIENCE" if recommended else "AUXILIARY",
        "productGroupDescription": "Minimum Recommended Products" if recommended else None,
        "productSubGroupDescription": suffix.upper(),
        "productDocumentationURL": None,
        "project": "CALCOS",
        "prvversion": version,
        "proposal_id": str(proposal),
        "productFilename": name,
        "size": size + excess,
        "parent_obsid": parent,
        "dataRights": "PUBLIC" if status == "PUBLIC" else "EXCLUSIVE_ACCESS",
        "calib_level": 2 if suffix.startswith(_LEVEL_2) else 1,
        "_selected_": None,
    }


def _columns_config() -> dict[str, Any]:
    """Return what the portal shows of its columns, as far as clients look at it."""
    config: dict[str, Any] = {}
    for row in read_columns("portal"):
        entry: dict[str, Any] = {"text": row["text"]}
        if row["datatype"]:
            entry["vot.datatype"] = row["datatype"]
        if row["separator"]:
            entry["separator"] = row["separator"]
        if row["remove"] == "yes":
            entry["remove"] = True
        config[row["name"]] = entry
    return config
