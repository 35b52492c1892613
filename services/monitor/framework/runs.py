"""Runs of monitors: read the inputs, compute, and leave values, figures, artifacts and alerts in
one transaction.
"""

import asyncio
import contextlib
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.framework.alerts import write_alerts
from services.monitor.framework.declaration import Monitor, NewArtifact, RunOutput
from services.monitor.framework.derived_tables import write_tables
from services.monitor.framework.figure_store import draw_figures, write_figures
from services.monitor.framework.freshness import ahead_findings
from services.monitor.framework.increments import find_parts, write_parts
from services.monitor.framework.loading import load
from services.monitor.framework.reference_inputs import find_references
from services.monitor.framework.scheduling import request_run
from services.monitor.framework.values import write_values
from shared.cos.reference_names import RemoteFolder
from shared.database.engine import Database, is_outage
from shared.database.models.monitoring import Artifact, MonitorRun, Outcome
from shared.errors import PermanentError
from shared.events import EventName
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent, Outbox
from shared.jobs.runner import Completion
from shared.store import Store, StoredFile

__all__ = ["MonitorService", "artifact_folder"]


def artifact_folder(monitor: str) -> str:
    """Return the folder in the store for the artifacts of a monitor."""
    return f"monitors/{monitor}"


class MonitorService:
    """Runs monitors.

    Parameters
    ----------
    database
        Database.
    store
        Where artifacts go.
    monitors
        Monitors by name.
    references
        Folder of the reference files; None where there is none.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        monitors: Mapping[str, Monitor],
        references: Path | RemoteFolder | None = None,
    ) -> None:
        self._database = database
        self._store = store
        self._monitors = monitors
        self._references = references

    async def run(self, job: ClaimedJob) -> Completion:
        """Compute a monitor.

        Parameters
        ----------
        job
            Job about the monitor; its payload's ``generation`` is the newest event that the inputs
            must reflect.

        Raises
        ------
        PermanentError
            If there is no such monitor.
        Exception
            Whatever a step of the run raises, once a run that ended as ``failed`` is written with
            its reason.
        """
        monitor = self._monitors.get(job.subject_name)
        if monitor is None:
            raise PermanentError(
                f"there is no monitor {job.subject_name!r}; there are {', '.join(self._monitors)}"
            )
        generation = int(job.payload["generation"])
        started = time.monotonic()
        async with self._recorded(monitor, job, generation, started):
            findings = await self._compute(
                monitor, generation, forced=bool(job.payload.get("forced"))
            )
            if findings is None or (findings.newest_mjd is None and not findings.tables):
                return _nothing_new(monitor, job, generation, started)
            figures = await asyncio.to_thread(draw_figures, findings.figures)
            # An attempt that was given back has the number of the next one.
            folder = (
                f"{artifact_folder(monitor.name)}/job{job.id}-{job.attempt}-{uuid.uuid4().hex[:8]}"
            )
            artifacts = await asyncio.to_thread(self._publish, folder, findings)
        event = NewEvent(
            EventName.MONITOR_UPDATED, {"outcome": Outcome.UPDATED.value, "generation": generation}
        )

        async def write(session: AsyncSession) -> None:
            run_id = await _write_run(
                session, _run(monitor, job, Outcome.UPDATED, generation, started, findings=findings)
            )
            await write_values(session, monitor.name, run_id, findings.values)
            await write_figures(session, monitor.name, run_id, figures)
            await _write_artifacts(
                session, monitor.name, run_id, artifacts, findings.kept_artifacts
            )
            await write_parts(session, monitor.name, findings.parts)
            rows = await write_tables(session, findings.tables)
            counts = await write_alerts(session, monitor.name, run_id, findings.findings)
            event.detail.update(run=run_id, alerts=counts, rows=rows)
            if findings.unfinished:
                # The dispatcher sends its message.
                await request_run(
                    session, monitor, Outbox(), occasion={"after run": run_id, "forced": True}
                )
            seconds = time.monotonic() - started
            await session.execute(
                update(MonitorRun).where(MonitorRun.id == run_id).values(seconds=seconds)
            )

        async def apply(session: AsyncSession) -> None:
            async with self._recorded(monitor, job, generation, started):
                await write(session)

        return Completion(event, apply, discard=lambda: self._store.remove(folder))

    @contextlib.asynccontextmanager
    async def _recorded(
        self, monitor: Monitor, job: ClaimedJob, generation: int, started: float
    ) -> AsyncIterator[None]:
        """Leave a failed run where a step of one raises.

        Not for an outage of Postgres, which is waited out.
        """
        try:
            yield
        except Exception as error:
            if isinstance(error, OSError) or not is_outage(error):
                values = _run(monitor, job, Outcome.FAILED, generation, started)
                with contextlib.suppress(DBAPIError, OSError):
                    async with self._database.transaction() as session:
                        await _write_run(
                            session, values | {"reason": f"{type(error).__name__}: {error}"}
                        )
            raise

    async def _compute(
        self, monitor: Monitor, generation: int, *, forced: bool
    ) -> RunOutput | None:
        """Compute the findings; None where the last run saw the same inputs by the same version."""
        async with self._database.session() as session:
            # All inputs are of one moment, whatever is ingested meanwhile.
            await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            last = (
                await session.execute(
                    select(MonitorRun.generation, MonitorRun.versions)
                    .where(
                        MonitorRun.monitor == monitor.name, MonitorRun.outcome == Outcome.UPDATED
                    )
                    .order_by(MonitorRun.id.desc())
                    .limit(1)
                )
            ).one_or_none()
            if (
                last is not None
                and not forced
                and last.generation >= generation
                and last.versions == monitor.versions
            ):
                return None
            columns = {name: await load(session, query) for name, query in monitor.inputs.items()}
            for name, reference in monitor.references.items():
                paths = await find_references(session, reference, self._references)
                columns[name] = await asyncio.to_thread(reference.read, paths)
            inputs, parts = await find_parts(session, monitor, columns)
        findings = await asyncio.to_thread(monitor.compute, inputs)
        monitor.check_output(findings)
        ahead = ahead_findings(findings.newest_mjd)
        return replace(
            findings, parts={**findings.parts, **parts}, findings=[*findings.findings, *ahead]
        )

    def _publish(self, folder: str, findings: RunOutput) -> list[tuple[NewArtifact, StoredFile]]:
        """Put the artifacts into the store."""
        with tempfile.TemporaryDirectory(prefix="cosmo-monitor-") as temporary:
            stored = []
            for artifact in findings.artifacts:
                path = Path(temporary) / artifact.name
                path.write_bytes(artifact.content)
                stored.append((artifact, self._store.publish(path, folder)))
        return stored


def _run(
    monitor: Monitor,
    job: ClaimedJob,
    outcome: Outcome,
    generation: int,
    started: float,
    *,
    findings: RunOutput | None = None,
) -> dict[str, Any]:
    return {
        "monitor": monitor.name,
        "job_id": job.id,
        "outcome": outcome,
        "generation": generation,
        "newest_mjd": findings.newest_mjd if findings else None,
        "statistics": dict(findings.statistics) if findings else {},
        "versions": monitor.versions,
        "seconds": time.monotonic() - started,
    }


def _nothing_new(monitor: Monitor, job: ClaimedJob, generation: int, started: float) -> Completion:
    async def apply(session: AsyncSession) -> None:
        await _write_run(session, _run(monitor, job, Outcome.NO_NEW_DATA, generation, started))

    return Completion(
        NewEvent(EventName.MONITOR_CHECKED, {"outcome": Outcome.NO_NEW_DATA.value}), apply
    )


async def _write_run(session: AsyncSession, values: dict[str, Any]) -> int:
    statement = insert(MonitorRun).values(values).returning(MonitorRun.id)
    return int((await session.execute(statement)).scalar_one())


async def _write_artifacts(
    session: AsyncSession,
    monitor: str,
    run_id: int,
    artifacts: list[tuple[NewArtifact, StoredFile]],
    kept: Sequence[str],
) -> None:
    await session.execute(
        update(Artifact)
        .where(Artifact.monitor == monitor, Artifact.current, Artifact.name.not_in(kept))
        .values(current=False)
    )
    for artifact, stored in artifacts:
        session.add(
            Artifact(
                monitor=monitor,
                run_id=run_id,
                kind=artifact.kind,
                path=stored.path,
                name=stored.name,
                size=stored.size,
                sha256=stored.sha256,
                detail=artifact.detail,
            )
        )
    await session.flush()
