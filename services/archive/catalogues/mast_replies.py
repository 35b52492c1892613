"""What MAST's search API answers: rows of datasets and of their products.

Source: MAST search API (missions), ``https://mast.stsci.edu/search/hst/api/v0.1``.
"""

from collections.abc import Mapping
from typing import Any, Final

from services.archive.catalogues.base import Access, CatalogueEntry
from services.archive.catalogues.rows import BadRowError, integer, moment, number, rootname
from shared.errors import TransientError

__all__ = ["NAME", "access_of", "read_entry", "read_products", "read_search"]

NAME: Final = "sci_data_set_name"
"""Column with the name of a dataset."""

_ACCESS: Final = {
    "PUBLIC": Access.PUBLIC,
    "PROPRIETARY": Access.EXCLUSIVE,
    "EXCLUSIVE_ACCESS": Access.EXCLUSIVE,
}
_NO_ASSOCIATION: Final = ("", "none", "n/a")


def read_search(reply: Any) -> tuple[list[Mapping[str, Any]], int]:
    """Return the rows of a reply to a search, and how many there are in all.

    Raises
    ------
    TransientError
        If it is something else.
    """
    rows = reply.get("results") if isinstance(reply, dict) else None
    total = reply.get("totalResults") if isinstance(reply, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _other_reply("a list of results")
    if not isinstance(total, int) or (rows and all(NAME not in row for row in rows)):
        raise _other_reply("the number of results and their names")
    return rows, total


def read_products(reply: Any) -> list[Mapping[str, Any]]:
    """Return the rows of a list of products, which may lie in a list of their own.

    Raises
    ------
    TransientError
        If it is something else.
    """
    rows = reply.get("products") if isinstance(reply, dict) else None
    if isinstance(rows, list) and rows and isinstance(rows[0], list):
        rows = rows[0]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _other_reply("a list of products")
    return rows


def _other_reply(wanted: str) -> TransientError:
    return TransientError(
        f"MAST's reply has not {wanted}: its interface may have changed, or something answers in "
        "its place; it is asked again later"
    )


def read_entry(row: Mapping[str, Any]) -> CatalogueEntry:
    """Return what a row of a search says.

    Raises
    ------
    BadRowError
        If it has no name, a time that makes no sense, or is of another instrument.
    """
    name = rootname(row.get(NAME))
    instrument = str(row.get("sci_instrume")).strip()
    if instrument != "COS":
        raise BadRowError(f"{name} is of {instrument}, which was not asked for")
    association = str(row.get("sci_asn_id") or "").strip().lower()
    if association in _NO_ASSOCIATION:
        association = ""
    try:
        times = {
            "start": moment(row.get("sci_start_time")),
            "public_from": moment(row.get("sci_release_date")),
            "generated": moment(row.get("sci_generation_date")),
            "archived": moment(row.get("sci_archive_date")),
        }
    except BadRowError as error:
        raise BadRowError(f"{name}: {error}") from error
    return CatalogueEntry(
        name,
        rootname(association) if association else "",
        integer(row.get("sci_pep_id")),
        str(row.get("sci_targname") or "").strip(),
        number(row.get("sci_ra")),
        number(row.get("sci_dec")),
        str(row.get("sci_instrument_config") or "").strip(),
        **times,
        access=access_of(row.get("sci_status")),
        version=f"{row.get('sci_generation_date')} {row.get('sci_archive_date')}",
    )


def access_of(value: object) -> Access:
    """Return who may have what a row is about, by its status or access."""
    return _ACCESS.get(str(value).strip().upper(), Access.UNKNOWN)
