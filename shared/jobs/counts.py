"""Numbers of datasets and jobs by state, without counting them each time.

Triggers write every change of a state into a table, whose rows are summed and now and then merged:
what it costs to read them does not grow with history, and transactions do not wait for each other.
"""

from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.operations import StateCount

__all__ = ["Count", "merge_counts", "read_counts"]

_MERGE = text(
    """
    WITH changes AS (DELETE FROM state_counts RETURNING stage, queue, state, number)
    INSERT INTO state_counts (stage, queue, state, number)
    SELECT stage, queue, state, sum(number) FROM changes GROUP BY 1, 2, 3 HAVING sum(number) <> 0
    """
)
_MERGED_ROWS = 1000
"""Rows from which on it pays to merge them; summing as many takes less than a millisecond."""


@dataclass(frozen=True)
class Count:
    """Number of the datasets of a state, or of the jobs of a stage, queue and state.

    Attributes
    ----------
    stage, queue
        None for datasets.
    state
        The state.
    number
        How many there are.
    """

    stage: str | None
    queue: str | None
    state: str
    number: int


async def read_counts(session: AsyncSession) -> list[Count]:
    """Return the numbers of datasets and jobs as one transaction sees them."""
    key = (StateCount.stage, StateCount.queue, StateCount.state)
    query = select(*key, func.sum(StateCount.number)).group_by(*key)
    rows = await session.execute(query.having(func.sum(StateCount.number) != 0))
    return [Count(stage, queue, state, int(number)) for stage, queue, state, number in rows]


async def merge_counts(session: AsyncSession) -> None:
    """Merge the rows of each key where there are many of them."""
    rows = await session.execute(select(func.count()).select_from(StateCount))
    if rows.scalar_one() >= _MERGED_ROWS:
        await session.execute(_MERGE)
