"""Errors within a download, before it is given up."""

from shared.errors import TransientError

__all__ = ["FailedFileError", "InterruptedDownloadError", "OtherContentError", "StoppedError"]


class InterruptedDownloadError(Exception):
    """A download broke, and may go on.

    Attributes
    ----------
    wait
        Seconds that the server asks to wait, if it does.
    of_file
        Whether it may concern this file alone, and not the server.
    """

    def __init__(self, reason: str, wait: float | None = None, *, of_file: bool = False) -> None:
        super().__init__(reason)
        self.wait, self.of_file = wait, of_file


class FailedFileError(TransientError):
    """A server answers, and fails with this file, perhaps with no other one."""


class OtherContentError(TransientError):
    """What came is not what the source lists, which may be about to list another delivery."""


class StoppedError(Exception):
    """The download is no longer wanted."""
