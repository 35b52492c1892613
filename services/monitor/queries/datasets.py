"""Queries for datasets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.pages import decode_cursor, split
from services.monitor.web.error_responses import ApiError
from shared.database.models.operations import Attempt, Dataset, DatasetState, Event, File, Job, Run

__all__ = [
    "Choice",
    "dataset_summary",
    "describe_dataset",
    "find_dataset",
    "list_page",
    "member_of",
    "timeline_of",
]


def dataset_summary(dataset: Dataset) -> dict[str, Any]:
    """State of a dataset, and what is missing of it."""
    return {
        "rootname": dataset.rootname,
        "kind": dataset.kind,
        "state": dataset.state,
        "reason": dataset.reason,
        "failed_stage": dataset.failed_stage,
        "error_kind": dataset.error_kind,
        "members": dataset.members,
        "companions": dataset.companions,
        "missing": dataset.missing,
        "left_aside": dataset.left_aside,
        "complete": not dataset.missing,
        "forced": dataset.forced,
        "created_at": dataset.created_at.isoformat(),
        "updated_at": dataset.updated_at.isoformat(),
    }


@dataclass(frozen=True)
class Choice:
    """Which datasets are listed: state, kind, beginning of the rootname, changed at or after a
    time.
    """

    state: DatasetState | None = None
    kind: str | None = None
    rootname: str | None = None
    since: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """For a query."""
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


async def list_page(
    session: AsyncSession, choice: Choice, limit: int, cursor: str | None
) -> tuple[Sequence[Dataset], list[Any] | None]:
    """Datasets, newest change first, and the key of the last one when there are more behind it."""
    query = (
        select(Dataset)
        .where(*choice.conditions())
        .order_by(Dataset.updated_at.desc(), Dataset.id.desc())
    )
    if (after := decode_cursor(cursor, datetime.fromisoformat, int)) is not None:
        query = query.where(tuple_(Dataset.updated_at, Dataset.id) < (after[0], after[1]))
    found, more = split((await session.execute(query.limit(limit + 1))).scalars().all(), limit)
    return found, [found[-1].updated_at.isoformat(), found[-1].id] if more else None


def member_of(dataset: Dataset, rootname: str) -> str | None:
    """Rootname of the exposure that was asked for, when it is a member of the dataset."""
    return rootname.lower() if rootname.lower() in dataset.members else None


async def find_dataset(session: AsyncSession, rootname: str) -> Dataset:
    """Dataset by its rootname or by that of a member.

    Raises
    ------
    ApiError
        404 if there is none.
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
        raise ApiError(
            404,
            "unknown_dataset",
            f"no dataset {rootname}; /api/v1/datasets lists those that there are",
        )
    return found


def _file(file: File) -> dict[str, Any]:
    names = (
        "id",
        "name",
        "rootname",
        "suffix",
        "origin",
        "size",
        "sha256",
        "run_id",
        "current",
        "problems",
    )
    return {name: getattr(file, name) for name in names} | {
        "created_at": file.created_at.isoformat()
    }


def _run(run: Run) -> dict[str, Any]:
    names = (
        "id",
        "job_id",
        "attempt",
        "kind",
        "provenance",
        "current",
        "calcos_version",
        "inputs",
        "references",
        "switches",
        "randseeds",
        "accepted_missing",
        "warnings",
        "exit_status",
        "signal",
        "error",
        "wall_seconds",
        "cpu_seconds",
        "peak_rss_mb",
        "trailer",
    )
    return {name: getattr(run, name) for name in names} | {"created_at": run.created_at.isoformat()}


async def describe_dataset(session: AsyncSession, dataset: Dataset) -> dict[str, Any]:
    """State, current files and runs of a dataset."""
    files = await session.execute(
        select(File)
        .where(File.dataset_id == dataset.id, File.current)
        .order_by(File.origin.desc(), File.name)
    )
    runs = await session.execute(
        select(Run).where(Run.dataset_id == dataset.id).order_by(Run.id.desc())
    )
    current = files.scalars().all()
    return {
        **dataset_summary(dataset),
        "problems": [problem for file in current for problem in file.problems],
        "files": [_file(file) for file in current],
        "runs": [_run(run) for run in runs.scalars()],
    }


async def timeline_of(session: AsyncSession, dataset: Dataset) -> list[dict[str, Any]]:
    """Events and attempts of a dataset, oldest first."""
    events = await session.execute(select(Event).where(Event.dataset_id == dataset.id))
    items: list[dict[str, Any]] = [
        {
            "at": event.at.isoformat(),
            "id": event.id,
            "name": event.name,
            "job_id": event.job_id,
            "detail": event.detail,
        }
        for event in events.scalars()
    ]
    attempts = await session.execute(
        select(Attempt, Job.stage).join(Job).where(Job.dataset_id == dataset.id)
    )
    for attempt, stage in attempts:
        detail = {
            "stage": stage,
            "attempt": attempt.number,
            "worker": attempt.worker,
            "outcome": attempt.outcome or "running",
            "finished_at": attempt.finished_at.isoformat() if attempt.finished_at else None,
            "error_kind": attempt.error_kind,
            "error": attempt.error,
        }
        items.append(
            {
                "at": attempt.started_at.isoformat(),
                "id": None,
                "name": "attempt.started",
                "job_id": attempt.job_id,
                "detail": detail,
            }
        )
    return sorted(items, key=lambda item: datetime.fromisoformat(item["at"]))
