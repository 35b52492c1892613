"""The one error hierarchy. The queue acts on the type: retry, fail, or skip."""

__all__ = [
    "UNREADABLE",
    "AbsentSourceError",
    "CosmoError",
    "LostClaimError",
    "MemoryShortError",
    "OutageError",
    "PermanentError",
    "RefusedError",
    "TransientError",
    "UnsupportedError",
]

UNREADABLE: tuple[type[Exception], ...] = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What code raises where the content of a file is not what it expects: reading the file again would
change nothing.
"""


class CosmoError(Exception):
    """Root of every error that COSMO raises on purpose.

    Attributes
    ----------
    kind
        Word that the jobs table and the API show for this type of error.
    """

    kind = "permanent"


class TransientError(CosmoError):
    """Something outside failed (archive down, disk full, lost connection).

    The same work may succeed later.
    """

    kind = "transient"


class OutageError(TransientError):
    """The environment cannot take work now (disk or store full or away, memory short).

    The attempt does not count.
    """

    kind = "outage"


class AbsentSourceError(OutageError):
    """The source of the data is away, with whatever else comes from it; other work may go on.

    Attributes
    ----------
    source
        The source, as the payloads of jobs name it.
    """

    def __init__(self, reason: str, source: str) -> None:
        super().__init__(reason)
        self.source = source


class MemoryShortError(TransientError):
    """The work needs more memory than its worker may use.

    It is tried once more, where another worker may have more, and then fails.
    """

    kind = "memory"


class PermanentError(CosmoError):
    """The work cannot succeed with these inputs (corrupt FITS file, missing reference).

    Do not retry.
    """

    kind = "permanent"


class RefusedError(PermanentError):
    """A request does not fit (a recipe).

    An answer to who asked, no failure that an operator acts on.
    """

    kind = "refused"


class UnsupportedError(CosmoError):
    """There is nothing to do for this dataset (nothing to calibrate): skip it, with the reason."""

    kind = "unsupported"


class LostClaimError(CosmoError):
    """The job is no longer this worker's (its lease ran out or it was dropped).

    Discard the outputs.
    """

    kind = "lost"
