"""MAST's public bucket on S3, read with obstore and without keys.

A key is ``hst/public/<first 4>/<rootname>/<file>``. Only public files are there, and nothing says
of which proposal or target they are.
"""

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby, islice
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from services.archive.catalogues.base import (
    URI_PREFIX,
    Access,
    ArchiveFile,
    Catalogue,
    CatalogueEntry,
    IncompleteListingError,
)
from services.archive.catalogues.rows import BadRowError, FileLists, LeftOut, file_of, rootname
from services.archive.downloads import RemoteFile
from services.archive.politeness import USER_AGENT
from shared.cos.association import read_association
from shared.cos.names import JITTER, FileName
from shared.errors import PermanentError, TransientError
from shared.fits import FitsFile
from shared.settings import ArchiveSettings

if TYPE_CHECKING:
    from obstore import ObjectMeta

__all__ = ["S3Catalogue"]

_BUCKET: Final = "stpubdata"
_REGION: Final = "us-east-1"
_FOLDER: Final = "hst/public"
_FIRST, _BEHIND = f"{_FOLDER}/l", f"{_FOLDER}/m"
"""Keys of COS, whose rootnames begin with L, lie between these."""

_PAGE: Final = 5000
_KEYS_AT_ONCE: Final = 1000
_SAME_EXPOSURE: Final = 8
"""Characters of a rootname that an exposure and its jitter files have in common."""

_MD5: Final = re.compile(r"[0-9a-f]{32}")
"""ETag of an object that was uploaded whole and that everybody may read."""


class S3Catalogue(Catalogue):
    """What the bucket has of COS.

    Parameters
    ----------
    settings
        Address of the server, time-outs and attempts.
    """

    name = "s3"

    def __init__(self, settings: ArchiveSettings) -> None:
        self._url = settings.s3_url
        self._store = S3Store(
            _BUCKET,
            endpoint=self._url,
            region=_REGION,
            skip_signature=True,
            virtual_hosted_style_request=False,
            client_options={
                "allow_http": self._url.startswith("http:"),
                "connect_timeout": timedelta(seconds=settings.download_connect_seconds),
                "timeout": timedelta(seconds=settings.download_silence_seconds),
                "user_agent": USER_AGENT,
            },
            retry_config={
                "max_retries": settings.download_attempts - 1,
                "backoff": {
                    "init_backoff": timedelta(seconds=settings.download_backoff_seconds),
                },
            },
        )

    def entries(self, archived_since: datetime | None = None) -> Iterator[list[CatalogueEntry]]:
        """List the datasets of COS page by page, each dataset once, in the order of their keys.

        Parameters
        ----------
        archived_since
            Nothing is listed where it is given: a bucket cannot be asked what is new, and has
            millions of keys.

        Raises
        ------
        IncompleteListingError
            If there is more than what came, or nothing at all.
        TransientError
            If the server does not answer, or not with a list of keys.
        """
        if archived_since is not None:
            return
        left_out = LeftOut(self.name)
        page: list[CatalogueEntry] = []
        for _, found in groupby(self._all_keys(), key=_exposure_of):
            try:
                page += _entries(list(found))
            except BadRowError as error:
                left_out.add(error)
            if len(page) >= _PAGE:
                yield page
                page = []
        yield page
        left_out.report()

    def files(self, datasets: Sequence[str]) -> dict[str, list[ArchiveFile]]:
        """List the files of datasets, those of the members that an association's table names too.

        Raises
        ------
        TransientError
            If the server does not answer, or not with a list of keys.
        """
        lists = FileLists(self.name, datasets)
        for dataset in datasets:
            objects = list(self._objects(dataset))
            for table in [found for found in objects if _name(found) == f"{dataset}_asn.fits"]:
                try:
                    for member in self._members(table):
                        objects += self._objects(member)
                except BadRowError as error:
                    lists.leave_out(error)
            for found in objects:
                lists.add(
                    dataset,
                    _name(found),
                    size=found["size"],
                    md5=_md5(found),
                    version=_etag(found),
                    access=Access.PUBLIC,
                )
        if len(lists.found) < len(datasets):
            self._check_that_keys_come()
        lists.report()
        return lists.found

    def remote(self, file: ArchiveFile) -> RemoteFile:
        """Return what the downloader needs of a file."""
        name = file.uri.removeprefix(URI_PREFIX)
        return RemoteFile(
            f"{self._url}/{_BUCKET}/{_key(name)}",
            file.name,
            file.version,
            md5=file.md5,
            size=file.size,
        )

    def _objects(self, rootname: str) -> Iterator["ObjectMeta"]:
        """Yield the objects of an exposure with its jitter files, or of an association."""
        folder = f"{_FOLDER}/{rootname[:4]}"
        exposure = rootname[:_SAME_EXPOSURE]
        for found in self._keys(folder, f"{folder}/{exposure}", f"{folder}/{exposure}~"):
            name = _name(found)
            parsed = file_of(name)
            if name.startswith(rootname) or (parsed and parsed.suffix in JITTER):
                yield found

    def _members(self, table: "ObjectMeta") -> tuple[str, ...]:
        """Return the members that an association's table names.

        Raises
        ------
        BadRowError
            If it is no such table.
        """
        try:
            content = bytes(obstore.get(self._store, table["path"]).bytes())
        except BaseError as error:
            raise self._failure(error) from error
        try:
            members = read_association(FitsFile(partial(io.BytesIO, content), _name(table))).members
        except PermanentError as error:
            raise BadRowError(f"its members are not known: {error}") from error
        return tuple(map(rootname, members))

    def _all_keys(self) -> Iterator["ObjectMeta"]:
        """Yield the objects of COS.

        Raises
        ------
        IncompleteListingError
            If there are more than came: obstore takes a page of HTML for the end of a list.
        """
        before, last = _FIRST, ""
        for found in self._keys(_FOLDER, _FIRST, _BEHIND):
            before, last = last or before, found["path"]
            yield found
        again = [found["path"] for found in islice(self._keys(_FOLDER, before, _BEHIND), 2)]
        if again != [last]:
            raise IncompleteListingError(
                f"the list of the bucket {_BUCKET} at {self._url} ends with {last or 'nothing'}, "
                f"and then has {', '.join(again) or 'nothing'} there; it is asked again"
            )

    def _check_that_keys_come(self) -> None:
        """Check that the server lists keys at all, where it lists none of a dataset.

        Raises
        ------
        TransientError
            If it does not.
        """
        if next(self._keys(_FOLDER, _FIRST, _BEHIND), None) is None:
            raise TransientError(
                f"the bucket {_BUCKET} at {self._url} lists no file of COS, or something else "
                "answers in its place; it is asked again later"
            )

    def _keys(self, folder: str, first: str, behind: str) -> Iterator["ObjectMeta"]:
        """Yield the objects of a folder from a key on and up to another one."""
        try:
            pages = obstore.list(self._store, folder, offset=first, chunk_size=_KEYS_AT_ONCE)
            for page in pages:
                for found in page:
                    if found["path"] >= behind:
                        return
                    yield found
        except BaseError as error:
            raise self._failure(error) from error

    def _failure(self, error: BaseError) -> TransientError:
        reason = " ".join(str(error).split("\n\n")[0].split())
        return TransientError(
            f"the bucket {_BUCKET} at {self._url} cannot be listed: {reason[:300]}; it is asked "
            "again later"
        )


def _key(name: str) -> str:
    return f"{_FOLDER}/{name[:4]}/{name[:9]}/{name}"


def _name(found: "ObjectMeta") -> str:
    return found["path"].rsplit("/", 1)[-1]


def _etag(found: "ObjectMeta") -> str:
    return (found["e_tag"] or "").strip('"')


def _md5(found: "ObjectMeta") -> str:
    etag = _etag(found)
    return etag if _MD5.fullmatch(etag) else ""


def _folder_of(found: "ObjectMeta") -> str:
    return found["path"].rsplit("/", 2)[-2]


def _exposure_of(found: "ObjectMeta") -> str:
    return _folder_of(found)[:_SAME_EXPOSURE]


def _entries(objects: Sequence["ObjectMeta"]) -> list[CatalogueEntry]:
    """Return the datasets of objects that have the first letters of their rootname in common.

    Raises
    ------
    BadRowError
        If they lie in a folder that is not called after a dataset.
    """
    by_dataset: dict[str, list[tuple[FileName, ObjectMeta]]] = {}
    jitter = []
    for found in objects:
        parsed = file_of(_name(found))
        if parsed is None:
            continue
        if parsed.suffix in JITTER:
            jitter.append((parsed, found))
        else:
            by_dataset.setdefault(rootname(_folder_of(found)), []).append((parsed, found))
    return [_entry(dataset, [*files, *jitter]) for dataset, files in by_dataset.items()]


def _entry(dataset: str, files: Sequence[tuple[FileName, "ObjectMeta"]]) -> CatalogueEntry:
    content = " ".join(sorted(f"{parsed.name} {_etag(found)}" for parsed, found in files))
    suffixes = {parsed.suffix for parsed, _ in files}
    return CatalogueEntry(
        dataset,
        dataset if "asn" in suffixes else "",
        configuration=_configuration(suffixes),
        archived=max(found["last_modified"] for _, found in files),
        access=Access.PUBLIC,
        version=hashlib.sha256(content.encode()).hexdigest()[:32],
    )


def _configuration(suffixes: set[str]) -> str:
    """Return the detector of an exposure: only files of FUV are called after segments."""
    if any(suffix.endswith(("_a", "_b")) for suffix in suffixes):
        return "COS/FUV"
    return "COS/NUV" if {"rawtag", "rawaccum"} & suffixes else ""
