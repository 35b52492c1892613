"""Decorators that make methods of both clients out of one description of an operation."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from types import GenericAlias
from typing import (
    Any,
    Concatenate,
    ForwardRef,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
    get_args,
    overload,
)

from cosmo.client.calls import Call, Model, Steps
from cosmo.client.events import EventStream
from cosmo.client.pages import Items

__all__ = ["AsyncPerformer", "Performer", "listing", "operation", "stream"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")


class Performer(ABC):
    """Client whose methods return results."""

    @abstractmethod
    def perform(self, steps: Steps[T]) -> T:
        """Perform the steps of an operation."""

    @abstractmethod
    def iterate(self, call: Call[Items[T]]) -> Iterator[T]:
        """Iterate over the items of a page and of all that follow it."""

    @abstractmethod
    def follow(self, events: EventStream[Model]) -> Iterator[Model]:
        """Iterate over what is sent as it happens."""


class AsyncPerformer(ABC):
    """Client whose methods are awaited."""

    @abstractmethod
    async def perform(self, steps: Steps[T]) -> T:
        """Perform the steps of an operation."""

    @abstractmethod
    def iterate(self, call: Call[Items[T]]) -> AsyncIterator[T]:
        """Iterate over the items of a page and of all that follow it."""

    @abstractmethod
    def follow(self, events: EventStream[Model]) -> AsyncIterator[Model]:
        """Iterate over what is sent as it happens."""


class Operation(Protocol[P, T_co]):
    """Method of a client that gives a result."""

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[..., Any]: ...

    @overload
    def __get__(self, instance: Performer, owner: type) -> Callable[P, T_co]: ...

    @overload
    def __get__(
        self, instance: AsyncPerformer, owner: type
    ) -> Callable[P, Coroutine[Any, Any, T_co]]: ...


class Listing(Protocol[P, T_co]):
    """Method of a client that gives an iterator."""

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[..., Any]: ...

    @overload
    def __get__(self, instance: Performer, owner: type) -> Callable[P, Iterator[T_co]]: ...

    @overload
    def __get__(
        self, instance: AsyncPerformer, owner: type
    ) -> Callable[P, AsyncIterator[T_co]]: ...


def operation(describe: Callable[Concatenate[Any, P], Steps[T]]) -> Operation[P, T]:
    """Make a method that performs what a function describes, and gives its result."""

    @wraps(describe)
    def method(client: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
        return client.perform(describe(client, *args, **kwargs))

    _show_result(method, _result_of(describe))
    return cast("Operation[P, T]", method)


def listing(describe: Callable[Concatenate[Any, P], Call[Items[T]]]) -> Listing[P, T]:
    """Make a method that iterates over what a function describes the first page of."""

    @wraps(describe)
    def method(client: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
        return client.iterate(describe(client, *args, **kwargs))

    (item,) = get_args(_result_of(describe).model_fields["items"].annotation)
    _show_result(method, GenericAlias(Iterator, (item,)))
    return cast("Listing[P, T]", method)


def stream(describe: Callable[Concatenate[Any, P], EventStream[Model]]) -> Listing[P, Model]:
    """Make a method that iterates over what a function describes a stream of."""

    @wraps(describe)
    def method(client: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
        return client.follow(describe(client, *args, **kwargs))

    _show_result(method, GenericAlias(Iterator, (_result_of(describe),)))
    return cast("Listing[P, Model]", method)


def _result_of(describe: Callable[..., Any]) -> Any:
    """Return the type of the result of a function that gives a call, a flow or a stream."""
    result = get_args(inspect.signature(describe).return_annotation)[-1]
    return result.__forward_arg__ if isinstance(result, ForwardRef) else result


def _show_result(method: Callable[..., Any], result: Any) -> None:
    """Let `help` and the documentation show what a method gives."""
    method.__annotations__ = {**method.__annotations__, "return": result}
    signature = inspect.signature(method)
    method.__dict__["__signature__"] = signature.replace(return_annotation=result)
