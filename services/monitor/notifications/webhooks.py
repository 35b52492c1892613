"""Webhooks, signed as *Standard Webhooks*, and sent to public addresses alone.

Source: the specification of https://www.standardwebhooks.com, version 1.
"""

import base64
import binascii
import ipaddress
import secrets
import socket
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import anyio
import httpcore
from pydantic import TypeAdapter
from pydantic.networks import HttpUrl
from standardwebhooks import Webhook

from services.monitor.notifications.message import Message

__all__ = [
    "Network",
    "check_secret",
    "make_secret",
    "normalise_url",
    "parse_networks",
    "send_webhook",
]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Addresses that stand for those of IPv4 (RFC 6052)."""

_PREFIX = "whsec_"
_SECRET_BYTES = (24, 64)
"""Shortest and longest key of a signature (specification, "Signature scheme")."""

_URL: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)
_SUCCESS = range(200, 300)


def make_secret() -> str:
    """Make a new key of signatures."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES[0])).decode()


def check_secret(secret: str) -> None:
    """Refuse what is no key of signatures.

    Raises
    ------
    ValueError
        If it is not ``whsec_`` and 24 to 64 bytes in base64.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not _SECRET_BYTES[0] <= len(key) <= _SECRET_BYTES[1]:
        raise ValueError(
            f"a secret is {_PREFIX} and {_SECRET_BYTES[0]} to {_SECRET_BYTES[1]} bytes in base64; "
            "leave it out to be given one"
        )


def normalise_url(target: str) -> str:
    """Spell a URL as the sender of webhooks reads it.

    Raises
    ------
    ValueError
        If it is no http or https URL, or has a user name in it.
    """
    url = _URL.validate_python(target)
    if url.username or url.password:
        raise ValueError("a webhook's URL has no user name or password")
    return str(url)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read the setting of networks, comma separated."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connections to addresses that a webhook may go to, judged after the name was resolved.

    Parameters
    ----------
    allowed
        Networks that are allowed though they are not public.
    """

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of a host that is allowed and answers."""
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        allowed = [address for address in addresses if _is_allowed(address, self._allowed)]
        if not allowed:
            raise PermissionError(
                f"{host} is {', '.join(addresses)}, which is not public; "
                "COSMO_MONITOR__WEBHOOK_NETWORKS allows networks"
            )
        for address in allowed[:-1]:
            try:
                return await self._backend.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore.ConnectError:
                continue
        return await self._backend.connect_tcp(
            allowed[-1], port, timeout, local_address, socket_options
        )


def _is_allowed(address: str, allowed: Sequence[Network]) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    site_local = False
    if isinstance(found, ipaddress.IPv6Address):
        site_local = found.is_site_local
        translated = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF) if found in _NAT64 else None
        found = found.ipv4_mapped or found.sixtofour or translated or found
    public = found.is_global and not found.is_multicast and not site_local
    return public or any(
        found in network for network in allowed if network.version == found.version
    )


async def send_webhook(message: Message, allowed: Sequence[Network]) -> None:
    """Send a message; the answer's body is not read, and no redirect followed.

    Parameters
    ----------
    message
        The message.
    allowed
        Networks that are allowed though they are not public.

    Raises
    ------
    Exception
        If it cannot be sent, or the answer is not one of success; of whatever kind the network has.
    """
    body = message.text
    identity, now = f"msg_{message.delivery}", datetime.now(UTC)
    headers: dict[bytes | str, bytes | str] = {
        "Content-Type": "application/json",
        "User-Agent": "COSMO",
        "webhook-id": identity,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if message.secret:
        # Keys of before Standard Webhooks are any text.
        key = message.secret if message.secret.startswith(_PREFIX) else message.secret.encode()
        headers["webhook-signature"] = Webhook(key).sign(identity, now, body)
    async with (
        httpcore.AsyncConnectionPool(network_backend=_GuardedNetwork(allowed)) as pool,
        pool.stream("POST", message.target, headers=headers, content=body.encode()) as response,
    ):
        if response.status not in _SUCCESS:
            raise ConnectionError(f"the server answered with status {response.status}")
