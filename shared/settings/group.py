"""Base of the groups of settings."""

from pydantic import BaseModel, ConfigDict

__all__ = ["SettingsGroup", "comma_separated"]


class SettingsGroup(BaseModel):
    """Settings of one subject; a name that is none of them is refused."""

    model_config = ConfigDict(extra="forbid")


def comma_separated(text: str) -> list[str]:
    """Return the names of a comma separated list."""
    return [name for part in text.split(",") if (name := part.strip())]
