"""CADC: its tables of the Common Archive Observation Model (CAOM 2), its files over HTTP."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final
from urllib.parse import quote

from services.archive.catalogues.base import (
    URI_PREFIX,
    Access,
    ArchiveFile,
    Catalogue,
    CatalogueEntry,
    ChangedListingError,
    IncompleteListingError,
)
from services.archive.catalogues.cadc_tables import CadcTables, Row, quoted
from services.archive.catalogues.rows import (
    BadRowError,
    FileLists,
    LeftOut,
    batches,
    integer,
    moment,
    number,
    rootname,
)
from services.archive.downloads import RemoteFile
from services.archive.metadata import visit_of
from shared.cos.times import from_mjd
from shared.settings import ArchiveSettings

__all__ = ["CadcCatalogue"]

_PAGE: Final = 5000
"""Rows of a page, of which each takes some 15 kB while it is parsed."""

_DATASETS_AT_ONCE: Final = 50
"""Datasets whose files are asked for at once, with those of their members."""

_COLUMNS: Final = (
    "o.observationID",
    "o.proposal_id",
    "o.target_name",
    "o.targetPosition_coordinates_cval1",
    "o.targetPosition_coordinates_cval2",
    "o.instrument_name",
    "o.members",
    "o.maxLastModified",
    "p.time_bounds_lower",
    "p.dataRelease",
    "p.provenance_lastExecuted",
)
_OBSERVATIONS: Final = "FROM caom2.Observation AS o JOIN caom2.Plane AS p ON o.obsID = p.obsID"
_OF_COS: Final = "o.collection = 'HST' AND o.instrument_name LIKE 'COS/%'"
_MEMBER: Final = "caom:HST/"
"""What stands before the rootname of a member."""

_MD5: Final = re.compile(r"md5:([0-9a-f]{32})")


class CadcCatalogue(Catalogue):
    """What CADC has of COS: public data.

    Parameters
    ----------
    settings
        Address, time-outs and the rate of requests.
    """

    name = "cadc"

    def __init__(self, settings: ArchiveSettings) -> None:
        self._url = settings.cadc_url
        self._tables = CadcTables(settings)

    def entries(self, archived_since: datetime | None = None) -> Iterator[list[CatalogueEntry]]:
        """List the datasets of COS page by page, each dataset once, in the order of their names.

        Raises
        ------
        IncompleteListingError
            If a page overflowed, or the sum of the pages is not what CADC says it is.
        TransientError
            If CADC does not answer, or not with what was asked for.
        """
        condition = _OF_COS
        if archived_since is not None:
            since = archived_since.astimezone(UTC).replace(tzinfo=None)
            condition += (
                f" AND o.maxLastModified >= {quoted(since.isoformat(timespec='milliseconds'))}"
            )
        counted = self._tables.query(
            f"SELECT COUNT(*) AS number {_OBSERVATIONS} WHERE {condition}", 1
        )
        total = integer(counted[0][0]) if counted else None
        left_out = LeftOut(self.name)
        come, first = 0, ""
        while True:
            rows = self._tables.query(
                f"SELECT TOP {_PAGE} {', '.join(_COLUMNS)} {_OBSERVATIONS} WHERE {condition} "
                f"AND o.observationID >= {quoted(first)} ORDER BY o.observationID",
                len(_COLUMNS),
            )
            # The exposures of an association are of its visit: the last one may go on.
            last = _visit(rows[-1]) if len(rows) >= _PAGE else None
            if last is not None and last <= first:
                raise IncompleteListingError(
                    f"CADC lists more than {_PAGE} rows of {last}, or in another order than asked "
                    "for; it is asked again"
                )
            whole = [row for row in rows if _visit(row) != last]
            come += len(whole)
            yield _entries(whole, left_out)
            if last is None:
                break
            first = last
        if come != total:
            raise ChangedListingError(f"CADC listed {come} of {total} rows")
        left_out.report()

    def files(self, datasets: Sequence[str]) -> dict[str, list[ArchiveFile]]:
        """List the files of datasets, those of an association's members among its own.

        Raises
        ------
        TransientError
            If CADC does not answer, or not with what was asked for.
        """
        lists = FileLists(self.name, datasets)
        for asked in batches(datasets, _DATASETS_AT_ONCE):
            of_names = "FROM caom2.Observation AS o {} WHERE o.collection = 'HST' AND "
            rows = self._tables.query(
                f"SELECT o.observationID, o.members {of_names.format('')}{_among(asked)}", 2
            )
            members = {str(name): _members(text) for name, text in rows}
            names = sorted({*asked, *(name for found in members.values() for name in found)})
            joined = of_names.format(
                "JOIN caom2.Plane AS p ON o.obsID = p.obsID "
                "JOIN caom2.Artifact AS a ON p.planeID = a.planeID"
            )
            artifacts: dict[str, list[Row]] = {}
            for name, *artifact in self._tables.query(
                "SELECT o.observationID, a.uri, a.contentLength, a.contentChecksum, "
                f"a.lastModified, p.dataRelease {joined}{_among(names)}",
                6,
            ):
                artifacts.setdefault(str(name), []).append(tuple(artifact))
            for dataset in asked:
                for name in (dataset, *members.get(dataset, ())):
                    _add(lists, dataset, artifacts.get(name, ()))
        lists.report()
        return lists.found

    def remote(self, file: ArchiveFile) -> RemoteFile:
        """Return what the downloader needs of a file."""
        return RemoteFile(
            f"{self._url}/raven/files/{quote(file.uri, safe=':/')}",
            file.name,
            file.version,
            md5=file.md5,
            size=file.size,
        )


def _entries(rows: Iterable[Row], left_out: LeftOut) -> list[CatalogueEntry]:
    """Return the datasets of rows of whole visits, which are sorted."""
    entries: list[CatalogueEntry] = []
    for _, of_visit in groupby(rows, key=_visit):
        observations = [list(found) for _, found in groupby(of_visit, key=lambda row: row[0])]
        owners: dict[str, str] = {}
        for planes in observations:
            name, members = str(planes[0][0]), _members(planes[0][6])
            owners |= dict.fromkeys((name, *members) if members else (), name)
        for planes in observations:
            try:
                entries.append(_entry(planes, owners))
            except BadRowError as error:
                left_out.add(error)
    return entries


def _entry(planes: Sequence[Row], owners: Mapping[str, str]) -> CatalogueEntry:
    """Return the dataset of an observation's planes.

    Raises
    ------
    BadRowError
        If it has no name, or a time that makes no sense.
    """
    given, proposal, target, ra, dec, configuration, _, modified, *_ = planes[0]
    name = rootname(given)
    try:
        starts = [start for row in planes if (start := moment(_of_mjd(row[8]))) is not None]
        releases = [date for row in planes if (date := moment(row[9])) is not None]
        made = [date for row in planes if (date := moment(row[10])) is not None]
        archived = moment(modified)
    except BadRowError as error:
        raise BadRowError(f"{name}: {error}") from error
    return CatalogueEntry(
        name,
        owners.get(given, ""),
        integer(proposal),
        str(target or "").strip(),
        number(ra),
        number(dec),
        str(configuration or "").strip(),
        min(starts, default=None),
        max(releases, default=None),
        max(made, default=None),
        archived,
        _access(max(releases, default=None)),
        f"{max(made, default=None)} {archived}",
    )


def _of_mjd(value: object) -> object:
    """Return the moment of an MJD, or the value itself where it is none."""
    mjd = number(value)
    return value if mjd is None else from_mjd(mjd) or value


def _add(lists: FileLists, dataset: str, artifacts: Iterable[Row]) -> None:
    for uri, size, checksum, modified, release in artifacts:
        try:
            access = _access(moment(release))
        except BadRowError as error:
            lists.leave_out(f"{dataset}: {error}")
            continue
        named = _MD5.fullmatch(str(checksum))
        lists.add(
            dataset,
            str(uri).removeprefix(URI_PREFIX),
            size=size,
            md5=named[1] if named else "",
            version=named[1] if named else str(modified),
            access=access,
        )


def _access(public_from: datetime | None) -> Access:
    if public_from is None:
        return Access.UNKNOWN
    return Access.PUBLIC if public_from <= datetime.now(UTC) else Access.EXCLUSIVE


def _visit(row: Row) -> str:
    return visit_of(str(row[0] or ""))


def _members(text: object) -> tuple[str, ...]:
    """Return the rootnames of the members of an association."""
    return tuple(
        name.removeprefix(_MEMBER) for name in str(text or "").split() if name.startswith(_MEMBER)
    )


def _among(names: Iterable[str]) -> str:
    return f"o.observationID IN ({', '.join(map(quoted, names))})"
