"""Remote archives as fetches and scans use them: those that may be asked, in their order."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from services.archive.catalogues.base import Catalogue
from services.archive.discovery.health import available, note_answer, note_failure
from services.archive.downloads import Downloader
from services.archive.sources.archive import ArchiveSource
from shared.database.engine import Database

__all__ = ["RemoteArchives"]


class RemoteArchives:
    """Opens the source that remote archives are together.

    Parameters
    ----------
    database
        Database, which knows who does not answer.
    catalogues
        The archives, the one to ask first first.
    downloader
        Gets their files.
    pause_seconds
        How long an archive is left alone that did not answer.

    Attributes
    ----------
    catalogues
        The archives, the one to ask first first.
    """

    def __init__(
        self,
        database: Database,
        catalogues: Sequence[Catalogue],
        downloader: Downloader,
        pause_seconds: float,
    ) -> None:
        self._database = database
        self.catalogues = catalogues
        self._downloader = downloader
        self._pause_seconds = pause_seconds

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[ArchiveSource]:
        """Provide the source; what is learnt of the archives meanwhile is noted at the end."""
        by_name = {catalogue.name: catalogue for catalogue in self.catalogues}
        names = await available(self._database, list(by_name))
        source = ArchiveSource([by_name[name] for name in names], self._downloader)
        try:
            yield source
        finally:
            source.stop()
            for name in sorted(source.answered):
                await note_answer(self._database, name)
            for name in sorted(source.failed.keys() - source.answered):
                await note_failure(self._database, name, source.failed[name], self._pause_seconds)
