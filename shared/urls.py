"""URLs of files and servers, whatever characters their paths and passwords have."""

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote

__all__ = ["file_url", "path_of", "postgres_url", "redis_url", "with_password"]


def file_url(path: Path) -> str:
    """Return the URL of a file or folder; `path_of` reads it back."""
    return path.absolute().as_uri()


def path_of(url: str) -> Path | None:
    """Return the absolute path that a ``file:`` URL, or a plain path, names.

    None for every other URL.

    Parameters
    ----------
    url
        URL; relative ones (``file://cosmo-data/store``) begin at the working directory. What lies
        in another one (``zip::/data/visit.zip``) is no path.
    """
    scheme, colon, rest = url.partition(":")
    if colon and scheme == "file":
        return Path(unquote(rest.removeprefix("//"))).absolute()
    if "://" in url or ("::" in url and not url.startswith("/")):
        return None
    return Path(os.path.expanduser(url)).absolute()  # noqa: PTH111 - without a home it is a name like others


def postgres_url(sockets: Path, user: str, database: str) -> str:
    """Return the SQLAlchemy URL of the Postgres whose Unix socket is in a folder."""
    return f"postgresql+asyncpg://{user}@/{database}?host={quote(str(sockets), safe='')}"


def redis_url(socket: Path) -> str:
    """Return the URL of the Redis-compatible broker behind a Unix socket."""
    return f"unix://{quote(str(socket))}?db=0"


_USER = re.compile(r"^(\w[\w+]*://)(?:([^@/?]*)@)?(.*)$")


def with_password(url: str, password: str) -> str:
    """Put a password into the URL of a server, after its user if it names one.

    Raises
    ------
    ValueError
        If it has one already.
    """
    found = _USER.match(url)
    if found is None or ":" in (found[2] or ""):
        raise ValueError("the URL has a password already, or is none")
    return f"{found[1]}{found[2] or ''}:{quote(password, safe='')}@{found[3]}"
