"""All settings, read from the environment and from files of secrets, and validated."""

from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared.settings.api import ApiSettings
from shared.settings.archive import ArchiveSettings
from shared.settings.calibrator import CalibratorSettings
from shared.settings.checks import CheckSettings
from shared.settings.jobs import JobSettings
from shared.settings.monitor import MonitorSettings
from shared.settings.references import ReferenceSettings
from shared.settings.secret_files import SecretFiles
from shared.urls import with_password

__all__ = ["Settings", "described", "get_settings"]


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
