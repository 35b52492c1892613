"""Files that monitors made, over HTTP."""

from hashlib import sha256
from http import HTTPStatus

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.monitors import find_artifact
from services.monitor.web.file_responses import Conditions, serve_content
from services.monitor.web.lru_cache import LruCache
from shared.store import Store, StoredFile

__all__ = ["Artifacts"]

_LARGEST, _MOST_BYTES = 2_000_000, 64_000_000
"""Bytes of a file that is worth keeping in memory, and of all that are kept there."""


class Artifacts:
    """Artifacts by number.

    Small ones that were asked for last are kept in memory, since none ever changes.

    Parameters
    ----------
    store
        Where they are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: LruCache[int, tuple[StoredFile, bytes]] = LruCache(_MOST_BYTES)

    async def serve(self, number: int, session: AsyncSession, conditions: Conditions) -> Response:
        """Answer with an artifact.

        Parameters
        ----------
        number
            Key of its row.
        session
            Session of the request, closed before the file is read.
        conditions
            What the client asks for.

        Raises
        ------
        NotFoundError
            If there is none.
        ApiError
            416 for a range outside the file, 410 if neither memory nor the store has it.
        """
        kept = self._kept.find(number)
        if kept is not None:
            return await serve_content(self._store, kept[0], conditions, kept[1])
        file = await find_artifact(session, number)
        await session.close()
        response = await serve_content(self._store, file, conditions)
        if response.status_code == HTTPStatus.OK and file.size <= _LARGEST:
            whole = bytes(response.body)
            # What is damaged, or not there in whole, may be repaired.
            if sha256(whole).hexdigest() == file.sha256:
                self._kept.keep(number, (file, whole), file.size)
        return response
