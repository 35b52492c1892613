"""A worker process like those of the services, whose jobs are nothing but claimed and finished."""

from collections.abc import Mapping

from shared.database.engine import Database
from shared.database.models.operations import Stage
from shared.events import EventName
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent
from shared.jobs.runner import Completion, Handler
from shared.service import start_service
from shared.worker.process import run_worker


async def _nothing(_job: ClaimedJob) -> Completion:
    return Completion(NewEvent(EventName.DATASET_INGESTED))


def _handlers(_database: Database) -> Mapping[Stage, Handler]:
    return {Stage.INGEST_RAW: _nothing}


if __name__ == "__main__":
    run_worker("benchmark", start_service("benchmark"), _handlers, threads=2)
