"""Type of a column of the values of an enumeration."""

from enum import StrEnum

from sqlalchemy import Enum

__all__ = ["enum_column"]


def _values(enum: type[StrEnum]) -> list[str]:
    return [member.value for member in enum]


def enum_column(enum: type[StrEnum]) -> Enum:
    """Return the type of a column of the values of an enumeration, as text."""
    return Enum(
        enum, native_enum=False, length=20, values_callable=_values, create_constraint=False
    )
