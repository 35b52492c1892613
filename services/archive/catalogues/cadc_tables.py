"""CADC's tables, asked with pyvo.

Source: IVOA TAP 1.1, and DALI 1.1 on QUERY_STATUS.
"""

import io
import re
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from astropy.io.votable import parse as parse_votable
from pyvo.dal.exceptions import DALQueryError
from pyvo.dal.tap import TAPQuery, TAPResults, escape

from services.archive.catalogues.base import IncompleteListingError
from services.archive.catalogues.session import ArchiveSession, refusal
from shared.errors import TransientError
from shared.settings import ArchiveSettings

__all__ = ["CadcTables", "Row", "quoted", "read_table"]

Row: TypeAlias = tuple[Any, ...]
"""Values of the columns in the order in which they were asked for; null is None."""

_SERVICE: Final = re.compile(r"^\s*ivo://cadc\.nrc\.ca/argus\s*=\s*(\S+)/capabilities\s*$", re.M)
"""Line of CADC's registry with the address of its TAP service."""


class CadcTables:
    """The TAP service of CADC.

    Parameters
    ----------
    settings
        Address, time-outs and the rate of requests.
    """

    def __init__(self, settings: ArchiveSettings) -> None:
        self._url = settings.cadc_url
        self._session = ArchiveSession("CADC", settings)
        self._service = ""

    def query(self, query: str, columns: int) -> list[Row]:
        """Return the rows of a query.

        Raises
        ------
        IncompleteListingError
            If there are more than CADC returns.
        TransientError
            If it does not answer, or not with so many columns.
        """
        if not self._service:
            self._service = self._find_service()
        reply = TAPQuery(self._service, query, session=self._session).submit()
        if reply.status_code >= HTTPStatus.BAD_REQUEST:
            raise refusal("CADC", reply)
        return read_table(reply.content, columns)

    def _find_service(self) -> str:
        """Return the address of the TAP service, as the registry has it."""
        address = f"{self._url}/reg/resource-caps"
        found = _SERVICE.search(self._session.get(address).text)
        if found is None:
            raise TransientError(
                f"{address} does not say where CADC's TAP service is; it is asked again later"
            )
        return found[1]


def quoted(text: str) -> str:
    """Return a text as ADQL has it."""
    return f"'{escape(text)}'"


def read_table(content: bytes, columns: int) -> list[Row]:
    """Return the rows of a VOTable, whose nulls are None.

    Parameters
    ----------
    content
        The VOTable.
    columns
        How many columns it must have.

    Raises
    ------
    IncompleteListingError
        If it says that there are more rows than it has.
    TransientError
        If it says that there was an error, or is something else.
    """
    try:
        results = TAPResults(parse_votable(io.BytesIO(content)))
        table = results.to_table()
    except DALQueryError as error:
        raise TransientError(
            f"CADC refuses the query: {_line(error.reason)}; it is asked again later"
        ) from error
    except Exception as error:
        raise TransientError(
            f"CADC's reply is no VOTable: {_line(error)}; it is asked again later"
        ) from error
    if results.query_status == "OVERFLOW":
        raise IncompleteListingError(
            f"CADC returned the first {len(table)} rows and says that there are more (OVERFLOW)"
        )
    if len(table.colnames) != columns:
        raise TransientError(
            f"CADC's reply has {len(table.colnames)} columns, not the {columns} that were asked "
            "for; it is asked again later"
        )
    return list(zip(*(table[name].tolist() for name in table.colnames), strict=True))


def _line(error: object) -> str:
    return " ".join(str(error).split())[:300]
