"""Settings of the checks of the invariants."""

from pydantic import Field

from shared.settings.group import SettingsGroup

__all__ = ["CheckSettings"]


class CheckSettings(SettingsGroup):
    """How often the invariants are checked."""

    interval_seconds: float = Field(
        86400.0, gt=0, description="Pause between two checks of the invariants"
    )
    sample: int = Field(
        200,
        ge=0,
        description="Files that each check reads completely, those not read for longest first",
    )
