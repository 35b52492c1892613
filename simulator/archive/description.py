"""Rights and re-deliveries of a folder: what its file ``archive.toml`` says."""

import tomllib
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import PermanentError

__all__ = ["DESCRIPTION_NAME", "Description", "Token", "problem_of", "read_description"]

DESCRIPTION_NAME: Final = "archive.toml"


class Token(BaseModel):
    """Key to exclusive data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: str = Field(min_length=1, description="The token itself")
    name: str = Field("Stand-in User", description="Who it belongs to, as `whoami` says")
    proposals: tuple[int, ...] | None = Field(
        None, description="Proposals whose exclusive data it opens; default: all"
    )
    expires: datetime | None = Field(
        None, description="Time from which it opens nothing, UTC; default: never"
    )

    def opens(self, proposal: int | None) -> bool:
        """Return whether it opens exclusive data of a proposal now."""
        return self.is_valid and (self.proposals is None or proposal in self.proposals)

    @property
    def is_valid(self) -> bool:
        """Whether it has not expired."""
        return self.expires is None or _utc(self.expires) > datetime.now(UTC)


class Description(BaseModel):
    """What ``archive.toml`` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exclusive: dict[str, datetime | date] = Field(
        default_factory=dict,
        description="Day or time (UTC) from which a dataset is public, by its name or a pattern "
        "(`ldfd*`); members follow their association. All other data are public",
    )
    tokens: tuple[Token, ...] = Field((), description="Tokens that are valid")
    member_rows: bool = Field(
        False,
        description="Whether members of associations have rows of their own in MAST's catalogues",
    )
    redelivered: int = Field(
        0,
        ge=0,
        description="How many of the `--rows` were generated again when this file was written",
    )

    def token(self, value: str | None) -> Token | None:
        """Return a valid token."""
        return next(
            (token for token in self.tokens if token.value == value and token.is_valid), None
        )

    def public_from(self, *names: str | None) -> str | None:
        """Return the time from which a dataset is public, ISO 8601.

        None where this says nothing of it.

        Parameters
        ----------
        names
            Its names: its own, that of its association.
        """
        for pattern, moment in self.exclusive.items():
            if any(name and fnmatchcase(name, pattern.lower()) for name in names):
                whole = moment if isinstance(moment, datetime) else _midnight(moment)
                return _utc(whole).replace(tzinfo=None).isoformat("T", "seconds")
        return None


def read_description(folder: Path) -> Description:
    """Read the description of a folder; where there is none, all of its data are public.

    Raises
    ------
    PermanentError
        If it cannot be read, or says what it may not; the message names both.
    """
    path = folder / DESCRIPTION_NAME
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return Description()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PermanentError(f"{path} cannot be read as TOML: {error}") from error
    try:
        return Description.model_validate(content)
    except ValidationError as error:
        raise PermanentError(f"{path}: {problem_of(error)}") from error


def problem_of(error: ValidationError) -> str:
    """Return the first problem of a document in one line: where, and what."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
