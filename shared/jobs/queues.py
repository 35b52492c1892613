"""Queues of the jobs."""

from collections.abc import Iterable
from enum import StrEnum

from shared.database.models.operations import Stage

__all__ = ["Queue", "is_bulk", "queue_of", "queues_of"]


class Queue(StrEnum):
    """A queue; the dispatcher alone feeds those of bulk work, in windows."""

    FETCH = "fetch"
    FETCH_BULK = "fetch-bulk"
    RECALIBRATE = "recalibrate"
    CALIBRATE = "calibrate"
    CALIBRATE_BULK = "calibrate-bulk"
    INGEST = "ingest"
    INGEST_BULK = "ingest-bulk"
    MONITOR = "monitor"


_QUEUES = {
    Stage.FETCH: Queue.FETCH,
    Stage.CALIBRATE: Queue.CALIBRATE,
    Stage.RECALIBRATE: Queue.RECALIBRATE,
    Stage.INGEST_RAW: Queue.INGEST,
    Stage.INGEST_PRODUCTS: Queue.INGEST,
    Stage.MONITOR: Queue.MONITOR,
}
_BULK_QUEUES = {
    Queue.FETCH: Queue.FETCH_BULK,
    Queue.CALIBRATE: Queue.CALIBRATE_BULK,
    Queue.INGEST: Queue.INGEST_BULK,
}


def queue_of(stage: Stage, *, bulk: bool = False) -> Queue:
    """Queue of a stage's jobs.

    Parameters
    ----------
    stage
        The stage.
    bulk
        Whether the work is of low priority, where the stage has a queue for that.
    """
    queue = _QUEUES[stage]
    return _BULK_QUEUES.get(queue, queue) if bulk else queue


def queues_of(stages: Iterable[Stage]) -> list[Queue]:
    """All queues of some stages."""
    wanted = {queue_of(stage, bulk=bulk) for stage in stages for bulk in (False, True)}
    return [queue for queue in Queue if queue in wanted]


def is_bulk(queue: str) -> bool:
    """Whether a queue holds work of low priority, such as a reprocessing."""
    return queue in _BULK_QUEUES.values()
