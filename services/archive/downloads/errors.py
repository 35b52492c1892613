"""Errors within a download, before it is given up."""

from shared.errors import TransientError

__all__ = ["InterruptedDownloadError", "OtherContentError", "StoppedError"]


class InterruptedDownloadError(Exception):
    """A download broke, and may go on.

    Attributes
    ----------
    wait
        Seconds that the server asks to wait, if it does.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class OtherContentError(TransientError):
    """What came is not what the source lists, which may be about to list another delivery."""


class StoppedError(Exception):
    """The download is no longer wanted."""
