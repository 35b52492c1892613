"""Lines, rows and measurements of a file that cannot be read.

They are counted, and the first of them named.
"""

from services.ingestor.extractors.rows import Source
from shared.errors import PermanentError

__all__ = ["Unreadable"]

_NAMED = 5
_SHOWN = 80
"""Most characters of an item that a message shows."""


class Unreadable:
    """Items of a file that cannot be read.

    Parameters
    ----------
    unit
        What an item is called, e.g. line.
    wanted
        What it should be.
    """

    def __init__(self, unit: str, wanted: str) -> None:
        self._unit = unit
        self._wanted = wanted
        self._count = 0
        self._named: list[str] = []

    def add(self, number: int, why: str) -> None:
        """Count an item.

        Parameters
        ----------
        number
            Its number in the file, from 1.
        why
            What stands there, or what is wrong with it.
        """
        self._count += 1
        if len(self._named) < _NAMED:
            self._named.append(f"{self._unit} {number}: {why[:_SHOWN]}")

    def report(self, source: Source, readable: int) -> None:
        """Note how many there were beside those that could be read.

        Raises
        ------
        PermanentError
            If none could be read: the file is not what its name says.
        """
        if not self._count:
            return
        some = f"{self._count} of {self._count + readable} {self._unit}s"
        more = "; ..." if self._count > _NAMED else ""
        problem = f"{some} are no {self._wanted} and left out ({'; '.join(self._named)}{more})"
        if not readable:
            raise PermanentError(f"{source.name}: {problem}")
        source.note(problem)
