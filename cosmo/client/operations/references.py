"""Reference files for recipes."""

from dataclasses import replace
from pathlib import Path

from cosmo.client.calls import Call, Flow, get, post, quoted
from cosmo.client.downloads import download
from cosmo.client.endpoints import listing, operation
from cosmo.client.retries import Retry
from services.monitor.response_models.common import Page
from services.monitor.response_models.references import ReferenceRecord

__all__ = ["ReferenceOperations"]

_UPLOAD_SECONDS = 600.0


class ReferenceOperations:
    """Reference files for recipes."""

    retry: Retry

    @listing
    def references(self, *, keyword: str | None = None) -> Call[Page[ReferenceRecord]]:
        """Iterate over uploaded reference files, newest first.

        Parameters
        ----------
        keyword
            Only those for this reference keyword, e.g. ``FLATFILE``.
        """
        return get("/references", Page[ReferenceRecord], keyword=keyword)

    @operation
    def upload_reference(
        self, path: Path, keyword: str, name: str | None = None
    ) -> Call[ReferenceRecord]:
        """Upload a reference file for recipes.

        Needs the scope ``recalibrate``.

        Parameters
        ----------
        path
            The file, plain or gzipped.
        keyword
            Reference keyword that it is for, e.g. ``FLATFILE``.
        name
            Name by which recipes name it; that of the file, if left out.

        Raises
        ------
        ConflictError
            If another file has the name.
        RequestError
            If it is no reference file of this kind; the message says why.
        """
        call = post(
            "/references",
            ReferenceRecord,
            repeatable=True,
            name=name or path.name.removesuffix(".gz"),
            keyword=keyword,
        )
        return replace(call, upload=path, timeout=_UPLOAD_SECONDS)

    @operation
    def download_reference(self, reference_id: int, target: Path) -> Flow[Path]:
        """Download an uploaded reference file; as `download_file`."""
        return download(quoted("references", reference_id, "content"), target, self.retry)
