"""State of a dataset as a function of its jobs, so that it cannot disagree with them.

Postgres derives it (view ``derived_states``): a failure outweighs everything, then a skip;
otherwise the earliest stage that is not done decides. Superseded and dropped jobs do not count, nor
does work beside the pipeline. The function ``refresh_state`` writes it, in the statement that
changes a job or in a later one of its transaction.
"""

from collections.abc import Iterable

from sqlalchemy import ARRAY, BigInteger, any_, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.operations import Dataset

__all__ = ["lock_datasets", "note_locked", "refresh_states"]

_HELD = "cosmo.held_datasets"
"""Key of what a session knows of its locks; no transaction here has savepoints, which lose some."""


async def lock_datasets(session: AsyncSession, dataset_ids: Iterable[int]) -> None:
    """Take datasets for a transaction that changes their jobs.

    Call it before the transaction changes any job.

    Who changes jobs takes the datasets first, then the jobs: in one order, so that no two wait for
    each other. The lock leaves the row to foreign keys, which every new job, file and run of it
    checks.
    """
    held = _held(session)
    if not (wanted := set(dataset_ids) - held):
        return
    # As one array: a statement takes 32767 parameters at most, and a scan may bring more datasets.
    ids = literal(sorted(wanted), ARRAY(BigInteger))
    query = select(Dataset.id).where(Dataset.id == any_(ids)).order_by(Dataset.id)
    await session.execute(query.with_for_update(key_share=True))
    note_locked(session, wanted)


def note_locked(session: AsyncSession, dataset_ids: Iterable[int]) -> None:
    """Note datasets that a statement of the transaction has taken, as `lock_datasets` does."""
    held = _held(session) | set(dataset_ids)
    session.info[_HELD] = session.sync_session.get_transaction(), held


def _held(session: AsyncSession) -> set[int]:
    """Return the datasets that the transaction of a session has taken, to its end."""
    transaction, held = session.info.get(_HELD, (None, set[int]()))
    current = session.sync_session.get_transaction()
    return set(held) if transaction is current is not None else set()


async def refresh_states(session: AsyncSession, dataset_ids: Iterable[int]) -> None:
    """Write the states of datasets inside the transaction that changed their jobs.

    Parameters
    ----------
    session
        Session of that transaction.
    dataset_ids
        Datasets.
    """
    if not (wanted := sorted(set(dataset_ids))):
        return
    # Nor may two transactions each derive a state that the other makes wrong.
    await lock_datasets(session, wanted)
    await session.flush()
    ids = func.unnest(literal(wanted, ARRAY(BigInteger))).column_valued()
    await session.execute(select(func.refresh_state(ids)))
