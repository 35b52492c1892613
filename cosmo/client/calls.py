"""What the client asks for, described without sending it.

An operation of the API is a `Call`, or a `Flow` of several steps. Both clients perform the same
descriptions, so that each operation is written once.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from cosmo.client.errors import UnexpectedAnswerError

__all__ = [
    "CHUNK",
    "Call",
    "Flow",
    "Pause",
    "QueryValue",
    "Sink",
    "Step",
    "Steps",
    "Transfer",
    "Work",
    "content",
    "delete",
    "document",
    "get",
    "parse",
    "post",
    "query_of",
    "quoted",
]

CHUNK = 1 << 20
"""Bytes of a file that are read at once."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Model = TypeVar("Model", bound=BaseModel)

_Plain: TypeAlias = str | int | float | bool | datetime
QueryValue: TypeAlias = _Plain | list[str] | list[int] | list[float] | tuple[_Plain, ...] | None
"""Value of a query parameter; several become a list with commas, None leaves the parameter out."""


@dataclass(frozen=True)
class Call(Generic[T_co]):
    """A request, and how its answer is read.

    Attributes
    ----------
    method, path
        Method, and address below ``/api/v1``.
    read
        Makes the result of an answer of success.
    query, headers
        Query parameters and headers, as texts.
    body
        JSON body; None for none.
    upload
        File that is the body; None for none.
    repeatable
        Whether sending it twice does what sending it once does.
    timeout
        Seconds that the answer may take; None for those of the client.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], T_co]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    upload: Path | None = None
    repeatable: bool = True
    timeout: float | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def __iter__(self) -> "Flow[T_co]":
        """Yield itself, and return its result: ``result = yield from call``."""
        return self._perform()

    def _perform(self) -> "Flow[T_co]":
        response: httpx.Response = yield self
        return self.read(response)

    def asking(self, **values: QueryValue) -> "Call[T_co]":
        """Make the same call with further query parameters."""
        return replace(self, query={**self.query, **query_of(values)})


class Sink(Protocol):
    """What takes the body of an answer as it comes."""

    def begin(self, response: httpx.Response) -> None:
        """Look at the head of the answer."""

    def write(self, chunk: bytes) -> None:
        """Take bytes."""


@dataclass(frozen=True)
class Transfer:
    """Step: send a call, and hand the body of its answer to a sink."""

    call: Call[Any]
    sink: Sink


@dataclass(frozen=True)
class Pause:
    """Step: wait."""

    seconds: float


@dataclass(frozen=True)
class Work:
    """Step: compute or read and write files, beside the event loop where there is one."""

    function: Callable[[], Any]


Step: TypeAlias = Call[Any] | Transfer | Pause | Work
Flow: TypeAlias = Generator[Step, Any, T]
"""Several steps; each is answered with what came of it, or gets its error thrown in."""


class Steps(Protocol[T_co]):
    """A `Call` or a `Flow`."""

    def __iter__(self) -> Flow[T_co]:
        """Yield steps, and return the result."""


def quoted(*segments: str | int) -> str:
    """Return the path of segments, of which none can reach outside its place."""
    return "".join(f"/{quote(str(segment), safe='')}" for segment in segments)


def query_of(values: Mapping[str, QueryValue]) -> dict[str, str]:
    """Return query parameters as texts, without those that are None."""
    return {name: _text(value) for name, value in values.items() if value is not None}


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
        case list() | tuple():
            return ",".join(map(_text, value))
        case _:
            return str(value)


def parse(model: type[Model], content: bytes | str, call: str) -> Model:
    """Parse a JSON document.

    Parameters
    ----------
    model
        What it is.
    content
        The document.
    call
        Method and path that it is the answer to.

    Raises
    ------
    UnexpectedAnswerError
        If it has another shape.
    """
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise UnexpectedAnswerError(
            call,
            f"the answer is no {model.__name__} as this version of the client reads it; "
            f"install the client that belongs to the service ({error})",
        ) from error


def _reader(method: str, path: str, model: type[Model]) -> Callable[[httpx.Response], Model]:
    return lambda response: parse(model, response.content, f"{method} {path}")


def get(path: str, model: type[Model], /, **values: QueryValue) -> Call[Model]:
    """Describe a call that reads, by its query parameters."""
    return Call("GET", path, _reader("GET", path, model), query_of(values))


def post(
    path: str,
    model: type[Model],
    /,
    *,
    body: Any = None,
    repeatable: bool = False,
    **values: QueryValue,
) -> Call[Model]:
    """Describe a call that changes something, by its JSON body or query parameters."""
    read = _reader("POST", path, model)
    return Call("POST", path, read, query_of(values), body=body, repeatable=repeatable)


def content(path: str, /, **values: QueryValue) -> Call[bytes]:
    """Describe a call that reads bytes, by its query parameters."""
    return Call("GET", path, lambda response: response.content, query_of(values))


def document(path: str, /, **values: QueryValue) -> Call[dict[str, Any]]:
    """Describe a call that reads a JSON document of another standard, by its query parameters."""

    def read(response: httpx.Response) -> dict[str, Any]:
        found: dict[str, Any] = response.json()
        return found

    return Call("GET", path, read, query_of(values))


def delete(path: str) -> Call[None]:
    """Describe a call that removes something."""
    return Call("DELETE", path, lambda _: None, repeatable=False)
