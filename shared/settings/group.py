"""Base of the groups of settings."""

from pydantic import BaseModel, ConfigDict

__all__ = ["SettingsGroup"]


class SettingsGroup(BaseModel):
    """Settings of one subject; a name that is none of them is refused."""

    model_config = ConfigDict(extra="forbid")
