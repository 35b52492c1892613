"""Settings of the reference files."""

from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from shared.settings.group import SettingsGroup
from shared.urls import path_of

__all__ = ["ReferenceSettings"]


class ReferenceSettings(SettingsGroup):
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

    @model_validator(mode="after")
    def _keep_apart(self) -> Self:
        if isinstance(self.folder, Path) and self.folder.absolute() == self.cache.absolute():
            raise ValueError(
                "COSMO_REFERENCES__CACHE is the folder of the reference files, where unpacked "
                "copies would pass for other files; name another folder"
            )
        return self
