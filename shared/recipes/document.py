"""Common parts of the sections of a recipe."""

from collections.abc import Collection, Iterable

from pydantic import BaseModel, ConfigDict

__all__ = ["Document", "refuse_unknown"]


class Document(BaseModel):
    """Part of a recipe: unknown keys are refused, values are not bent into shape, and it does not
    change.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def refuse_unknown(names: Iterable[str], known: Collection[str], what: str) -> None:
    """Refuse names that are not in a list.

    Raises
    ------
    ValueError
        With the names that there are.
    """
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)}: not among the {what}, which are {', '.join(known)}"
        )
