"""When a call is sent again."""

from dataclasses import dataclass

from cosmo.client.calls import Call
from cosmo.client.errors import ApiError, ClientError, NoAnswerError

__all__ = ["Retry"]


@dataclass(frozen=True)
class Retry:
    """How often and after which pauses a call is sent again.

    A call is sent again if the service asks for it (429 or 503 with ``Retry-After``), if it could
    not be reached, or if the connection was lost under a call that does no harm twice.

    Attributes
    ----------
    attempts
        How often a call is sent at most; 1 for never again.
    first_pause
        Seconds before the second time; each further pause is twice as long. ``Retry-After`` goes
        before.
    longest_pause
        Seconds; when the service asks for a longer pause, its error is raised at once.
    """

    attempts: int = 4
    first_pause: float = 0.1
    longest_pause: float = 30.0

    def pause(self, call: Call[object], attempt: int, error: ClientError) -> float | None:
        """Return the seconds until a call is sent again; None for a final error.

        Parameters
        ----------
        call
            The call.
        attempt
            How often it was sent.
        error
            What came of it the last time.
        """
        if attempt >= self.attempts:
            return None
        pause: float | None = None
        if isinstance(error, ApiError):
            pause = error.retry_after if error.status in (429, 503) else None
        elif isinstance(error, NoAnswerError) and error.lost:
            harmless = call.repeatable or not error.sent
            pause = self.first_pause * 2 ** (attempt - 1) if harmless else None
        return pause if pause is not None and pause <= self.longest_pause else None
