"""The client of the HTTP API against connections that break."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cosmo.client import Client
from shared.errors import TransientError

_ANSWER = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"items": []}'
)


@contextmanager
def server(resets: int) -> Iterator[tuple[str, list[bytes]]]:
    """Serve HTTP, and reset the first connections once a request has arrived.

    Gives its address and the requests.
    """
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    requests.append(connection.recv(65536))
                    if len(requests) <= resets:
                        connection.setsockopt(
                            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                        )
                    else:
                        connection.sendall(_ANSWER)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", requests
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5.0)


def test_reading_survives_a_connection_that_was_closed() -> None:
    with server(resets=1) as (url, requests), Client(url) as client:
        assert client.monitors() == []
        assert len(requests) == 2


def test_reading_gives_up_when_connections_keep_breaking() -> None:
    with (
        server(resets=9) as (url, _),
        Client(url) as client,
        pytest.raises(TransientError, match="no answer"),
    ):
        client.monitors()


def test_changes_are_not_sent_twice() -> None:
    with server(resets=1) as (url, requests), Client(url) as client:
        with pytest.raises(TransientError, match="no answer"):
            client.requeue(1)
        assert len(requests) == 1
