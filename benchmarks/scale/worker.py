"""``python -m benchmarks.scale.worker THREADS [FOLLOW_SECONDS]``: a worker whose jobs do nothing.

Parameters
----------
THREADS
    Jobs at once.
FOLLOW_SECONDS
    Pause between two looks of the dispatcher at a queue that is behind, where it is another one.
"""

import sys
from collections.abc import Mapping

from shared.database.engine import Database
from shared.database.models.operations import Stage
from shared.events import EventName
from shared.jobs import dispatcher
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent
from shared.jobs.runner import Completion, Handler
from shared.settings import get_settings
from shared.worker.process import run_worker


async def _nothing(_job: ClaimedJob) -> Completion:
    return Completion(NewEvent(EventName.DATASET_INGESTED, {"rows": {"headers": 1}}))


def _handlers(_database: Database) -> Mapping[Stage, Handler]:
    return {Stage.INGEST_RAW: _nothing}


if __name__ == "__main__":
    if len(sys.argv) > 2:
        dispatcher._FOLLOW_SECONDS = float(sys.argv[2])
    run_worker("benchmark", get_settings(), _handlers, threads=int(sys.argv[1]))
