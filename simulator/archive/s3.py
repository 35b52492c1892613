"""MAST's public bucket on S3: objects, ranges, and lists of them, for requests without keys."""

import base64
from email.utils import formatdate
from typing import Final
from xml.sax.saxutils import escape

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.archive.catalogue import Catalogue, HeldFile
from simulator.archive.files import file_reply
from simulator.archive.folder import iso

__all__ = ["BUCKET", "PublicBucket", "key_of"]

BUCKET: Final = "stpubdata"
_PREFIX: Final = "hst/public"
_MOST_KEYS: Final = 1000
_XML: Final = "application/xml"
_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"


def key_of(name: str) -> str:
    """Return the key of a file: ``hst/public/<first 4>/<rootname>/<file>``."""
    return f"{_PREFIX}/{name[:4]}/{name[:9]}/{name}"


class PublicBucket:
    """The interface; exclusive files are not there.

    Parameters
    ----------
    catalogue
        What it serves.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.routes = [
            Route(f"/{BUCKET}", self._bucket),
            Route(f"/{BUCKET}/", self._bucket),
            Route(f"/{BUCKET}/{{key:path}}", self._object),
        ]

    async def _object(self, request: Request) -> Response:
        key = request.path_params["key"]
        file = await run_in_threadpool(self._catalogue.file, key.rsplit("/", 1)[-1])
        if file is None or not file.public or key != key_of(file.name):
            return _error(request, 404, "NoSuchKey", "The specified key does not exist.")
        etag = await run_in_threadpool(self._etag, file)
        last = formatdate(file.modified / 1e9, usegmt=True)
        return file_reply(file.path, file.name, {"ETag": etag, "Last-Modified": last})

    async def _bucket(self, request: Request) -> Response:
        if request.method == "HEAD":
            return Response(headers={"x-amz-bucket-region": "us-east-1"})
        if request.query_params.get("list-type") != "2":
            return _error(request, 501, "NotImplemented", "Only ListObjectsV2 is here.")
        return await run_in_threadpool(self._list, request)

    def _etag(self, file: HeldFile) -> str:
        return f'"{self._catalogue.md5(file.path, file.size, file.modified)}"'

    def _list(self, request: Request) -> Response:
        """Answer ListObjectsV2."""
        asked = request.query_params
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        most = asked.get("max-keys", str(_MOST_KEYS))
        if not most.isdecimal():
            return _error(request, 400, "InvalidArgument", "max-keys is a number.")
        start = asked.get("start-after", "")
        try:
            if token := asked.get("continuation-token"):
                start = base64.urlsafe_b64decode(token).decode()
        except ValueError:
            return _error(request, 400, "InvalidArgument", "The continuation token is not one.")
        items, last, more = self._items(prefix, delimiter, start, min(int(most), _MOST_KEYS))
        parts = [
            f"<Name>{BUCKET}</Name>",
            f"<Prefix>{escape(prefix)}</Prefix>",
            f"<KeyCount>{len(items)}</KeyCount><MaxKeys>{most}</MaxKeys>",
            f"<Delimiter>{escape(delimiter)}</Delimiter>" if delimiter else "",
            f"<IsTruncated>{str(more).lower()}</IsTruncated>",
            *items,
        ]
        if more:
            following = base64.urlsafe_b64encode(last.encode()).decode()
            parts.append(f"<NextContinuationToken>{following}</NextContinuationToken>")
        body = f'<ListBucketResult xmlns="{_NAMESPACE}">{"".join(parts)}</ListBucketResult>'
        return Response(f'<?xml version="1.0" encoding="UTF-8"?>\n{body}', media_type=_XML)

    def _items(
        self, prefix: str, delimiter: str, start: str, most: int
    ) -> tuple[list[str], str, bool]:
        """Return objects and common prefixes behind a key, the last of them, and whether more
        follow.
        """
        items: list[str] = []
        last = start
        key = f"'{_PREFIX}/' || substr(name, 1, 4) || '/' || substr(name, 1, 9) || '/' || name"
        with self._catalogue.connection() as connection:
            rows = connection.execute(
                "SELECT file.key, file.size, file.modified, file.path FROM "  # noqa: S608
                f"(SELECT *, {key} AS key FROM file) AS file "
                "JOIN entry ON entry.name = file.dataset WHERE status = 'PUBLIC' "
                "AND substr(file.key, 1, length(:prefix)) = :prefix AND file.key > :start "
                "ORDER BY file.key",
                {"prefix": prefix, "start": start},
            )
            for found, size, modified, path in rows:
                rest = found[len(prefix) :]
                common = delimiter and delimiter in rest
                name = f"{prefix}{rest.partition(delimiter)[0]}{delimiter}" if common else found
                if common and last.startswith(name):
                    continue
                if len(items) == most:
                    return items, last, True
                if common:
                    items.append(
                        f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
                    )
                    last = name
                    continue
                last = found
                items.append(
                    f"<Contents><Key>{escape(found)}</Key>"
                    f"<LastModified>{iso(modified / 1e9)[:-3]}Z</LastModified>"
                    f"<ETag>&quot;{self._catalogue.md5(path, size, modified)}&quot;</ETag>"
                    f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
                )
        return items, last, False


def _error(request: Request, status: int, code: str, message: str) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message>"
        f"<Resource>{escape(request.url.path)}</Resource></Error>"
    )
    return Response(body, status, media_type=_XML)
