"""URLs of Postgres as users and providers of managed servers write them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from shared.errors import PermanentError

__all__ = ["connection_arguments"]

_EXAMPLE = "postgresql+asyncpg://user:password@host/database"
_SCHEMES = ("postgresql+asyncpg", "postgresql", "postgres")
_HOSTS = re.compile(r"^(\w[\w+]*://(?:[^@]*@)?)([^/?@]*,[^/?@]*)(.*)$")
"""What comes before, in and after a list of hosts, as libpq takes it."""

_FILES = frozenset({"sslrootcert", "sslcert", "sslkey", "sslcrl"})
_TLS = _FILES | {"sslmode", "sslpassword", "ssl_min_protocol_version", "ssl_max_protocol_version"}
_OPTIONS = _TLS | {"host", "port", "target_session_attrs", "passfile"}
_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_WRITABLE = ("any", "primary", "read-write")


def connection_arguments(url: str) -> tuple[URL, dict[str, Any]]:
    """Return what SQLAlchemy and asyncpg take in place of a URL.

    Parameters
    ----------
    url
        URL with the options that libpq has for TLS and for several hosts. Of several hosts, the
        one that takes writes is used.

    Returns
    -------
    tuple of sqlalchemy.URL and dict
        URL for the engine, and further arguments of a connection.

    Raises
    ------
    PermanentError
        If it is none, or has an unknown or wrong option; the message has no password.
    """
    try:
        parsed = make_url(_HOSTS.sub(_move_hosts, url))
    except (ArgumentError, ValueError) as error:
        raise PermanentError(f"this is not a URL of Postgres such as {_EXAMPLE}") from error
    if parsed.drivername not in _SCHEMES:
        raise PermanentError(f"{parsed.drivername}:// is not a URL of Postgres such as {_EXAMPLE}")
    _check(parsed.query)
    arguments: dict[str, Any] = {
        name: parsed.query[name]
        for name in ("target_session_attrs", "passfile")
        if name in parsed.query
    }
    if tls := {name: value for name, value in parsed.query.items() if name in _TLS}:
        arguments["dsn"] = f"postgresql://?{urlencode(tls)}"  # asyncpg reads them nowhere else
    separate = _OPTIONS - {"host", "port"}
    hosts = _hosts(parsed.query.get("host", ""))
    if len(hosts) > 1:
        found = [host.rpartition(":")[::2] if ":" in host else (host, "5432") for host in hosts]
        arguments["host"] = [host for host, _ in found]
        arguments["port"] = [port for _, port in found]
        arguments.setdefault("target_session_attrs", "read-write")
        separate = _OPTIONS
    return parsed.set(drivername=_SCHEMES[0]).difference_update_query(separate), arguments


def _hosts(named: str | tuple[str, ...]) -> Sequence[str]:
    if isinstance(named, str):
        return [named] if named.startswith("/") else named.split(",")
    return named


def _move_hosts(found: re.Match[str]) -> str:
    """Write several hosts before the path of a URL into its query, where SQLAlchemy reads them."""
    path, _, query = found[3].partition("?")
    return f"{found[1]}{path or '/'}?host={quote(found[2])}&{query}"


def _check(options: Mapping[str, Any]) -> None:
    """Refuse options that are unknown or wrong."""
    if unknown := sorted(set(options) - _OPTIONS):
        raise PermanentError(
            f"the URL of Postgres has an unknown option, {', '.join(unknown)}; "
            f"known ones are {', '.join(sorted(_OPTIONS))}"
        )
    for name, known in (("sslmode", _MODES), ("target_session_attrs", _WRITABLE)):
        if name in options and options[name] not in known:
            raise PermanentError(
                f"{name}={options[name]} in the URL of Postgres is none of {', '.join(known)}"
            )
    for name in sorted(_FILES & set(options)):
        if not Path(options[name]).is_file():
            raise PermanentError(f"{name}={options[name]} in the URL of Postgres is not a file")
