"""Settings, read from the environment (prefix ``COSMO_``) and from files of secrets, and validated
at start-up.
"""

import os
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared.control_groups import container_memory_mb
from shared.errors import PermanentError
from shared.urls import path_of, with_password

__all__ = [
    "ApiSettings",
    "ArchiveSettings",
    "CalibratorSettings",
    "CheckSettings",
    "JobSettings",
    "MonitorSettings",
    "ReferenceSettings",
    "Scope",
    "SecretFiles",
    "Settings",
    "Token",
    "described",
    "get_settings",
]


class _Group(BaseModel):
    """Settings of one subject; a name that is none of them is refused."""

    model_config = ConfigDict(extra="forbid")


class JobSettings(_Group):
    """How jobs are claimed, renewed, retried and swept."""

    lease_seconds: float = Field(30.0, gt=0, description="How long a claim holds without renewal")
    sweep_seconds: float = Field(
        5.0, gt=0, description="Pause between two sweeps of the dispatcher"
    )
    resend_seconds: float = Field(
        10.0,
        gt=0,
        description="Time after which the message of a job that did not start is sent again",
    )
    max_attempts: int = Field(6, ge=1, description="Attempts before a transient failure is final")
    backoff_seconds: float = Field(
        5.0, ge=0, description="First pause before a retry; doubles each time, up to 30 s"
    )
    window: int = Field(
        200,
        ge=1,
        description="Maximum number of messages of one queue in Redis; a queue of bulk work gives "
        "out up to four times as many jobs a second",
    )
    grace_seconds: float = Field(
        10.0, ge=0, description="Time after SIGTERM before a running job is given back"
    )


class ArchiveSettings(_Group):
    """Where datasets come from."""

    source: str | None = Field(None, description="Source to scan: a folder or any fsspec URL")
    scan_seconds: float = Field(60.0, gt=0, description="Pause between two scans")
    bulk_above: int = Field(
        100,
        ge=0,
        description="What a scan finds to fetch beyond so many datasets is bulk work, of low "
        "priority",
    )
    download_connections: int = Field(
        4, ge=1, description="Most files that a process downloads at once from one host"
    )
    download_connect_seconds: float = Field(
        10.0, gt=0, description="Time after which a host that takes no connection is given up"
    )
    download_silence_seconds: float = Field(
        60.0, gt=0, description="Time after which a download of which no byte comes is interrupted"
    )
    download_attempts: int = Field(
        4,
        ge=1,
        description="Interruptions in succession without progress after which a download is left "
        "to the next attempt of its job",
    )
    download_backoff_seconds: float = Field(
        1.0,
        ge=0,
        description="First pause before a download goes on; doubles each time, up to 30 s",
    )
    download_folder: Path | None = Field(
        None,
        description="Local folder of unfinished downloads; if left out, one in the store where "
        "that is a local folder, which all workers share, and else one in TMPDIR",
    )


class ReferenceSettings(_Group):
    """Where the reference files are."""

    folder: Path | str | None = Field(
        None,
        description="Folder with the reference files (plain or gzipped), or its fsspec URL",
    )
    cache: Path = Field(
        Path("cosmo-data/references"),
        description="Local folder into which references are copied or unpacked once",
    )
    crds: Path | None = Field(
        None, description="Cache of CRDS, for contexts that recipes name; nothing is fetched"
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(
                "COSMO_REFERENCES is a group of settings; COSMO_REFERENCES__FOLDER names the folder"
            )
        return value

    @field_validator("folder", mode="before")
    @classmethod
    def _is_local(cls, value: Any) -> Any:
        """Return a Path for a local folder; a text is the URL of another one."""
        return value if value is None else path_of(str(value)) or value


_FORMER_NAMES = {
    "references": "it is called COSMO_REFERENCES__FOLDER now",
    "reference_cache": "it is called COSMO_REFERENCES__CACHE now",
    "crds": "it is called COSMO_REFERENCES__CRDS now",
    "calcos_version": "the CalCOS that is installed says its version; remove the setting",
}
"""Settings that the calibrator had, and what has become of them."""


_MEMORY_MB = 8192


def _names(text: str) -> list[str]:
    """Return the names of a comma separated list."""
    return [name for part in text.split(",") if (name := part.strip())]


_CALIBRATOR_QUEUES = ("recalibrate", "calibrate", "calibrate-bulk")
"""Queues of the stages that the calibrator handles (`shared.jobs.queues`)."""


class CalibratorSettings(_Group):
    """How CalCOS is run."""

    scratch: Path = Field(
        Path("cosmo-data/scratch"), description="Local scratch folder for the runs"
    )
    wall_limit_seconds: float = Field(3600.0, gt=0, description="Wall-clock limit of a run")
    memory_limit_mb: int | None = Field(
        None,
        gt=0,
        description="Limit of the address space of a run, MB; if left out, 8192 or the memory "
        "limit of the container, whichever is less",
    )
    randseed: int = Field(
        1, ge=0, description="RANDSEED where the raw header asks for the clock (-1)"
    )
    acceleration: bool = Field(
        True, description="Whether faster functions with the same results replace some of CalCOS"
    )
    acceleration_without: str = Field("", description="Replacements to leave out, comma separated")
    queues: str = Field(
        ",".join(_CALIBRATOR_QUEUES),
        description="Queues that these calibrators work on, comma separated",
    )
    processes: int = Field(
        4,
        ge=1,
        description="Maximum number of processes of a run while cores, of which a container has "
        "as many as its CPU limit, are idle",
    )
    keep: str = Field(
        "*", description="Suffixes of the products to keep, comma separated; * keeps all"
    )
    sweep_seconds: float = Field(
        600.0, gt=0, description="Pause between two sweeps of the leftovers of killed runs"
    )

    @property
    def served_queues(self) -> list[str]:
        """Names of the queues to work on."""
        return _names(self.queues)

    @field_validator("queues")
    @classmethod
    def _are_queues(cls, text: str) -> str:
        known = ", ".join(_CALIBRATOR_QUEUES)
        names = _names(text)
        if not names:
            raise ValueError(f"it names no queue; name some of {known}, or leave it out for all")
        if unknown := [name for name in names if name not in _CALIBRATOR_QUEUES]:
            raise ValueError(f"{', '.join(map(repr, unknown))} is no queue of it; it has {known}")
        return text

    @property
    def run_memory_mb(self) -> int:
        """Limit of the address space of a run, MB."""
        return self.memory_limit_mb or min(container_memory_mb() or _MEMORY_MB, _MEMORY_MB)

    @model_validator(mode="before")
    @classmethod
    def _refuse_former_names(cls, value: Any) -> Any:
        for name, now in _FORMER_NAMES.items():
            if isinstance(value, Mapping) and name in value:
                raise ValueError(f"there is no COSMO_CALIBRATOR__{name.upper()}: {now}")
        return value


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


class ApiSettings(_Group):
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


class MonitorSettings(_Group):
    """When monitors run, and how they report it."""

    look_seconds: float = Field(
        2.0, gt=0, description="Shortest pause between two checks for new rows"
    )
    quiet_seconds: float = Field(
        10.0, ge=0, description="Quiet time after new rows before a monitor runs"
    )
    longest_wait_seconds: float = Field(
        300.0, ge=0, description="Longest wait of a monitor while rows keep coming"
    )
    delivery_attempts: int = Field(
        6, ge=1, description="Attempts before a message to a subscriber is given up"
    )
    smtp_host: str | None = Field(
        None, description="Mail server for subscriptions by e-mail; without one no mail is sent"
    )
    smtp_port: int = Field(25, gt=0, le=65535, description="Port of the mail server")
    smtp_security: Literal["none", "starttls", "tls"] = Field(
        "none",
        description="How the connection to the mail server is secured: none, starttls or tls",
    )
    smtp_user: str | None = Field(
        None, description="User of the mail server; without one there is no login"
    )
    smtp_password: SecretStr | None = Field(None, description="Password of that user")
    subscription_failures: int = Field(
        10, ge=1, description="Failed attempts in succession after which a subscription is disabled"
    )
    webhook_networks: str = Field(
        "",
        description="Networks that webhooks may go to in addition to public addresses, comma "
        "separated "
        "(10.0.0.0/8)",
    )
    mail_from: str = Field("cosmo@localhost", description="Sender of the mails")

    @field_validator("webhook_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for part in text.split(","):
            if part.strip():
                ip_network(part.strip())
        return text


class CheckSettings(_Group):
    """How often the invariants are checked."""

    interval_seconds: float = Field(
        86400.0, gt=0, description="Pause between two checks of the invariants"
    )
    sample: int = Field(
        200,
        ge=0,
        description="Files that each check reads completely, those not read for longest first",
    )


_SECRETS = "COSMO_SECRETS_DIR"


class SecretFiles(EnvSettingsSource):
    """Settings from the files of a folder, each named like the variable that it stands for."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        named = os.environ.get(_SECRETS)
        if not named:
            return {}
        try:
            files = [path for path in Path(named).iterdir() if path.is_file()]
            return {path.name.lower(): path.read_text().rstrip("\r\n") for path in files}
        except (OSError, UnicodeDecodeError) as error:
            raise PermanentError(f"{_SECRETS}={named} cannot be read: {error}") from error


class Settings(BaseSettings):
    """Every setting of COSMO; ``COSMO_JOBS__LEASE_SECONDS`` sets ``jobs.lease_seconds``."""

    model_config = SettingsConfigDict(
        env_prefix="COSMO_",
        env_nested_delimiter="__",
        extra="forbid",
        hide_input_in_errors=True,  # there are tokens and passwords in it
    )

    database_url: str = Field(
        "postgresql+asyncpg://cosmo:cosmo@localhost/cosmo", description="SQLAlchemy URL of Postgres"
    )
    database_password: SecretStr | None = Field(
        None, description="Password that is put into both URLs of Postgres"
    )
    database_direct_url: str | None = Field(
        None,
        description="URL of Postgres past a pooler, for locks of leaders and notifications; "
        "database_url may then go through a pooler in transaction mode",
    )
    redis_url: str = Field(
        "redis://localhost:6379/0", description="URL of the Redis-compatible broker"
    )
    redis_password: SecretStr | None = Field(
        None, description="Password that is put into the URL of the broker"
    )
    store_url: str = Field("file://cosmo-data/store", description="fsspec URL of the file store")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest level of the lines of the log: DEBUG, INFO, WARNING or ERROR"
    )
    instance: str | None = Field(
        None, description="Name of a worker process; its service and host if left out"
    )
    health_port: int = Field(
        0, ge=0, le=65535, description="Port of the health and the metrics of a process; 0 is off"
    )
    jobs: JobSettings = Field(default_factory=JobSettings)
    archive: ArchiveSettings = Field(default_factory=ArchiveSettings)
    references: Annotated[ReferenceSettings, NoDecode] = Field(default_factory=ReferenceSettings)
    calibrator: CalibratorSettings = Field(default_factory=CalibratorSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    monitor: MonitorSettings = Field(default_factory=MonitorSettings)
    check: CheckSettings = Field(default_factory=CheckSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic names them
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment, then the files of secrets."""
        return init_settings, env_settings, SecretFiles(settings_cls)

    @model_validator(mode="after")
    def _join_passwords(self) -> Self:
        for password, names in (
            (self.database_password, ("database_url", "database_direct_url")),
            (self.redis_password, ("redis_url",)),
        ):
            for name in names:
                url = getattr(self, name)
                if password is None or url is None:
                    continue
                try:
                    setattr(self, name, with_password(url, password.get_secret_value()))
                except ValueError as error:
                    raise ValueError(f"COSMO_{name.upper()}: {error}") from error
        return self

    @property
    def session_url(self) -> str:
        """URL of Postgres on which a session lasts, as commands need."""
        return self.database_direct_url or self.database_url


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Read the settings of this process, once.

    Raises
    ------
    pydantic.ValidationError
        If a setting is unknown or has a wrong value; the message names it.
    """
    return Settings()


def described(error: ValidationError) -> str:
    """Say in a line which settings are wrong, by the names of their variables."""
    return "; ".join(
        f"COSMO_{'__'.join(map(str, problem['loc'])).upper()}: "
        f"{problem['msg'].removeprefix('Value error, ')}"
        if problem["loc"]
        else problem["msg"].removeprefix("Value error, ")
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    )
