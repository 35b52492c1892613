"""Problems of a recipe, described for its author."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

__all__ = ["WORDS", "problems"]

WORDS = {
    "rootname": "the nine letters and digits of an exposure's rootname, such as ldfd01vnq",
    "file": "the name of a raw or corrtag file, such as ldfd01vnq_rawtag_a.fits",
    "reference": "the name of a FITS file, without path or lref$, a context of CRDS such as "
    "hst_1028.pmap, or N/A",
    "context": "a context of CRDS, such as hst_1028.pmap",
    "compression": "a kind and a quantisation, such as gzip,-0.01; kinds are rice, gzip and "
    "hcompress",
    "shift": "`rootname fpoffset flash segment shift1 [shift2]`, such as `any any 1 FUVA 3.2`",
}
"""Kind of text to what it looks like."""

_KINDS = {
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "tuple_type": "a list, such as [a, b]",
}
_VALUES = ("bool", "int", "float", "str")
_LONGEST = 60
"""Characters that are shown of a value."""


def problems(error: ValidationError, kinds: dict[str, str]) -> Iterator[str]:
    """List what is wrong, each with its place.

    Parameters
    ----------
    error
        From reading the recipe.
    kinds
        Pattern of a text to its kind, a key of `WORDS`.
    """
    for item in error.errors():
        place = [str(part) for part in item["loc"]]
        if len(place) > 2 and place[-3] == "keywords" and place[-1] in _VALUES:
            if place[-1] != _VALUES[0]:
                continue  # one of four kinds that the value could be of
            yield (
                f"{'.'.join(place[:-1])}: should be a number, a text, true or false, not "
                f"{_shown(item['input'])}"
            )
            continue
        yield ": ".join(filter(None, (".".join(place), _problem(item, kinds))))


def _problem(item: ErrorDetails, kinds: dict[str, str]) -> str:
    message = item["msg"]
    match item["type"]:
        case "value_error":
            return message.removeprefix("Value error, ")
        case "extra_forbidden":
            return (
                "no such key; /api/v1/calibrations/schema and docs/reference/recipe.rst list "
                "those that there are"
            )
        case "string_pattern_mismatch":
            message = f"should be {WORDS[kinds[item['ctx']['pattern']]]}"
        case kind if kind in _KINDS:
            message = f"should be {_KINDS[kind]}"
    return f"{message.removeprefix('Input ')}, not {_shown(item['input'])}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
