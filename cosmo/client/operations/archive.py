"""Remote archives: what they have, what is wanted of it, and how they are."""

from collections.abc import Mapping
from typing import Any, Literal, Unpack

from cosmo.client.calls import Call, delete, get, post, quoted
from cosmo.client.endpoints import listing, operation
from services.monitor.response_models.archive import (
    ArchiveDataset,
    ArchiveSelectionRecord,
    ArchiveStatus,
    PlanRecord,
)
from services.monitor.response_models.common import Page
from shared.catalogues.selection import SelectionParameters

__all__ = ["ArchiveOperations"]


class ArchiveOperations:
    """Remote archives: what they have, what is wanted of it, and how they are."""

    @listing
    def archive_datasets(
        self,
        *,
        dataset: str | None = None,
        access: str | None = None,
        wanted: bool | None = None,
        missing: bool | None = None,
        **selection: Unpack[SelectionParameters],
    ) -> Call[Page[ArchiveDataset]]:
        """Iterate over the datasets of remote archives, by rootname.

        Parameters
        ----------
        dataset
            Beginning of the rootname.
        access
            ``public``, ``exclusive`` or ``unknown``.
        wanted
            Whether they are wanted.
        missing
            Whether the archive no longer has them.
        selection
            As for `archive_plan`.
        """
        return get(
            "/archive/datasets",
            Page[ArchiveDataset],
            dataset=dataset,
            access=access,
            wanted=wanted,
            missing=missing,
            **selection,
        )

    @operation
    def archive_plan(
        self, *, everything: bool = False, **selection: Unpack[SelectionParameters]
    ) -> Call[PlanRecord]:
        """Say what fetching datasets of remote archives amounts to, without fetching any.

        Parameters
        ----------
        everything
            All that there is.
        selection
            ``proposals`` (numbers), ``targets`` (``*`` stands for any text), ``cone`` (right
            ascension, declination and radius, degree), ``first`` and ``last`` (exposures that
            started from then on and before then, with zone), ``configuration`` (``COS/FUV`` or
            ``COS/NUV``).
        """
        return get("/archive/plan", PlanRecord, everything=everything, **selection)

    @operation
    def archive_status(self) -> Call[ArchiveStatus]:
        """Report which catalogues answer, what is wanted of them and what is still to come."""
        return get("/archive/status", ArchiveStatus)

    @operation
    def fetch_from_archive(
        self, selection: Mapping[str, Any], *, order: Literal["newest", "oldest"] = "newest"
    ) -> Call[ArchiveSelectionRecord]:
        """Fetch datasets from remote archives, those that come later too.

        Needs the scope ``operate``.

        Parameters
        ----------
        selection
            What is wanted, e.g. ``{"proposals": [14933]}``; the schema of the API has all of it.
        order
            Which datasets come first.
        """
        body = {"selection": dict(selection), "order": order}
        return post("/archive/selections", ArchiveSelectionRecord, body=body, repeatable=True)

    @operation
    def end_archive_selection(self, selection_id: int) -> Call[None]:
        """Fetch no more of a selection; what was fetched is kept.

        Needs the scope ``operate``.
        """
        return delete(quoted("archive", "selections", selection_id))
