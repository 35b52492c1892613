"""Registry of the replacements in CalCOS.

Functions that stand in for some of its own, each tied to the source it was made for.
"""

import functools
import hashlib
import importlib
import inspect
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "SKIPPED",
    "Change",
    "Edit",
    "Prepared",
    "Replacement",
    "find",
    "prepare",
    "rewritten",
    "source_hash",
]

Function = Callable[..., Any]
Edit = tuple[str | tuple[str, str], str] | tuple[str | tuple[str, str], str, str]
"""A passage of a function, or its beginning and its end.

What replaces it; the condition for that, if there is one.
"""

SKIPPED = "SKIPPED"
"""Begins the state of a replacement that does not fit the CalCOS that is installed."""


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
class _StandIn:
    owner: Any
    name: str
    function: Function

    def put(self) -> None:
        setattr(self.owner, self.name, self.function)


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
        """Return why it must not be applied to the CalCOS that is installed; empty if it fits."""
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

    def stand_ins(self) -> list[_StandIn]:
        """Make what goes in place of the originals."""
        made = []
        for change in self.changes:
            owner, name, original = _locate(change.where)
            function = change.make(original)
            functools.update_wrapper(function, original, assigned=(), updated=())
            made.append(_StandIn(owner, name, function))
        return made


@dataclass(frozen=True)
class Prepared:
    """Replacements whose stand-ins are made and not yet in place.

    Attributes
    ----------
    stand_ins
        Those that fit the CalCOS that is installed, by name.
    refused
        Why the others do not, by name.
    """

    stand_ins: Mapping[str, Sequence[_StandIn]]
    refused: Mapping[str, str]

    def install(self, without: Collection[str] = ()) -> dict[str, str]:
        """Put the stand-ins in place of the originals, which stay reachable as ``__wrapped__``.

        Parameters
        ----------
        without
            Names of the replacements to leave out.

        Returns
        -------
        dict
            Of each replacement, in the words of CalCOS's own switches, whether it is in force:
            PERFORM, OMIT where it was left out, SKIPPED and the reason where it does not fit.
        """
        state = {
            name: "OMIT" if name in without else f"{SKIPPED}: {why}"
            for name, why in self.refused.items()
        }
        for name, stand_ins in self.stand_ins.items():
            state[name] = "OMIT" if name in without else "PERFORM"
            for stand_in in stand_ins if name not in without else ():
                stand_in.put()
        return state


def source_hash(function: Function) -> str:
    """Return SHA-256 of a function's source text."""
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


def rewritten(original: Function, edits: Sequence[Edit], **names: Any) -> Function:
    """Exchange some passages of a function, for those whose costly part is a few lines among many.

    Parameters
    ----------
    original
        Function or method.
    edits
        Passages as they stand in its source, each exactly once, and what replaces them. Those with
        a condition are whole lines, which are run as they stand where it is false.
    names
        What the new passages call.

    Raises
    ------
    ValueError
        If a passage is not there exactly once.
    """
    source = textwrap.dedent(inspect.getsource(original))
    for passage, new, *condition in edits:
        first, last = passage if isinstance(passage, tuple) else (passage, passage)
        if source.count(first) != 1 or source.count(last) != 1:
            raise ValueError(
                f"a passage to exchange is not there exactly once in {original.__qualname__}: "
                f"{first}"
            )
        start, stop = source.index(first), source.index(last) + len(last)
        exchanged = _either(condition[0], new, source[start:stop]) if condition else new
        source = source[:start] + exchanged + source[stop:]
    # The module's own globals, so that what the function shares with its neighbours stays shared.
    scope = original.__globals__
    scope.update({f"_accelerated_{name}": value for name, value in names.items()})
    local: dict[str, Function] = {}
    exec(compile(source, f"<accelerated {original.__qualname__}>", "exec"), scope, local)  # noqa: S102 - hashed source
    return local[original.__name__]


def _either(condition: str, new: str, passage: str) -> str:
    indent = passage[: len(passage) - len(passage.lstrip())]
    deeper = functools.partial(textwrap.indent, prefix="    ")
    return f"{indent}if {condition}:\n{deeper(new)}{indent}else:\n{deeper(passage)}"


def prepare(replacements: Sequence[Replacement]) -> Prepared:
    """Check replacements against the CalCOS that is installed, and make the stand-ins of those that
    fit.

    Parameters
    ----------
    replacements
        All there are, no function in two of them.
    """
    reasons = {replacement.name: replacement.mismatch() for replacement in replacements}
    return Prepared(
        {
            replacement.name: replacement.stand_ins()
            for replacement in replacements
            if not reasons[replacement.name]
        },
        {name: reason for name, reason in reasons.items() if reason},
    )
