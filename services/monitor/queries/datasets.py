"""Datasets: lists of them, and one with its files, runs and timeline."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.errors import NotFoundError
from services.monitor.queries.pages import Records, decode_cursor, encode_cursor, split
from services.monitor.response_models.datasets import (
    DatasetDetail,
    DatasetRecord,
    DatasetRunRecord,
    Timeline,
    TimelineEntry,
)
from services.monitor.response_models.files import FileRecord
from shared.database.models.operations import Attempt, Dataset, DatasetState, Event, File, Job, Run

__all__ = [
    "DatasetChoice",
    "FoundDataset",
    "describe_dataset",
    "find_dataset",
    "list_datasets",
    "load_dataset",
    "timeline_of",
]


_COLUMNS = (
    Dataset.id,
    Dataset.rootname,
    Dataset.kind,
    Dataset.state,
    Dataset.reason,
    Dataset.failed_stage,
    Dataset.error_kind,
    Dataset.members,
    Dataset.companions,
    Dataset.missing,
    Dataset.left_aside,
    (Dataset.missing == []).label("complete"),
    Dataset.forced,
    Dataset.created_at,
    Dataset.updated_at,
)
"""Fields of a record.

Lists are long: whole rows of the model, and records made one by one, would take a third more time.
"""

_RECORDS = TypeAdapter(list[DatasetRecord])


@dataclass(frozen=True)
class DatasetChoice:
    """Which datasets are listed.

    Attributes
    ----------
    state, kind
        Their state and kind; None for any.
    rootname
        Beginning of their rootnames.
    since
        Time at or after which they changed.
    """

    state: DatasetState | None = None
    kind: str | None = None
    rootname: str | None = None
    since: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Make the conditions of a query."""
        found: list[ColumnElement[bool]] = []
        if self.state is not None:
            found.append(Dataset.state == self.state)
        if self.kind is not None:
            found.append(Dataset.kind == self.kind)
        if self.rootname is not None:
            found.append(Dataset.rootname.startswith(self.rootname.lower(), autoescape=True))
        if self.since is not None:
            found.append(Dataset.updated_at >= self.since)
        return found


@dataclass(frozen=True)
class FoundDataset:
    """A dataset that was asked for by its rootname or by that of an exposure.

    Attributes
    ----------
    id
        Number of the dataset.
    record
        State of the dataset.
    member
        Rootname that was asked for, if it is that of a member.
    """

    id: int
    record: DatasetRecord
    member: str | None

    @property
    def rootname(self) -> str:
        """Rootname of the dataset itself."""
        return self.record.rootname


async def list_datasets(
    session: AsyncSession, choice: DatasetChoice, limit: int, cursor: str | None = None
) -> Records[DatasetRecord]:
    """List a page of datasets, newest change first."""
    query = (
        select(*_COLUMNS)
        .where(*choice.conditions())
        .order_by(Dataset.updated_at.desc(), Dataset.id.desc())
    )
    if (after := decode_cursor(cursor, datetime.fromisoformat, int)) is not None:
        query = query.where(tuple_(Dataset.updated_at, Dataset.id) < (after[0], after[1]))
    found, more = split((await session.execute(query.limit(limit + 1))).all(), limit)
    key = (found[-1].updated_at.isoformat(), found[-1].id) if more else None
    return Records(
        _RECORDS.validate_python([row._asdict() for row in found]),
        encode_cursor(key) if key else None,
    )


async def load_dataset(session: AsyncSession, rootname: str) -> Dataset:
    """Load the row of a dataset for what changes it, by its rootname or by that of a member.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    rootname = rootname.lower()
    found = (
        await session.execute(select(Dataset).where(Dataset.rootname == rootname))
    ).scalar_one_or_none()
    if found is None:
        by_file = (
            select(Dataset)
            .join(File)
            .where(File.rootname == rootname)
            .order_by(Dataset.id)
            .limit(1)
        )
        found = (await session.execute(by_file)).scalar_one_or_none()
    if found is None:
        raise NotFoundError(
            "unknown_dataset", f"no dataset {rootname}; /api/v1/datasets lists those that there are"
        )
    return found


async def find_dataset(session: AsyncSession, rootname: str) -> FoundDataset:
    """Find a dataset by its rootname or by that of a member.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    row, asked = await load_dataset(session, rootname), rootname.lower()
    record = DatasetRecord.model_validate(row)
    return FoundDataset(row.id, record, asked if asked in record.members else None)


async def describe_dataset(session: AsyncSession, dataset: FoundDataset) -> DatasetDetail:
    """Describe a dataset with its current files and its runs."""
    files = await session.execute(
        select(File)
        .where(File.dataset_id == dataset.id, File.current)
        .order_by(File.origin.desc(), File.name)
    )
    runs = await session.execute(
        select(Run).where(Run.dataset_id == dataset.id).order_by(Run.id.desc())
    )
    current = [FileRecord.model_validate(file) for file in files.scalars()]
    return DatasetDetail(
        **dict(dataset.record),
        problems=[problem for file in current for problem in file.problems],
        files=current,
        runs=[DatasetRunRecord.model_validate(run) for run in runs.scalars()],
    )


async def timeline_of(session: AsyncSession, dataset: FoundDataset) -> Timeline:
    """List events and attempts of a dataset, oldest first."""
    query = select(Event, Event.sequence).where(Event.dataset_id == dataset.id)
    attempts = await session.execute(
        select(Attempt, Job.stage).join(Job).where(Job.dataset_id == dataset.id)
    )
    entries = [
        *(
            TimelineEntry(
                at=event.at,
                id=place,
                name=event.name,
                job_id=event.job_id,
                detail=event.detail,
            )
            for event, place in await session.execute(query)
        ),
        *(_attempt(attempt, stage.value) for attempt, stage in attempts),
    ]
    return Timeline(items=sorted(entries, key=lambda entry: entry.at))


def _attempt(attempt: Attempt, stage: str) -> TimelineEntry:
    detail = {
        "stage": stage,
        "attempt": attempt.number,
        "worker": attempt.worker,
        "outcome": attempt.outcome or "running",
        "finished_at": attempt.finished_at.isoformat() if attempt.finished_at else None,
        "error_kind": attempt.error_kind,
        "error": attempt.error,
    }
    return TimelineEntry(
        at=attempt.started_at,
        id=None,
        name="attempt.started",
        job_id=attempt.job_id,
        detail=detail,
    )
