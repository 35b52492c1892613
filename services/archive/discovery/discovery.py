"""Discovery: what remote archives have, and the files of what is wanted of it."""

import asyncio
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select

from services.archive.catalogues.base import Catalogue
from services.archive.discovery.entries import list_entries
from services.archive.discovery.file_lists import due_datasets, write_files, write_none
from services.archive.discovery.health import available, note_answer, note_failure
from services.archive.discovery.selections import (
    adopt_setting,
    mark_wanted,
    selections_in_force,
)
from shared.alerts import open_alert, resolve_alerts
from shared.catalogues import REFUSED_SETTING
from shared.catalogues.selection import BY_SETTING
from shared.database.engine import Database, is_outage
from shared.database.models.archive import (
    ArchiveSelection,
    CatalogueListing,
    ListingKind,
    SelectionOrder,
)
from shared.database.models.monitoring import Severity
from shared.errors import RefusedError
from shared.logs import get_logger
from shared.masking import mask_passwords
from shared.metrics import CATALOGUE_LISTINGS
from shared.settings import ArchiveSettings
from shared.store import Store

__all__ = ["Discovery"]

_OVERLAP: Final = timedelta(hours=1)
"""A short listing looks so much further back than the last listing: archives have clocks too."""
_BATCH: Final = 200
"""Datasets whose files are asked for and written at once."""
_TURN_SECONDS: Final = 30.0
"""How long a turn asks for file lists, so that fetches of what it found begin."""
_LONGEST_PAUSE_SECONDS: Final = 3600.0
"""Longest pause before a catalogue is listed again of which listings failed."""
_KEPT: Final = timedelta(days=30)
"""How long listings are kept."""


class Discovery:
    """Lists catalogues when that is due, and asks for the files of what is wanted.

    Of all services one at a time does so.

    Parameters
    ----------
    database
        Database.
    catalogues
        Remote archives, the one to ask first first.
    settings
        What is wanted, and when listings are due.
    store
        Store, on the disk of which what is wanted must have room.
    """

    def __init__(
        self,
        database: Database,
        catalogues: Sequence[Catalogue],
        settings: ArchiveSettings,
        store: Store,
    ) -> None:
        self._database = database
        self._catalogues = {catalogue.name: catalogue for catalogue in catalogues}
        self._settings = settings
        self._store = store
        self._stop = threading.Event()
        self._refused: str | None = None
        self._noted = False
        self._marked: list[int] | None = None
        self._asked: list[str] = []
        self._unanswered: set[str] = set()

    async def look(self) -> bool:
        """Do what is due.

        A catalogue that does not answer is left alone for a while, and the next one asked.

        Returns
        -------
            Whether what is to be fetched may have changed.
        """
        self._stop.clear()
        try:
            changed = await self._list_entries()
            selections = await self._select()
            marked = await self._mark(selections, listed=changed)
            listed = await self._list_files(selections)
        except asyncio.CancelledError:
            self._stop.set()
            raise
        return changed or marked or listed

    async def _list_entries(self) -> bool:
        """List the first catalogue that answers, if that is due."""
        names = list(self._catalogues)
        for name in await available(self._database, names):
            last, last_full = await self._last_listings(name)
            now = datetime.now(UTC)
            if await self._is_doubted(name, last, now):
                continue
            is_full = _is_due(last_full, now, self._settings.listing_seconds)
            if not is_full and not _is_due(last, now, self._settings.short_listing_seconds):
                return False
            since = None if is_full or last is None else last - _OVERLAP
            before = names[: names.index(name)]
            await self._forget_listings(now - _KEPT)
            if await self._list_catalogue(self._catalogues[name], before, since):
                return True
        return False

    async def _last_listings(self, name: str) -> tuple[datetime | None, datetime | None]:
        """Return when the last listing that is believed was begun, and the last full one."""
        row = CatalogueListing
        query = select(
            func.max(row.started_at),
            func.max(row.started_at).filter(row.kind == ListingKind.FULL),
        ).where(row.catalogue == name, row.error.is_(None))
        async with self._database.session() as session:
            last, last_full = (await session.execute(query)).one()
        return last, last_full

    async def _is_doubted(self, name: str, last: datetime | None, now: datetime) -> bool:
        """Return whether a catalogue is not listed again yet, since its last listings failed.

        Each failure doubles the pause, up to an hour. That it answers other questions meanwhile
        says nothing of its listings.
        """
        row = CatalogueListing
        query = select(func.count(), func.max(row.finished_at)).where(
            row.catalogue == name,
            row.error.is_not(None),
            row.started_at > (last or now - _KEPT),
        )
        async with self._database.session() as session:
            failures, ended = (await session.execute(query)).one()
        if not failures:
            return False
        first = self._settings.catalogue_pause_seconds
        longest = max(first, _LONGEST_PAUSE_SECONDS)
        pause = min(first * 2.0 ** min(failures - 1, 30), longest)
        return bool(now - ended < timedelta(seconds=pause))

    async def _forget_listings(self, before: datetime) -> None:
        row = CatalogueListing
        async with self._database.transaction() as session:
            await session.execute(delete(row).where(row.started_at < before))

    async def _list_catalogue(
        self, catalogue: Catalogue, before: Sequence[str], since: datetime | None
    ) -> bool:
        """List a catalogue; returns whether the listing is believed."""
        kind = ListingKind.FULL if since is None else ListingKind.SHORT
        started, error = datetime.now(UTC), None
        try:
            listing = await list_entries(self._database, catalogue, before, since, self._stop)
        except Exception as found:
            if is_outage(found):
                raise
            error = found
        CATALOGUE_LISTINGS.labels(
            catalogue.name, kind.value, "done" if error is None else "failed"
        ).inc()
        if error is None:
            await note_answer(self._database, catalogue.name)
            get_logger().info(
                "catalogue listed",
                catalogue=catalogue.name,
                kind=kind.value,
                seconds=round((listing.finished_at - started).total_seconds(), 1),
                entries=listing.entries,
                new=listing.new,
                delivered_again=listing.changed,
                missing=listing.missing,
            )
            return True
        await self._note_failure(catalogue.name, error)
        async with self._database.transaction() as session:
            session.add(
                CatalogueListing(
                    catalogue=catalogue.name,
                    kind=kind,
                    started_at=started,
                    finished_at=datetime.now(UTC),
                    error=mask_passwords(str(error) or type(error).__name__),
                )
            )
        return False

    async def _note_failure(self, name: str, error: Exception) -> None:
        pause = self._settings.catalogue_pause_seconds
        await note_failure(self._database, name, error, pause)

    async def _select(self) -> list[ArchiveSelection]:
        """Return the selections in force, with that of the settings if it may be."""
        order = SelectionOrder(self._settings.wanted_order)
        try:
            await adopt_setting(
                self._database, self._settings.wanted, order, self._store.free_bytes
            )
        except RefusedError as error:
            await self._note_refusal(str(error))
        else:
            await self._note_refusal(None)
        return await selections_in_force(self._database)

    async def _note_refusal(self, reason: str | None) -> None:
        """Let an alert say why the selection of the settings is refused, if it is."""
        if self._noted and reason == self._refused:
            return
        async with self._database.transaction() as session:
            if reason is None:
                await resolve_alerts(session, REFUSED_SETTING)
            else:
                get_logger().warning(f"{BY_SETTING} is refused", reason=reason)
                message = f"{BY_SETTING} is refused: {reason}"
                rule = "what the settings want of remote archives cannot be fetched"
                await open_alert(session, REFUSED_SETTING, Severity.WARN, message, rule=rule)
        self._refused, self._noted = reason, True

    async def _mark(self, selections: Sequence[ArchiveSelection], *, listed: bool) -> bool:
        """Mark what is wanted where the entries or the selections are others than before."""
        numbers = [selection.id for selection in selections]
        if not listed and numbers == self._marked:
            return False
        marked = await mark_wanted(self._database, selections)
        self._marked = numbers
        return marked > 0

    async def _list_files(self, selections: Sequence[ArchiveSelection]) -> bool:
        """Ask for the files of wanted datasets for a while; returns whether any were written."""
        if not selections:
            return False
        order, until, written = selections[-1].order, time.monotonic() + _TURN_SECONDS, False
        while time.monotonic() < until:
            names = await available(self._database, list(self._catalogues))
            if names != self._asked:  # who is back may know what the others did not
                self._asked, self._unanswered = names, set()
            due = await due_datasets(self._database, order, self._unanswered, _BATCH)
            if not names or not due:
                break
            unknown, answers = await self._ask(names, due)
            if unknown and answers == len(self._catalogues):
                await write_none(self._database, unknown)
            else:
                self._unanswered.update(unknown)
            written = written or answers > 0
        return written

    async def _ask(self, names: Sequence[str], datasets: list[str]) -> tuple[list[str], int]:
        """Ask one catalogue after the other; returns the datasets that none of them knows, and how
        many of them answered.
        """
        answers = 0
        for name in names:
            if not datasets:
                break
            try:
                found = await asyncio.to_thread(self._catalogues[name].files, datasets)
            except Exception as error:
                if is_outage(error):
                    raise
                await self._note_failure(name, error)
                continue
            answers += 1
            await note_answer(self._database, name)
            listed = {dataset: found[dataset] for dataset in datasets if found.get(dataset)}
            await write_files(self._database, name, listed)
            datasets = [dataset for dataset in datasets if dataset not in listed]
        return datasets, answers


def _is_due(last: datetime | None, now: datetime, seconds: float) -> bool:
    return last is None or now - last >= timedelta(seconds=seconds)
