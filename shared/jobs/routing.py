"""The static routing table: which event causes which job."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from shared.cos.names import STANDALONE
from shared.database.models.operations import Stage
from shared.events import EventName
from shared.jobs.queues import Queue, is_bulk, queue_of

__all__ = [
    "ACQUISITION",
    "ASSOCIATION",
    "CALIBRATED",
    "CONCURRENT",
    "EXPOSURE",
    "PRODUCTS",
    "ROUTES",
    "NewJob",
    "causes_jobs",
    "fingerprint",
    "jobs_for",
]

ASSOCIATION, EXPOSURE, ACQUISITION, PRODUCTS = "association", "exposure", "acquisition", "products"
"""Kinds of dataset; products are those of the archive, and support files, without raw data."""


@dataclass(frozen=True)
class Route:
    """An event, the kinds of dataset it concerns, and the job that it causes on them."""

    event: EventName
    kinds: frozenset[str]
    stage: Stage


CALIBRATED = frozenset({ASSOCIATION, EXPOSURE})
"""Kinds of dataset that CalCOS calibrates."""

ROUTES = (
    Route(EventName.DATASET_FETCHED, CALIBRATED, Stage.CALIBRATE),
    Route(
        EventName.DATASET_FETCHED,
        CALIBRATED | {ACQUISITION, PRODUCTS, *STANDALONE.values()},
        Stage.INGEST_RAW,
    ),
    Route(
        EventName.PRODUCTS_FETCHED,
        CALIBRATED | {ACQUISITION, PRODUCTS},
        Stage.INGEST_PRODUCTS,
    ),
    Route(EventName.DATASET_CALIBRATED, CALIBRATED, Stage.INGEST_PRODUCTS),
)
"""Science data are calibrated.

Acquisitions, reports and the like are measured from their files as they are.
"""


CONCURRENT = frozenset({Stage.RECALIBRATE})
"""Stages whose jobs on one dataset stand beside each other.

In all others a new job replaces the earlier one.
"""


@dataclass(frozen=True)
class NewJob:
    """A job to be written.

    Attributes
    ----------
    stage
        Stage.
    payload
        What its handler is given.
    depends_on
        What its result depends on.
    bulk
        Whether it is of low priority.
    """

    stage: Stage
    payload: dict[str, Any]
    depends_on: dict[str, Any]
    bulk: bool = False

    @property
    def queue(self) -> Queue:
        """Queue that it waits in."""
        return queue_of(self.stage, bulk=self.bulk)


def fingerprint(depends_on: dict[str, Any]) -> str:
    """Hash of everything that a result depends on, whatever the order of the keys."""
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()


def causes_jobs(event: EventName) -> bool:
    """Whether an event may cause jobs, depending on the kind of its dataset."""
    return any(route.event == event for route in ROUTES)


def jobs_for(
    event: EventName, kind: str, detail: dict[str, Any], cause: str | None = None
) -> list[NewJob]:
    """Return the jobs that an event causes.

    Parameters
    ----------
    event
        Name of the event.
    kind
        Kind of the dataset.
    detail
        Detail of the event; ``detail["depends_on"]`` maps a stage (or ``*``) to what its result
        depends on.
    cause
        Queue of the job that brought it about: what comes of bulk work is bulk work.
    """
    depends_on = detail.get("depends_on", {})
    return [
        NewJob(
            route.stage,
            {},
            depends_on.get(route.stage.value, depends_on.get("*", {})),
            bulk=cause is not None and is_bulk(cause),
        )
        for route in ROUTES
        if route.event == event and kind in route.kinds
    ]
