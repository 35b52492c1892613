"""Prometheus metrics that every worker exports."""

from prometheus_client import Counter, Histogram

__all__ = ["JOBS_ENDED", "JOB_SECONDS"]

JOB_SECONDS = Histogram(
    "cosmo_job_seconds",
    "Duration of an attempt at a job",
    ["stage"],
    buckets=(0.05, 0.2, 1, 5, 20, 60, 180, 600, 1800, 3600),
)
JOBS_ENDED = Counter("cosmo_jobs_ended_total", "Attempts that ended", ["stage", "outcome"])
