"""Selections: which datasets of remote archives are wanted."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, TypedDict

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

__all__ = [
    "BY_SETTING",
    "Cone",
    "Dates",
    "JsonSelection",
    "Selection",
    "SelectionParameters",
    "describe_problems",
    "problems_of",
]

BY_SETTING: Final = "COSMO_ARCHIVE__WANTED"
"""Who asked for the selection of the settings."""


_MOST: Final = 1000
"""Proposals or targets of one selection."""

_LARGEST_PROPOSAL: Final = 2**31 - 1
"""What a column of Postgres (integer) takes."""

_LONGEST_TARGET: Final = 255

_CONE: Final = ("ra", "dec", "radius")


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

    @model_validator(mode="before")
    @classmethod
    def _from_parameter(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, (list, tuple)):
            return value
        if len(parts) != len(_CONE):
            raise ValueError("give right ascension, declination and radius, degree")
        return dict(zip(_CONE, parts, strict=True))


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


class SelectionParameters(TypedDict, total=False):
    """A selection as the parameters of a request; what is None is not given.

    Attributes
    ----------
    proposals
        Numbers of proposals.
    targets
        Names of targets; ``*`` stands for any text.
    cone
        Right ascension, declination and radius of a circle in the sky, degree.
    first, last
        Exposures that started from then on, and before then, with zone.
    configuration
        ``COS/FUV`` or ``COS/NUV``.
    """

    proposals: list[int] | None
    targets: list[str] | None
    cone: tuple[float, float, float] | None
    first: datetime | None
    last: datetime | None
    configuration: str | None


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

    @classmethod
    def of_parameters(cls, *, everything: bool = False, **given: Any) -> Self:
        """Make a selection of `SelectionParameters`, or of the texts that stand for them.

        Raises
        ------
        ValidationError
            If it makes no sense.
        """
        dates = {name: given.pop(name, None) for name in ("first", "last")}
        values = {**given, "dates": dates if any(dates.values()) else None}
        found: dict[str, Any] = {name: value for name, value in values.items() if value}
        return cls.model_validate({**found, "everything": everything})

    def parameters(self) -> SelectionParameters:
        """Return the parameters of which it can be made, where it is not everything."""
        cone, dates = self.cone, self.dates
        return {
            "proposals": self.proposals or None,
            "targets": self.targets or None,
            "cone": (cone.ra, cone.dec, cone.radius) if cone else None,
            "first": dates.first if dates else None,
            "last": dates.last if dates else None,
            "configuration": self.configuration,
        }

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


def _require_json_types(value: Any) -> Any:
    """Refuse texts in place of lists and numbers, which settings may have and JSON may not.

    Raises
    ------
    ValueError
        If there is one.
    """
    if not isinstance(value, dict):
        raise ValueError("a selection is an object")
    cone, dates = value.get("cone"), value.get("dates")
    for name in ("proposals", "targets"):
        if name in value and not isinstance(value[name], list):
            raise ValueError(f"{name}: give a list")
    if not isinstance(cone, dict | None):
        raise ValueError("cone: give an object")
    numbers = [*value.get("proposals", ()), *(cone.values() if isinstance(cone, dict) else ())]
    if any(isinstance(number, (bool, str)) for number in numbers):
        raise ValueError("proposals and a cone have numbers")
    times = dates.values() if isinstance(dates, dict) else ()
    if any(not isinstance(time, str | None) for time in times):
        raise ValueError("dates are texts")
    if not isinstance(value.get("everything", False), bool):
        raise ValueError("everything is true or false")
    return value


JsonSelection: TypeAlias = Annotated[Selection, BeforeValidator(_require_json_types)]
"""A selection in JSON, where numbers are no texts."""


def problems_of(error: ValidationError) -> list[dict[str, str]]:
    """Return what is wrong with a selection: ``where``, empty for the whole, and ``problem``."""
    return [
        {
            "where": ".".join(map(str, item["loc"])),
            "problem": item["msg"].removeprefix("Value error, "),
        }
        for item in error.errors(include_url=False, include_context=False)
    ]


def describe_problems(problems: Iterable[Mapping[str, str]]) -> str:
    """Say in a line what is wrong with a selection."""
    return "; ".join(": ".join(filter(None, (one["where"], one["problem"]))) for one in problems)
