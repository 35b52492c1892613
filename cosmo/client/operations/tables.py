"""Science tables."""

from typing import TYPE_CHECKING

from cosmo.client.calls import Call, Flow, QueryValue, get, quoted
from cosmo.client.endpoints import listing, operation
from cosmo.client.tables import read_table, table_call
from services.monitor.response_models.tables import TableDescription, TableList, TablePage

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["TableOperations"]


class TableOperations:
    """Science tables."""

    @operation
    def tables(self) -> Flow[list[TableDescription]]:
        """List the science tables with their columns, units and types."""
        page = yield from get("/tables", TableList)
        return page.items

    @operation
    def table(
        self,
        name: str,
        /,
        *,
        sort: str | None = None,
        generation: str | None = None,
        **filters: QueryValue,
    ) -> Flow["QTable"]:
        """Read a science table, with units; missing values are masked.

        Parameters
        ----------
        name
            Name of the table, e.g. ``lampflash``; `tables` lists them.
        sort
            Column; a minus sign before it reverses the order.
        generation
            ``all`` for superseded rows too.
        filters
            Conditions on columns, ``column=value`` or ``column__operator=value``; operators are
            ``ne``, ``lt``, ``lte``, ``gt``, ``gte``, ``in`` (a list), ``like`` and ``isnull``.

        Examples
        --------
        >>> client.table("headers", detector="FUV", exptime__gt=100.0)  # doctest: +SKIP
        """
        path = quoted("tables", name)
        return read_table(table_call(path, sort=sort, generation=generation, **filters))

    @listing
    def rows(
        self,
        name: str,
        /,
        *,
        sort: str | None = None,
        generation: str | None = None,
        **filters: QueryValue,
    ) -> Call[TablePage]:
        """Iterate over the rows of a science table, each a mapping of columns to values.

        The parameters are those of `table`, which is faster for many rows.
        """
        return get(quoted("tables", name), TablePage, sort=sort, generation=generation, **filters)
