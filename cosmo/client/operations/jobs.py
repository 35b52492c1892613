"""Jobs and failures."""

from cosmo.client.calls import Call, get, post, quoted
from cosmo.client.endpoints import listing, operation
from services.monitor.response_models.common import Page
from services.monitor.response_models.jobs import DroppedJobs, JobRecord, RequeuedJobs

__all__ = ["JobOperations"]


class JobOperations:
    """Jobs and failures."""

    @listing
    def jobs(
        self,
        *,
        state: str | None = None,
        stage: str | None = None,
        queue: str | None = None,
        kind: str | None = None,
        rootname: str | None = None,
    ) -> Call[Page[JobRecord]]:
        """Iterate over jobs, newest first.

        Parameters
        ----------
        state, stage, queue
            Only jobs in this state, of this stage, in this queue.
        kind
            Kind of error.
        rootname
            Dataset.
        """
        return get(
            "/jobs",
            Page[JobRecord],
            state=state,
            stage=stage,
            queue=queue,
            kind=kind,
            rootname=rootname,
        )

    @listing
    def failures(
        self, *, stage: str | None = None, kind: str | None = None, rootname: str | None = None
    ) -> Call[Page[JobRecord]]:
        """Iterate over failed jobs with their reasons, newest first; filters as of `jobs`."""
        return get("/failures", Page[JobRecord], stage=stage, kind=kind, rootname=rootname)

    @operation
    def requeue(self, job_id: int) -> Call[RequeuedJobs]:
        """Try a failed job again.

        Needs the scope ``operate``.
        """
        return post(quoted("failures", job_id, "requeue"), RequeuedJobs)

    @operation
    def requeue_all(
        self, *, stage: str | None = None, kind: str | None = None, rootname: str | None = None
    ) -> Call[RequeuedJobs]:
        """Try all failed jobs of a filter again; filters as of `jobs`.

        Needs the scope ``operate``.
        """
        return post(
            "/failures/requeue",
            RequeuedJobs,
            repeatable=True,
            stage=stage,
            kind=kind,
            rootname=rootname,
        )

    @operation
    def drop(self, job_id: int) -> Call[DroppedJobs]:
        """Take a failed job off the list of failures.

        Needs the scope ``operate``.
        """
        return post(quoted("failures", job_id, "drop"), DroppedJobs)
