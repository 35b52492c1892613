"""TCP address before a Unix socket, which can fall silent as a cut network does."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

__all__ = ["Forwarder", "forwarder"]

_CHUNK = 65536


class Forwarder:
    """What a server is reached through.

    Attributes
    ----------
    port
        TCP port on the loopback.
    passing
        Set while bytes pass. Otherwise connections stay open, are accepted, and nothing comes
        through them.
    """

    def __init__(self, target: Path, starttls: ssl.SSLContext | None) -> None:
        self._target, self._starttls = target, starttls
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.passing = asyncio.Event()
        self.passing.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection, both ways."""
        if self._starttls is not None:
            await reader.readexactly(8)  # the request for TLS of Postgres's protocol
            writer.write(b"S")
            await writer.start_tls(self._starttls)
        target_reader, target_writer = await asyncio.open_unix_connection(self._target)
        for source, sink in ((reader, target_writer), (target_reader, writer)):
            task = asyncio.ensure_future(self._pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(_CHUNK):
                await self.passing.wait()
                sink.write(data)
                await sink.drain()
        sink.close()

    def close(self) -> None:
        """Cut every connection."""
        for task in self._tasks:
            task.cancel()


@asynccontextmanager
async def forwarder(
    target: Path, *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None
) -> AsyncIterator[Forwarder]:
    """Forward to a Unix socket for the length of a block.

    Parameters
    ----------
    target
        The socket.
    tls, starttls
        TLS from the first byte on, and after the request of Postgres's protocol for it.
    """
    found = Forwarder(target, starttls)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        found.close()
