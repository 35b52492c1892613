"""Selections: which datasets of remote archives are wanted."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import NoDecode

__all__ = ["BY_SETTING", "Cone", "Dates", "Selection"]

BY_SETTING: Final = "COSMO_ARCHIVE__WANTED"
"""Who asked for the selection of the settings."""


_MOST: Final = 1000
"""Proposals or targets of one selection."""

_LARGEST_PROPOSAL: Final = 2**31 - 1
"""What a column of Postgres (integer) takes."""

_LONGEST_TARGET: Final = 255


def _refuse_boolean(value: Any) -> Any:
    """Refuse true and false, which pydantic takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    return value


_Number = Annotated[float, BeforeValidator(_refuse_boolean)]
_Proposal = Annotated[int, Field(ge=1, le=_LARGEST_PROPOSAL), BeforeValidator(_refuse_boolean)]
_Target = Annotated[str, Field(min_length=1, max_length=_LONGEST_TARGET, pattern=r"^[^\x00]*$")]


def _listed(value: Any) -> Any:
    """Return the values of a text: a JSON list, or separated by commas."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part for text in value.split(",") if (part := text.strip())]


def _refuse_number(value: Any) -> Any:
    """Refuse seconds since 1970, which pydantic takes for a time."""
    if isinstance(value, (int, float)) or (isinstance(value, str) and value.isdecimal()):
        raise ValueError("a time is written as ISO 8601, e.g. 2024-01-31")
    return value


_Time = Annotated[datetime | None, BeforeValidator(_refuse_number)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cone(_Part):
    """A circle in the sky."""

    ra: _Number = Field(ge=0, lt=360, description="Right ascension of its centre, degree")
    dec: _Number = Field(ge=-90, le=90, description="Declination of its centre, degree")
    radius: _Number = Field(gt=0, le=180, description="Radius, degree")


class Dates(_Part):
    """A span of the starts of exposures; times without a zone are UTC."""

    first: _Time = Field(None, description="From then on")
    last: _Time = Field(None, description="Before then")

    @field_validator("first", "last")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.first is None and self.last is None:
            raise ValueError("give the first date, the last, or both")
        if self.first is not None and self.last is not None and self.first >= self.last:
            raise ValueError(
                f"no exposure starts from {self.first:%Y-%m-%d %H:%M} on and before "
                f"{self.last:%Y-%m-%d %H:%M}; exchange the dates"
            )
        return self


class Selection(_Part):
    """Datasets that are wanted: those to which all that is given here applies."""

    proposals: Annotated[list[_Proposal], NoDecode, BeforeValidator(_listed)] = Field(
        default_factory=list, max_length=_MOST, description="Of any of these proposals"
    )
    targets: Annotated[list[_Target], NoDecode, BeforeValidator(_listed)] = Field(
        default_factory=list,
        max_length=_MOST,
        description="Of any of these targets, in upper or lower case; * stands for any text",
    )
    cone: Cone | None = Field(None, description="With a position in this circle")
    dates: Dates | None = Field(None, description="That started in this span")
    configuration: Literal["COS/FUV", "COS/NUV"] | None = Field(
        None, description="Of this detector"
    )
    everything: bool = Field(False, description="All that there is")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.strip() == "everything":
            return {"everything": True}
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError(
                'write everything, or a JSON object such as {"proposals": [14933]}'
            ) from None

    @model_validator(mode="after")
    def _check(self) -> Self:
        narrowed = any([self.proposals, self.targets, self.cone, self.dates, self.configuration])
        if self.everything and narrowed:
            raise ValueError("everything goes with nothing else; leave it out, or the others")
        if not (self.everything or narrowed):
            raise ValueError(
                "nothing is selected; give proposals, targets, a cone, dates, a configuration or "
                "everything"
            )
        return self

    def document(self) -> dict[str, Any]:
        """Return what was given, as JSON has it."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def describe(self) -> str:
        """Say in words what is selected."""
        parts = []
        if self.everything:
            parts.append("everything")
        if self.proposals:
            parts.append(f"proposals {', '.join(map(str, self.proposals))}")
        if self.targets:
            parts.append(f"targets {', '.join(self.targets)}")
        if self.cone:
            parts.append(f"within {self.cone.radius:g} deg of {self.cone.ra:g} {self.cone.dec:+g}")
        if self.dates:
            parts.append(
                " ".join(
                    f"{word} {time:%Y-%m-%d %H:%M}"
                    for word, time in (("from", self.dates.first), ("before", self.dates.last))
                    if time
                )
            )
        if self.configuration:
            parts.append(self.configuration)
        return "; ".join(parts)
