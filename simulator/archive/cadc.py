"""CADC: registry, TAP, DataLink, and files."""

import base64
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, islice
from typing import Any, Final
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from simulator.archive.caom import (
    SCHEMA,
    BadAdqlError,
    caom_fields,
    fields_of,
    prepare,
    publisher_name,
    run,
)
from simulator.archive.catalogue import Catalogue
from simulator.archive.faults import Kind, content_fault
from simulator.archive.files import FITS, PRODUCT, file_reply
from simulator.archive.votable import VOTABLE, Field, error_table, table

__all__ = ["CadcServices"]

_XML: Final = "text/xml"
_ROWS_AT_ONCE: Final = 1000
_AUXILIARY: Final = ("asn", "spt", "jit", "jif", "trl")
_STANDARDS: Final = {
    "argus": {
        "ivo://ivoa.net/std/VOSI#capabilities": "argus/capabilities",
        "ivo://ivoa.net/std/VOSI#availability": "argus/availability",
        "ivo://ivoa.net/std/VOSI#tables-1.1": "argus/tables",
        "ivo://ivoa.net/std/TAP": "argus",
    },
    "caom2ops": {
        "ivo://ivoa.net/std/VOSI#capabilities": "caom2ops/capabilities",
        "ivo://ivoa.net/std/DataLink#links-1.0": "caom2ops/datalink",
    },
}
"""Paths of the standards that a service has."""

_LINK_FIELDS: Final = (
    Field("ID", "char", "*", ucd="meta.id;meta.main"),
    Field("access_url", "char", "*", ucd="meta.ref.url"),
    Field("service_def", "char", "*", ucd="meta.ref"),
    Field("error_message", "char", "*", ucd="meta.code.error"),
    Field("semantics", "char", "*", ucd="meta.code"),
    Field("description", "char", "*", ucd="meta.note"),
    Field("content_type", "char", "*", ucd="meta.code.mime"),
    Field("content_length", "long", ucd="phys.size;meta.file", unit="byte"),
    Field("readable", "boolean"),
)


class CadcServices:
    """The interfaces.

    Parameters
    ----------
    catalogue
        What they serve.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        query = ["GET", "POST"]
        self.routes = [
            Route("/reg/resource-caps", self._registry),
            Route("/{service}/capabilities", self._capabilities),
            Route("/argus/availability", self._availability),
            Route("/argus/tables", self._tables),
            Route("/argus/sync", self._sync, methods=query),
            Route("/argus//sync", self._sync, methods=query),  # as astroquery asks
            Route("/caom2ops/datalink", self._links, methods=query),
            Route("/raven/files/{uri:path}", self._file),
        ]

    async def _registry(self, request: Request) -> Response:
        lines = (
            f"ivo://cadc.nrc.ca/{service} = {request.base_url}{service}/capabilities"
            for service in _STANDARDS
        )
        return PlainTextResponse("\n".join(["# services of this stand-in", *lines, ""]))

    async def _capabilities(self, request: Request) -> Response:
        standards = _STANDARDS.get(request.path_params["service"])
        if standards is None:
            return PlainTextResponse("there is no such service", 404)
        return Response(_capabilities(str(request.base_url), standards), media_type=_XML)

    async def _availability(self, _: Request) -> Response:
        namespace = "http://www.ivoa.net/xml/VOSIAvailability/v1.0"
        body = f'<availability xmlns="{namespace}"><available>true</available></availability>'
        return Response(body, media_type=_XML)

    async def _tables(self, _: Request) -> Response:
        return Response(_table_set(), media_type=_XML)

    async def _sync(self, request: Request) -> Response:
        asked = await _parameters(request)
        most = asked.get("MAXREC")
        if most is not None and not most.isdecimal():
            return _error(f"MAXREC is {most}, no number of rows")
        limit = int(most) if most is not None else None
        if fault := content_fault(request, Kind.OVERFLOW):
            limit = fault.amount if limit is None else min(limit, fault.amount)
        try:
            parts = await run_in_threadpool(self._answer, asked.get("QUERY", ""), limit)
        except BadAdqlError as error:
            return _error(str(error))
        return StreamingResponse(parts, media_type=VOTABLE)

    async def _links(self, request: Request) -> Response:
        if request.method == "GET":
            ids = request.query_params.getlist("ID")
        else:
            ids = parse_qs((await request.body()).decode()).get("ID", [])
        rows = await run_in_threadpool(self._linked, ids, f"{request.base_url}raven/files/")
        return Response("".join(table(_LINK_FIELDS, rows)), media_type=VOTABLE)

    async def _file(self, request: Request) -> Response:
        uri = request.path_params["uri"]
        file = await run_in_threadpool(self._catalogue.file, uri.removeprefix(PRODUCT))
        if file is None or not file.public or not uri.startswith(PRODUCT):
            return PlainTextResponse(f"not found: {uri}", 404)
        digest = await run_in_threadpool(self._catalogue.md5, file.path, file.size, file.modified)
        checksum = base64.b64encode(bytes.fromhex(digest)).decode()
        return file_reply(file.path, file.name, {"Digest": f"md5={checksum}"})

    def _answer(self, query: str, most: int | None) -> Iterator[str]:
        """Run a query, and return its result in parts."""
        with ExitStack() as stack:
            connection = stack.enter_context(self._catalogue.connection())
            prepare(connection)
            cursor = run(connection, query)
            try:
                first = cursor.fetchone()
            except sqlite3.Error as error:
                raise BadAdqlError(str(error)) from error
            if cursor.description is None:
                raise BadAdqlError("the query is empty")
            rows = chain([first] if first else [], cursor)
            return _closing(
                table(fields_of(cursor, first), rows, query=query, most=most), stack.pop_all()
            )

    def _linked(self, ids: list[str], base: str) -> list[tuple[Any, ...]]:
        """Return the links of datasets."""
        rows: list[tuple[Any, ...]] = []
        with self._catalogue.connection() as connection:
            for identifier in ids:
                found = connection.execute(
                    "SELECT file.name, suffix, size FROM file "
                    "JOIN entry ON entry.name = file.dataset "
                    "WHERE dataset = ? AND status = 'PUBLIC' ORDER BY file.name",
                    [publisher_name(identifier)],
                ).fetchall()
                rows += (
                    (
                        identifier,
                        f"{base}{PRODUCT}{name}",
                        None,
                        None,
                        "#auxiliary" if suffix in _AUXILIARY else "#this",
                        f"download {PRODUCT}{name}",
                        FITS,
                        size,
                        True,
                    )
                    for name, suffix, size in found
                )
                if not found:
                    error = f"NotFoundFault: {identifier}"
                    rows.append((identifier, None, None, error, "#this", *[None] * 3, False))
        return rows


def _closing(parts: Iterator[str], stack: ExitStack) -> Iterator[str]:
    """Yield a reply in large parts, each of which costs a change of threads."""
    with stack:
        while part := "".join(islice(parts, _ROWS_AT_ONCE)):
            yield part


async def _parameters(request: Request) -> dict[str, str]:
    """Return the parameters of a request, whose names are upper case."""
    found = dict(request.query_params)
    if request.method == "POST":
        sent = parse_qs((await request.body()).decode(errors="replace"))
        found |= {name: values[0] for name, values in sent.items()}
    return {name.upper(): value for name, value in found.items()}


def _error(message: str) -> Response:
    return Response(error_table(message), 400, media_type=VOTABLE)


def _capabilities(base: str, standards: dict[str, str]) -> str:
    namespaces = (
        'xmlns:vosi="http://www.ivoa.net/xml/VOSICapabilities/v1.0" '
        'xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" '
        'xmlns:tr="http://www.ivoa.net/xml/TAPRegExt/v1.0" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    )
    parts = []
    for standard, path in standards.items():
        tap = standard == "ivo://ivoa.net/std/TAP"
        use = "base" if tap or "tables" in standard else "full"
        kind = ' xsi:type="tr:TableAccess"' if tap else ""
        version = ' version="1.1"' if use == "base" else ""
        language = (
            '<language><name>ADQL</name><version ivo-id="ivo://ivoa.net/std/ADQL#v2.0">2.0'
            "</version></language><outputFormat "
            'ivo-id="ivo://ivoa.net/std/TAPRegExt#output-votable-td">'
            f"<mime>{VOTABLE}</mime><alias>votable</alias></outputFormat>"
        )
        parts.append(
            f'<capability standardID="{standard}"{kind}>'
            f'<interface xsi:type="vs:ParamHTTP" role="std"{version}>'
            f'<accessURL use="{use}">{escape(base)}{path}</accessURL></interface>'
            f"{language if tap else ''}</capability>"
        )
    inner = "".join(parts)
    start = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{start}<vosi:capabilities {namespaces}>{inner}</vosi:capabilities>\n"


def _table_set() -> str:
    """Return the VOSI description of the tables."""
    tables = []
    for name, fields in caom_fields().items():
        columns = []
        for field in fields:
            size = f' arraysize="{field.arraysize}"' if field.arraysize else ""
            extended = f' extendedType="{escape(field.xtype)}"' if field.xtype else ""
            columns.append(
                f"<column><name>{field.name}</name>"
                f'<dataType xsi:type="vod:VOTableType"{size}{extended}>{field.datatype}</dataType>'
                "</column>"
            )
        tables.append(f'<table type="output"><name>{name}</name>{"".join(columns)}</table>')
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<vosi:tableset '
        'xmlns:vosi="http://www.ivoa.net/xml/VOSITables/v1.0" '
        'xmlns:vod="http://www.ivoa.net/xml/VODataService/v1.1" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<schema><name>{SCHEMA}</name>{''.join(tables)}</schema></vosi:tableset>\n"
    )
