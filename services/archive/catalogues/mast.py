"""MAST: its search API through astroquery, its files over HTTP.

Source: MAST search API (missions), ``https://mast.stsci.edu/search/hst/api/v0.1``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, cast
from urllib.parse import quote

import requests
from astroquery.exceptions import InvalidQueryError
from astroquery.mast.missions import MastMissionsClass
from astroquery.mast.services import ServiceAPI

from services.archive.catalogues.base import (
    Access,
    ArchiveFile,
    Catalogue,
    CatalogueEntry,
    ChangedListingError,
)
from services.archive.catalogues.mast_replies import (
    NAME,
    access_of,
    read_entry,
    read_products,
    read_search,
)
from services.archive.catalogues.rows import BadRowError, FileLists, LeftOut, batches
from services.archive.catalogues.session import ArchiveSession, refusal
from services.archive.downloads import RemoteFile
from shared.errors import TransientError
from shared.settings import ArchiveSettings

__all__ = ["MastCatalogue"]

_PAGE: Final = 20_000
"""Rows of a page, which is held twice in memory: as text and as objects."""

_DATASETS_AT_ONCE: Final = 100
"""Datasets whose products are asked for at once: some ten thousand rows."""

_COLUMNS: Final = (
    "sci_asn_id",
    "sci_pep_id",
    "sci_targname",
    "sci_ra",
    "sci_dec",
    "sci_instrume",
    "sci_instrument_config",
    "sci_start_time",
    "sci_release_date",
    "sci_generation_date",
    "sci_archive_date",
    "sci_status",
)
"""Columns beside the name, which astroquery adds."""


class MastCatalogue(Catalogue):
    """What MAST has of COS.

    Parameters
    ----------
    settings
        Address, token, time-outs and the rate of requests.
    """

    name = "mast"

    def __init__(self, settings: ArchiveSettings) -> None:
        self._url = settings.mast_url
        self._token = settings.mast_token
        self._missions = _missions(settings)

    def entries(self, archived_since: datetime | None = None) -> Iterator[list[CatalogueEntry]]:
        """List the datasets of COS page by page, each dataset once, in the order of their names.

        Raises
        ------
        ChangedListingError
            If the sum of the pages is not what MAST says it is, or rows moved while they were
            paged.
        TransientError
            If MAST does not answer, or not with what was asked for.
        """
        conditions = {"sci_instrume": "COS"}
        if archived_since is not None:
            since = archived_since.astimezone(UTC).replace(tzinfo=None)
            conditions["sci_archive_date"] = f">={since.isoformat(timespec='seconds')}"
        left_out = LeftOut(self.name)
        come, total, before = 0, None, frozenset[str]()
        for rows, now in self._pages(conditions):
            come += len(rows)
            if (total is not None and now != total) or (not rows and come < now) or come > now:
                raise ChangedListingError(
                    f"MAST listed {come} of {total or now} datasets and then spoke of {now}"
                )
            total = now
            page: dict[str, CatalogueEntry] = {}
            for row in rows:
                try:
                    entry = read_entry(row)
                    page.setdefault(entry.dataset, entry)
                except BadRowError as error:
                    left_out.add(error)
            if twice := before & page.keys():
                raise ChangedListingError(f"MAST listed {min(twice)} on two pages")
            before = frozenset(page)
            yield list(page.values())
        left_out.report()

    def files(self, datasets: Sequence[str]) -> dict[str, list[ArchiveFile]]:
        """List the files of datasets, those of an association's members among its own.

        Raises
        ------
        TransientError
            If MAST does not answer, or not with what was asked for.
        """
        lists = FileLists(self.name, datasets)
        for batch in batches(datasets, _DATASETS_AT_ONCE):
            asked = [name.upper() for name in batch]
            reply = self._ask(partial(self._missions.get_product_list_async, asked))
            for product in read_products(reply):
                lists.add(
                    product.get("dataset"),
                    product.get("filename"),
                    size=product.get("size"),
                    version=str(product.get("size")),
                    access=access_of(product.get("access")),
                )
        lists.report()
        return lists.found

    def remote(self, file: ArchiveFile) -> RemoteFile:
        """Return what the downloader needs of a file; the token for an exclusive one."""
        token = self._token if file.access is Access.EXCLUSIVE else None
        return RemoteFile(
            f"{self._url}/api/v0.1/Download/file?uri={quote(file.uri, safe=':/')}",
            file.name,
            file.version,
            md5=file.md5,
            size=file.size,
            authorization=f"token {token.get_secret_value()}" if token else "",
        )

    def _pages(
        self, conditions: Mapping[str, str]
    ) -> Iterator[tuple[list[Mapping[str, Any]], int]]:
        """Yield pages of rows until there are as many as the last one says; the next one is asked
        for while one is read.
        """
        with ThreadPoolExecutor(1) as asking:
            coming = asking.submit(self._page, conditions, 0)
            come, more = 0, True
            while more:
                rows, total = coming.result()
                come += len(rows)
                if more := bool(rows) and come < total:
                    coming = asking.submit(self._page, conditions, come)
                yield rows, total

    def _page(
        self, conditions: Mapping[str, str], offset: int
    ) -> tuple[list[Mapping[str, Any]], int]:
        """Return a page of rows, and how many there are in all."""
        return read_search(
            self._ask(
                partial(
                    self._missions.query_criteria_async,
                    **conditions,
                    select_cols=list(_COLUMNS),  # astroquery appends to it
                    sort_by=[NAME],
                    sort_desc=[False],
                    limit=_PAGE,
                    offset=offset,
                )
            )
        )

    def _ask(self, ask: Callable[[], requests.Response]) -> Any:
        """Return the JSON of a reply.

        Raises
        ------
        TransientError
            If there is none.
        """
        try:
            reply = ask()
        except InvalidQueryError as error:
            raise TransientError(
                "MAST refuses the query (400): its interface may have changed; it is asked again "
                "later"
            ) from error
        except requests.HTTPError as error:
            raise refusal("MAST", cast("requests.Response", error.response)) from error
        try:
            return reply.json()
        except ValueError as error:
            kind = reply.headers.get("Content-Type", "something")
            raise TransientError(
                f"MAST's reply ({kind}) is no JSON; it is asked again later"
            ) from error


def _missions(settings: ArchiveSettings) -> Any:
    """Return astroquery's client of the search API, with the session and the address of ours."""
    api = ServiceAPI(ArchiveSession("MAST", settings))
    api.SERVICE_URL = settings.mast_url
    api.TIMEOUT = float("inf")  # of pauses too; each request has its own time-outs
    missions = MastMissionsClass()
    missions._service_api_connection = api
    missions.mission = "hst"  # only now does it take the address
    # Otherwise it asks for them with a session of its own, which waits for ever.
    missions.columns = {"hst": {"name": [NAME, *_COLUMNS]}}
    return missions
