"""Queues of the stages."""

import pytest

from shared.database.models.operations import Stage
from shared.jobs.queues import Queue, is_bulk, queue_of, queues_of
from shared.jobs.routing import NewJob


def test_each_queue_is_of_a_stage() -> None:
    assert set(queues_of(Stage)) == set(Queue)


@pytest.mark.parametrize("stage", Stage)
def test_work_of_low_priority_waits_apart_where_the_stage_has_a_queue_for_it(stage: Stage) -> None:
    urgent, bulk = queue_of(stage), queue_of(stage, bulk=True)
    assert not is_bulk(urgent)
    assert bulk in (f"{urgent}-bulk", urgent)
    assert is_bulk(bulk) == (bulk != urgent)


def test_a_job_waits_in_the_queue_of_its_stage() -> None:
    assert NewJob(Stage.INGEST_PRODUCTS, {}, {}).queue is Queue.INGEST
    assert NewJob(Stage.INGEST_PRODUCTS, {}, {}, bulk=True).queue is Queue.INGEST_BULK
    assert NewJob(Stage.RECALIBRATE, {}, {}, bulk=True).queue is Queue.RECALIBRATE
