"""Expired leases, by the clock of the process that watches them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

__all__ = ["Lease", "LeaseWatch"]


@dataclass(frozen=True)
class Lease:
    """What the holder of a job changes when it renews.

    Attributes
    ----------
    attempt
        Number of the attempt.
    until
        Until when it holds.
    """

    attempt: int
    until: datetime | None


class LeaseWatch:
    """Tells how long the holders have been silent while the database answered.

    The database's clock may be put back or forth, and Postgres may stand still with all who ask it:
    so a lease runs out not at its time but when it was seen unchanged for its length, of which a
    pause between two comparisons counts at most a third, in which a living holder renews.

    Parameters
    ----------
    length
        Length of a lease, seconds.
    """

    def __init__(self, length: float) -> None:
        self._length = length
        self._silent: dict[int, tuple[Lease, float]] = {}
        self._compared = time.monotonic()

    def find_expired(self, leases: Mapping[int, tuple[Lease, bool]]) -> list[int]:
        """Compare the leases with those of the last call, and find those that ran out.

        Parameters
        ----------
        leases
            Lease of each job that runs, and whether its time is over; then its holder has half of
            the length to renew a lease that was not seen before, as after a restart of everything.

        Returns
        -------
        list of int
            Jobs whose lease ran out.
        """
        now = time.monotonic()
        passed, self._compared = min(now - self._compared, self._length / 3), now
        silent = {}
        for job_id, (lease, over) in leases.items():
            before, seconds = self._silent.get(job_id, (None, 0.0))
            silent[job_id] = (
                lease,
                seconds + passed if before == lease else self._length / 2 if over else 0.0,
            )
        self._silent = silent
        return [job_id for job_id, (_, seconds) in silent.items() if seconds >= self._length]
