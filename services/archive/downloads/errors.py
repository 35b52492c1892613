"""Errors within a download, before it is given up."""

__all__ = ["InterruptedDownloadError", "StoppedError"]


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


class StoppedError(Exception):
    """The download is no longer wanted."""
