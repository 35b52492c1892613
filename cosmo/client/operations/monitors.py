"""Monitors: state, values, figures, runs and the files that they make."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cosmo.client.calls import Call, Flow, QueryValue, content, document, get, post, quoted
from cosmo.client.downloads import download
from cosmo.client.endpoints import listing, operation
from cosmo.client.retries import Retry
from cosmo.client.tables import read_table, table_call, with_units
from services.monitor.response_models.common import Page
from services.monitor.response_models.monitors import (
    ArtifactRecord,
    FigureList,
    FigureSummary,
    MonitorDescription,
    MonitorList,
    MonitorSummary,
    RunRecord,
    RunRequest,
)
from services.monitor.response_models.tables import MonitorValuePage

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["MonitorOperations"]


class MonitorOperations:
    """Monitors: state, values, figures, runs and the files that they make."""

    retry: Retry

    @operation
    def monitors(self) -> Flow[list[MonitorSummary]]:
        """List the monitors: freshness, last run, open alerts."""
        page = yield from get("/monitors", MonitorList)
        return page.items

    @operation
    def monitor(self, name: str) -> Call[MonitorDescription]:
        """Describe a monitor: what it means, its rules, its statistics, its figures.

        Raises
        ------
        NotFoundError
            If there is no such monitor.
        """
        return get(quoted("monitors", name), MonitorDescription)

    @operation
    def values_table(
        self, name: str, /, *, sort: str | None = None, **filters: QueryValue
    ) -> Flow["QTable"]:
        """Read the values of a monitor as a table; missing values are masked.

        Parameters
        ----------
        name
            Name of the monitor.
        sort, filters
            As of `table`. With a filter for one ``quantity``, the values and errors have its unit.
        """
        table = yield from read_table(
            table_call(quoted("monitors", name, "data"), sort=sort, **filters)
        )
        known = yield from get(quoted("monitors", name), MonitorDescription)
        quantity = known.quantities.get(str(filters.get("quantity")))
        return table if quantity is None else with_units(table, ("value", "error"), quantity.unit)

    @listing
    def values(
        self, name: str, /, *, sort: str | None = None, **filters: QueryValue
    ) -> Call[MonitorValuePage]:
        """Iterate over the values of a monitor, each a mapping of columns to values.

        The parameters are those of `values_table`, which is faster for many values.
        """
        return get(quoted("monitors", name, "data"), MonitorValuePage, sort=sort, **filters)

    @operation
    def figures(self, name: str) -> Flow[list[FigureSummary]]:
        """List the figures of a monitor."""
        page = yield from get(quoted("monitors", name, "figures"), FigureList)
        return page.items

    @operation
    def figure(self, name: str, figure: str, *, columns: int | None = None) -> Call[dict[str, Any]]:
        """Get a figure as the JSON document of Plotly.

        Parameters
        ----------
        name
            Name of the monitor.
        figure
            Name of the figure, as `figures` lists them.
        columns
            Panels beside each other, at most.
        """
        return document(quoted("monitors", name, "figures", figure), columns=columns)

    @operation
    def draw_figure(
        self,
        name: str,
        figure: str,
        *,
        format: Literal["png", "svg"] = "png",  # noqa: A002 - the name of the query parameter
        columns: int | None = None,
    ) -> Call[bytes]:
        """Draw a figure as PNG or SVG.

        The parameters are those of `figure`, and the format.
        """
        path = quoted("monitors", name, "figures", figure)
        return content(path, format=format, columns=columns)

    @listing
    def monitor_runs(self, name: str) -> Call[Page[RunRecord]]:
        """Iterate over the runs of a monitor, newest first."""
        return get(quoted("monitors", name, "runs"), Page[RunRecord])

    @operation
    def compute(self, name: str) -> Call[RunRequest]:
        """Ask for a run of a monitor, even where nothing is new.

        Needs the scope ``operate``.
        """
        return post(quoted("monitors", name, "runs"), RunRequest)

    @listing
    def artifacts(self, name: str, *, current: bool | None = None) -> Call[Page[ArtifactRecord]]:
        """Iterate over the files that a monitor made, newest first.

        Parameters
        ----------
        name
            Name of the monitor.
        current
            False for those of earlier runs too.
        """
        path = quoted("monitors", name, "artifacts")
        return get(path, Page[ArtifactRecord], current=current)

    @operation
    def download_artifact(self, artifact_id: int, target: Path) -> Flow[Path]:
        """Download a file that a monitor made; as `download_file`."""
        return download(quoted("artifacts", artifact_id, "content"), target, self.retry)
