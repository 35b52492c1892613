"""Settings of the calibrator."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from shared.control_groups import container_memory_mb
from shared.settings.group import SettingsGroup, comma_separated

__all__ = ["CalibratorSettings"]


_FORMER_NAMES = {
    "references": "it is called COSMO_REFERENCES__FOLDER now",
    "reference_cache": "it is called COSMO_REFERENCES__CACHE now",
    "crds": "it is called COSMO_REFERENCES__CRDS now",
    "calcos_version": "the CalCOS that is installed says its version; remove the setting",
}
"""Settings that the calibrator had, and what has become of them."""


_MEMORY_MB = 8192


_CALIBRATOR_QUEUES = ("recalibrate", "calibrate", "calibrate-bulk")
"""Queues of the stages that the calibrator handles (`shared.jobs.queues`)."""


class CalibratorSettings(SettingsGroup):
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
        return comma_separated(self.queues)

    @field_validator("queues")
    @classmethod
    def _are_queues(cls, text: str) -> str:
        known = ", ".join(_CALIBRATOR_QUEUES)
        names = comma_separated(text)
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
