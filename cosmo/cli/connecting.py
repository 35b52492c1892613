"""The HTTP API that a command asks: one that is named, or the one started on this machine."""

from pathlib import Path

from cosmo.client import Client
from cosmo.launcher.address import read_address

__all__ = ["connect"]


def connect(url: str | None, data_dir: Path, token: str | None = None) -> Client:
    """Open a client.

    Parameters
    ----------
    url
        Address; None for that of the services that were started with `data_dir`.
    data_dir
        Folder of these.
    token
        Bearer token for another address.
    """
    if url is not None:
        return Client(url, token)
    address = read_address(data_dir)
    return Client(address.url, token or address.token)
