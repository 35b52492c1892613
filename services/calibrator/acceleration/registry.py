"""How CalCOS is sped up: functions that stand in for some of its own, each tied to the source it was made for."""

import hashlib
import importlib
import inspect
import logging
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Change", "Installation", "Replacement", "find", "install_all", "rewritten", "source_hash"]

Function = Callable[..., Any]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """A function of CalCOS and what stands in for it.

    Attributes
    ----------
    where
        Module and qualified name, ``calcos.timetag:writeImages``.
    sha256
        Hash of the source that the change was written against.
    make
        Makes the stand-in from the original.
    """

    where: str
    sha256: str
    make: Callable[[Function], Function]


@dataclass(frozen=True)
class Replacement:
    """Changes that belong together and are switched as one.

    Attributes
    ----------
    name
        Its name in settings and run records.
    changes
        What is replaced.
    relies_on
        Functions whose behaviour the changes build on: where, and the hash of their source.
    probe
        Tries out what has no source to be hashed: compiled functions that the changes do without.
    """

    name: str
    changes: Sequence[Change]
    relies_on: Mapping[str, str] = field(default_factory=dict)
    probe: Callable[[], bool] | None = None

    def mismatch(self) -> str:
        """Why it must not be applied to the CalCOS that is installed; empty if it fits."""
        expected = {change.where: change.sha256 for change in self.changes} | dict(self.relies_on)
        for where, sha256 in expected.items():
            try:
                found = source_hash(find(where))
            except (ImportError, AttributeError, OSError, TypeError) as error:
                return f"{where} is not there: {error}"
            if found != sha256:
                return f"{where} is not the version that the replacement was written against"
        if self.probe is not None and not self.probe():
            return f"a compiled function that {self.name} does without gives other results"
        return ""

    def apply(self) -> None:
        """Put the stand-ins in place of the originals, which stay reachable as ``__wrapped__``."""
        for change in self.changes:
            owner, name, original = _locate(change.where)
            stand_in = change.make(original)
            stand_in.__wrapped__ = original  # type: ignore[attr-defined]
            setattr(owner, name, stand_in)


@dataclass(frozen=True)
class Installation:
    """What :func:`install_all` did.

    Attributes
    ----------
    active
        Names of the replacements in force.
    disabled
        Names of those that were switched off.
    refused
        Names of those that do not fit this CalCOS, with the reason.
    """

    active: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def source_hash(function: Function) -> str:
    """SHA-256 of a function's source text."""
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()


def find(where: str) -> Function:
    """Find the function at ``module:qualified.name``."""
    return _locate(where)[2]


def _locate(where: str) -> tuple[Any, str, Function]:
    module, _, path = where.partition(":")
    *parents, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for parent in parents:
        owner = getattr(owner, parent)
    return owner, name, getattr(owner, name)


def rewritten(original: Function, edits: Sequence[tuple[str | tuple[str, str], str]], **names: Any) -> Function:
    """Exchange some passages of a function, for those whose costly part is a few lines among many.

    Parameters
    ----------
    original
        Function or method.
    edits
        Passages as they stand in its source, each exactly once, and what replaces them; of a long passage
        its beginning and its end.
    names
        What the new passages call.

    Raises
    ------
    ValueError
        If a passage is not there exactly once.
    """
    source = textwrap.dedent(inspect.getsource(original))
    for passage, new in edits:
        first, last = passage if isinstance(passage, tuple) else (passage, passage)
        if source.count(first) != 1 or source.count(last) != 1:
            raise ValueError(f"a passage to exchange is not there exactly once in {original.__qualname__}: {first}")
        source = source[: source.index(first)] + new + source[source.index(last) + len(last) :]
    # The module's own globals, so that what the function shares with its neighbours stays shared.
    scope = original.__globals__
    scope.update({f"_accelerated_{name}": value for name, value in names.items()})
    local: dict[str, Any] = {}
    exec(compile(source, f"<accelerated {original.__qualname__}>", "exec"), scope, local)  # noqa: S102 - hashed source
    return local[original.__name__]  # type: ignore[no-any-return]


def install_all(replacements: Sequence[Replacement], disabled: Collection[str] = ()) -> Installation:
    """Apply the replacements that fit the CalCOS that is installed.

    Parameters
    ----------
    replacements
        All there are.
    disabled
        Names of those to leave out.

    Raises
    ------
    ValueError
        If a name in `disabled` is no replacement's.
    """
    unknown = sorted(set(disabled) - {replacement.name for replacement in replacements})
    if unknown:
        known = ", ".join(sorted(replacement.name for replacement in replacements))
        raise ValueError(f"no replacement is called {', '.join(unknown)}; there are {known}")
    refused: dict[str, str] = {}
    active: list[str] = []
    for replacement in replacements:
        if replacement.name in disabled:
            continue
        reason = replacement.mismatch()
        if reason:
            refused[replacement.name] = reason
            _log.warning("CalCOS runs without the replacement %s: %s", replacement.name, reason)
        else:
            active.append(replacement.name)
    for replacement in replacements:
        if replacement.name in active:
            replacement.apply()
    return Installation(tuple(active), tuple(sorted(disabled)), refused)
