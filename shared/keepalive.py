"""Detection of peers that vanished without closing their connections."""

import socket
from collections.abc import Mapping

__all__ = ["IDLE_SECONDS", "LOST_SECONDS", "OPTIONS", "PROBES", "keep_alive"]

IDLE_SECONDS = 5
"""Silence after which a peer is probed, and pause between two probes."""
PROBES = 3
LOST_SECONDS = IDLE_SECONDS * (1 + PROBES)
"""After which a silent peer is given up, also where data wait for its acknowledgement."""

_VALUES = {
    "TCP_KEEPIDLE": IDLE_SECONDS,
    "TCP_KEEPINTVL": IDLE_SECONDS,
    "TCP_KEEPCNT": PROBES,
    "TCP_USER_TIMEOUT": LOST_SECONDS * 1000,
}
OPTIONS: Mapping[int, int] = {
    getattr(socket, name): value for name, value in _VALUES.items() if hasattr(socket, name)
}
"""Socket options of TCP, tcp(7); systems other than Linux lack some."""


def keep_alive(connection: socket.socket) -> None:
    """Let the system close a connection whose peer has vanished.

    Parameters
    ----------
    connection
        Socket of it; one that is not of TCP is left as it is.
    """
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in OPTIONS.items():
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
