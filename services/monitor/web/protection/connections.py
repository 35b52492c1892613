"""Connections of the web process: how many, and how long each may take, so that slow ones delay
nobody else.
"""

import asyncio
import fcntl
import json
import struct
import termios
from collections.abc import Iterable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

__all__ = ["Connection", "sweep"]

_MOST = 512
_HEADER_SECONDS = 10.0
"""Until the headers of a request are complete, and until the rest of a body that was answered
before its end.
"""
_STALLED_SECONDS = 30.0
"""In which a client takes nothing of its answer."""
_MOST_HEADERS = 1 << 16
"""Bytes of headers, or of whatever else is no part of a body, such as trailers."""


class Connection(HttpToolsProtocol):
    """A connection whose waits end.

    Where there are too many, the one that has been silent longest makes room.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection in, or refuse it where all others are being answered."""
        super().connection_made(transport)
        now = self.loop.time()
        self._silent_since, self._is_timed = now, True
        self._is_receiving, self._unread = False, 0
        self._taken_at, self._left = now, 0
        if len(self.connections) > _MOST:
            others = (
                other
                for other in self.connections
                if isinstance(other, Connection) and other is not self
            )
            silent = [other for other in others if other.is_silent]
            if silent:
                min(silent, key=lambda other: other._silent_since).transport.abort()
            else:
                self._refuse(503, "too_many_connections", "try again later")

    @property
    def is_silent(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self.transport.is_closing():
            return
        if self.is_silent and not self._is_timed:
            self._silent_since, self._is_timed = (
                self.loop.time(),
                True,
            )  # the first bytes of a further request
        self._unread += len(data)
        super().data_received(data)
        if self._unread > _MOST_HEADERS:
            message = f"headers may have {_MOST_HEADERS >> 10} kB"
            self._refuse(431, "too_large", message)

    def on_headers_complete(self) -> None:
        """Start to answer a request."""
        self._is_timed, self._is_receiving, self._unread = False, True, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take in a part of a body."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._is_timed, self._is_receiving, self._unread = False, False, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, of which a part may have come, or for the rest of one that is
        answered already.
        """
        self._silent_since, self._is_timed = (
            self.loop.time(),
            self._is_receiving or self._unread > 0,
        )
        super().on_response_complete()

    def resume_writing(self) -> None:
        """Note that the client takes its answer."""
        self._taken_at = self.loop.time()
        super().resume_writing()

    def _unacknowledged(self) -> int:
        """Count the bytes that the kernel has and the client has not acknowledged: also those to
        one that vanished.
        """
        carrier = self.transport.get_extra_info("socket")
        if carrier is None or carrier.fileno() < 0 or not hasattr(termios, "TIOCOUTQ"):
            return 0
        return int(
            struct.unpack("i", fcntl.ioctl(carrier.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
        )

    def check(self, now: float) -> None:
        """End a wait that has been too long."""
        left = self.transport.get_write_buffer_size() + self._unacknowledged()
        if left < self._left or not left:
            self._taken_at = now
        self._left = left
        if now - self._taken_at > _STALLED_SECONDS:
            self.transport.abort()
        elif self._is_timed and now - self._silent_since > _HEADER_SECONDS:
            message = f"headers must be complete within {_HEADER_SECONDS:.0f} s"
            self._refuse(408, "slow_headers", message)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._answer(400, "bad_request", msg)

    def _refuse(self, status: int, kind: str, message: str) -> None:
        """Answer in place of the application; where it answers or has answered, only hang up."""
        if not self.is_silent or self._is_receiving:
            self.transport.abort()
        elif not self.transport.is_closing():
            self._answer(status, kind, message)

    def _answer(self, status: int, kind: str, message: str) -> None:
        """Write an error in the one shape, and hang up."""
        error = {"type": kind, "message": message, "detail": None}
        body = json.dumps({"error": error}).encode()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head % len(body) + body)
        self.transport.close()


def sweep(connections: Iterable[object], now: float) -> None:
    """Look after connections; to be called about once a second."""
    for connection in list(connections):
        if isinstance(connection, Connection):
            connection.check(now)
