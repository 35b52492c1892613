"""Header keywords of raw files that a recipe may set.

Switches, reference files, and others that users edit.

Source: COS Data Handbook, section 3.6; headers and extensions as in raw files of 2024.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from shared.cos.reference_names import FILE_NAME
from shared.cos.references import FILETYPES
from shared.cos.switches import SWITCHES
from shared.recipes.document import refuse_unknown

__all__ = ["CONTEXT", "KEYWORDS", "REFERENCE", "Keyword", "Keywords", "References", "Switches"]


_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


@dataclass(frozen=True)
class Keyword:
    """A keyword: the extension that it is in, the type of its value, and its limits or choices.

    Attributes
    ----------
    extension
        0 for the primary header, 1 for that of the events.
    kind
        Type of the value.
    limits
        Least and greatest value.
    choices
        Values, where they are few.
    segment
        FUV segment whose raw file it is for; None for all files.
    advice
        What to know about its values.
    """

    extension: int
    kind: type
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    segment: str | None = None
    advice: str = ""

    def check(self, name: str, value: Any) -> Any:
        """Return the value in its type.

        Raises
        ------
        ValueError
            If it is of another type or outside the limits.
        """
        fits = type(value) is self.kind or (self.kind is float and type(value) is int)
        if not fits:
            raise ValueError(f"{name} is of type {self.kind.__name__}, not {value!r}")
        if self.choices and value not in self.choices:
            raise ValueError(f"{name} is one of {', '.join(self.choices)}, not {value!r}")
        if self.limits and not self.limits[0] <= value <= self.limits[1]:
            raise ValueError(
                f"{name} lies between {self.limits[0]} and {self.limits[1]}, not "
                f"{value}{self.advice}"
            )
        return self.kind(value)

    def schema(self) -> dict[str, Any]:
        """Return JSON Schema of the value."""
        found: dict[str, Any] = {"type": _JSON_TYPES[self.kind]}
        if self.choices:
            found["enum"] = list(self.choices)
        if self.limits:
            found["minimum"], found["maximum"] = self.limits
        return found


_FLAGS = (0, 32767)
"""Data quality flags are 16-bit integers, of which 15 bits are used (COS Data Handbook, table
2.19).
"""

KEYWORDS = {
    "XTRCTALG": Keyword(0, str, choices=("BOXCAR", "TWOZONE")),
    "RANDSEED": Keyword(
        0,
        int,
        (0, 2**31 - 1),
        advice="; -1, the clock, is left out since such a run cannot be repeated",
    ),
    "STATFLAG": Keyword(0, bool),
    "SDQFLAGS": Keyword(1, int, _FLAGS),
    "SDQOUTER": Keyword(1, int, _FLAGS),
    "SP_SET_A": Keyword(
        1, float, (-990.0, 1024.0), segment="FUVA", advice="; the offset is in pixels"
    ),
    "SP_SET_B": Keyword(
        1, float, (-990.0, 1024.0), segment="FUVB", advice="; the offset is in pixels"
    ),
}
"""Keywords beside switches and references. CalCOS takes SP_SET below -990 as not set
(`trace.doProfileAlignment`).
"""

CONTEXT = r"hst_(\w+_)?\d{4}\.pmap"
"""Name of a context of CRDS."""

REFERENCE = rf"^{FILE_NAME}$|^N/A$|^{CONTEXT}$"
"""What a reference keyword may be set to."""

_NAMED_SWITCHES = tuple(name for name in SWITCHES if name != "STATFLAG")


def _known_switches(chosen: dict[str, Any]) -> dict[str, Any]:
    if "STATFLAG" in chosen:
        raise ValueError("STATFLAG is true or false: give it among the keywords")
    refuse_unknown(chosen, _NAMED_SWITCHES, "calibration switches")
    if chosen.get("DGEOCORR") == "PERFORM" and chosen.get("GEOCORR") == "OMIT":
        raise ValueError(
            "DGEOCORR refines GEOCORR: CalCOS refuses the one without the other; omit both, or none"
        )
    return chosen


def _known_references(chosen: dict[str, str]) -> dict[str, str]:
    refuse_unknown(chosen, tuple(FILETYPES), "reference keywords")
    return chosen


def _checked_keywords(chosen: dict[str, Any]) -> dict[str, Any]:
    for name in chosen:
        if name in _NAMED_SWITCHES:
            raise ValueError(f"{name} is a calibration switch: give it among the switches")
        if name in FILETYPES:
            raise ValueError(f"{name} names a reference file: give it among the references")
    refuse_unknown(chosen, tuple(KEYWORDS), "keywords that a recipe may set")
    return {name: KEYWORDS[name].check(name, value) for name, value in chosen.items()}


def _names(names: tuple[str, ...]) -> dict[str, Any]:
    return {"propertyNames": {"enum": list(names)}}


Switches = Annotated[
    dict[str, Literal["PERFORM", "OMIT"]],
    AfterValidator(_known_switches),
    Field(
        description="Calibration switch to PERFORM or OMIT",
        json_schema_extra=_names(_NAMED_SWITCHES),
    ),
]
References = Annotated[
    dict[str, Annotated[str, Field(pattern=REFERENCE)]],
    AfterValidator(_known_references),
    Field(
        description="Reference keyword to the name of a file (uploaded, of the reference folder, "
        "or of the cache of "
        "CRDS), to a context of CRDS whose best file it shall be, or to N/A",
        json_schema_extra=_names(tuple(FILETYPES)),
    ),
]
Keywords = Annotated[
    dict[str, bool | int | float | str],
    AfterValidator(_checked_keywords),
    Field(
        description="Other header keyword to its value",
        json_schema_extra={
            "properties": {name: keyword.schema() for name, keyword in KEYWORDS.items()},
            "additionalProperties": False,
        },
    ),
]
