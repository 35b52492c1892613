"""Datasets: state, files, runs, timeline, spectra, and runs compared."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cosmo.client.calls import Call, Flow, content, get, post, quoted
from cosmo.client.downloads import download
from cosmo.client.endpoints import listing, operation
from cosmo.client.retries import Retry
from cosmo.client.tables import read_table, table_call
from services.monitor.response_models.common import Page
from services.monitor.response_models.comparisons import ComparisonRecord
from services.monitor.response_models.datasets import (
    DatasetDetail,
    DatasetRecord,
    ForcedDataset,
    SpectrumRecord,
    Timeline,
    TimelineEntry,
)

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["DatasetOperations"]


class DatasetOperations:
    """Datasets: state, files, runs, timeline, spectra, and runs compared."""

    retry: Retry

    @listing
    def datasets(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        rootname: str | None = None,
        since: datetime | None = None,
    ) -> Call[Page[DatasetRecord]]:
        """Iterate over datasets, newest change first.

        Parameters
        ----------
        state
            Only those in this state, e.g. ``ingested`` or ``failed``.
        kind
            Only those of this kind: ``association``, ``exposure`` or ``acquisition``.
        rootname
            Beginning of the rootname.
        since
            Only what changed at or after this time, with zone.
        """
        return get(
            "/datasets",
            Page[DatasetRecord],
            state=state,
            kind=kind,
            rootname=rootname,
            since=since,
        )

    @operation
    def dataset(self, rootname: str) -> Call[DatasetDetail]:
        """Describe a dataset: state, files, runs and provenance.

        Parameters
        ----------
        rootname
            Rootname; that of a member finds its association.

        Raises
        ------
        NotFoundError
            If there is no such dataset.
        """
        return get(quoted("datasets", rootname), DatasetDetail)

    @operation
    def timeline(self, rootname: str) -> Flow[list[TimelineEntry]]:
        """List what happened to a dataset, oldest first."""
        page = yield from get(quoted("datasets", rootname, "timeline"), Timeline)
        return page.items

    @operation
    def force(self, rootname: str) -> Call[ForcedDataset]:
        """Let an incomplete dataset through; its run records what was missing.

        Needs the scope ``operate``.
        """
        return post(quoted("datasets", rootname, "force"), ForcedDataset, repeatable=True)

    @operation
    def spectrum(
        self,
        rootname: str,
        *,
        product: str | None = None,
        exposure: str | None = None,
        segment: str | None = None,
    ) -> Call[SpectrumRecord]:
        """Read the calibrated spectrum of a dataset, segment by segment.

        Parameters
        ----------
        rootname
            Dataset, or a member of it.
        product
            ``x1d``, ``x1dsum``, ``x1dsum1`` to ``x1dsum4``; the best there is, if left out.
        exposure
            Rootname of the exposure, for ``x1d``.
        segment
            Only this segment or stripe, e.g. ``FUVA``.
        """
        path = quoted("datasets", rootname, "spectrum")
        return get(path, SpectrumRecord, product=product, exposure=exposure, segment=segment)

    @operation
    def spectrum_table(
        self,
        rootname: str,
        *,
        product: str | None = None,
        exposure: str | None = None,
        segment: str | None = None,
    ) -> Flow["QTable"]:
        """Read the calibrated spectrum of a dataset as one table with units.

        The parameters are those of `spectrum`; points of all segments follow each other.
        """
        path = quoted("datasets", rootname, "spectrum")
        return read_table(table_call(path, product=product, exposure=exposure, segment=segment))

    @operation
    def draw_spectrum(
        self,
        rootname: str,
        *,
        product: str | None = None,
        exposure: str | None = None,
        segment: str | None = None,
    ) -> Call[bytes]:
        """Draw the calibrated spectrum of a dataset, as PNG.

        The parameters are those of `spectrum`.
        """
        path = quoted("datasets", rootname, "spectrum.png")
        return content(path, product=product, exposure=exposure, segment=segment)

    @operation
    def compare(
        self,
        rootname: str,
        second: int,
        first: int | None = None,
        *,
        product: str | None = None,
        exposure: str | None = None,
    ) -> Call[ComparisonRecord]:
        """Compare two runs of a dataset: spectra, counts, flags, headers.

        Parameters
        ----------
        rootname
            Dataset, or a member of it.
        second, first
            Ids of the runs; the first one is the current run, if left out.
        product
            Suffix of the product, e.g. ``x1d``; the best of both runs, if left out.
        exposure
            Rootname of the product.

        Raises
        ------
        NotFoundError
            If there is no such run, or no such product in both.
        """
        path = quoted("datasets", rootname, "comparison")
        return get(
            path, ComparisonRecord, second=second, first=first, product=product, exposure=exposure
        )

    @operation
    def draw_comparison(
        self,
        rootname: str,
        second: int,
        first: int | None = None,
        *,
        product: str | None = None,
        exposure: str | None = None,
    ) -> Call[bytes]:
        """Draw the extraction boxes of two runs on the events of an exposure, as PNG.

        The parameters are those of `compare`.
        """
        path = quoted("datasets", rootname, "comparison.png")
        return content(path, second=second, first=first, product=product, exposure=exposure)

    @operation
    def download_file(self, file_id: int, target: Path) -> Flow[Path]:
        """Download a file of a dataset or a run.

        An interrupted download goes on where it broke; size and SHA-256 are checked.

        Parameters
        ----------
        file_id
            Id of the file, as `dataset` and `calibration` list them.
        target
            Path of the file, or a folder, where it gets its own name.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        DownloadError
            If what came is not what the service has.
        """
        return download(quoted("files", file_id, "content"), target, self.retry)
