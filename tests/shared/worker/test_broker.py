"""URLs of the broker, and connections to it."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import redis

from cosmo.launcher.embedded import EmbeddedValkey
from shared.errors import PermanentError
from shared.keepalive import OPTIONS
from shared.worker.broker import make_broker
from tests.forwarder import forwarder


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "not a URL of Redis such as redis://"),
        ("http://:hush@host", "not a URL of Redis"),
        ("redis://:hu/sh@host:6379/0", "not a URL of Redis"),
        ("redis://:hush@host?tls=1", "unknown option: .*'tls'"),
        ("redis+sentinel://:hush@host/main", "an address that leads to the primary"),
    ],
)
def test_a_wrong_url_is_refused_in_a_line_without_its_password(url: str, said: str) -> None:
    with pytest.raises(PermanentError, match=said) as refused:
        make_broker(url)
    assert "hu" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.integration
async def test_the_system_probes_the_broker_of_a_connection(valkey: EmbeddedValkey) -> None:
    async with forwarder(valkey._socket) as way:
        broker = make_broker(f"redis://127.0.0.1:{way.port}/0")
        assert await asyncio.to_thread(broker.client.ping)
        pool = broker.client.connection_pool
        connection = pool.get_connection()
        found: Any = connection._sock
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        for option, value in OPTIONS.items():
            assert found.getsockopt(socket.IPPROTO_TCP, option) == value
        pool.release(connection)
        broker.close()


@pytest.mark.integration
async def test_the_broker_is_reached_over_tls(valkey: EmbeddedValkey, certificates: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    async with forwarder(valkey._socket, tls=context) as way:
        for root, works in (("server", True), ("stranger", False)):
            url = f"rediss://127.0.0.1:{way.port}/0?ssl_ca_certs={certificates / root}.pem"
            broker = make_broker(url)
            try:
                assert await asyncio.to_thread(broker.client.ping) is works
            except redis.ConnectionError:
                assert not works
            broker.close()
