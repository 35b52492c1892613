"""Settings of the HTTP API, and its tokens."""

from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from shared.settings.group import SettingsGroup

__all__ = ["ApiSettings", "Scope", "Token"]


class Scope(StrEnum):
    """What a token may do."""

    EXCLUSIVE = "exclusive"
    OPERATE = "operate"
    RECALIBRATE = "recalibrate"
    SUBSCRIBE = "subscribe"
    ADMIN = "admin"


class Token(BaseModel):
    """A bearer token and what it may do; a plain text is a token with every scope."""

    model_config = ConfigDict(extra="forbid")

    token: SecretStr
    scopes: frozenset[Scope] = frozenset(Scope)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"token": value} if isinstance(value, (str, SecretStr)) else value


_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class ApiSettings(SettingsGroup):
    """The HTTP API."""

    host: str = Field("127.0.0.1", description="Address that the web process listens on")
    port: int = Field(8080, ge=0, le=65535, description="Port that the web process listens on")
    drain_seconds: float = Field(
        5.0,
        ge=0,
        description="Time after SIGTERM in which the web process still takes requests while it "
        "says that it is not ready, so that others learn that it stops",
    )
    descriptor: int | None = Field(
        None,
        ge=0,
        description="Listening socket that the web process inherits, in place of host and port",
    )
    hosts: list[str] = Field(
        default_factory=list,
        description="Names, beside those of the loopback, by which the web process is addressed; "
        "needed where it "
        "listens on another address",
    )
    tokens: dict[str, Token] = Field(
        default_factory=dict,
        description="Names of those who may change state, each with a bearer token, or with its "
        "``token`` and ``scopes``",
    )
    statement_timeout: float = Field(10.0, gt=0, description="Longest query of a request, seconds")
    upload_limit_mb: int = Field(
        1024, gt=0, description="Largest reference file that may be uploaded, MB"
    )
    calibrations_per_token: int = Field(
        20, ge=1, description="Recalibrations of one token that may wait or run at once"
    )

    @property
    def known_hosts(self) -> frozenset[str]:
        """Names by which the web process may be addressed, in lower case."""
        listening = [self.host] if _is_loopback(self.host) else []
        return frozenset(
            name.strip("[]").lower() for name in (*_LOOPBACK_NAMES, *listening, *self.hosts)
        )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (_is_loopback(self.host) or self.hosts):
            raise ValueError(
                f"COSMO_API__HOST is {self.host}, which other machines can reach: list the host "
                'names that they use in COSMO_API__HOSTS, e.g. ["cosmo.example.org"]'
            )
        secrets = [
            secret for token in self.tokens.values() if (secret := token.token.get_secret_value())
        ]
        if len(set(secrets)) < len(secrets):
            raise ValueError(
                "COSMO_API__TOKENS has one token under two names; give each name its own"
            )
        return self
