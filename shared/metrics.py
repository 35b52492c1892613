"""Prometheus metrics that each process keeps of itself.

Counters and histograms of all processes add up. What there is once for a database, such as the
number of jobs that wait, is not here: one process alone serves it
(``services.monitor.queries.metrics``).
"""

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import cast

from prometheus_client import Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

__all__ = [
    "BUILD",
    "CALCOS_CPU_SECONDS",
    "CALCOS_PEAK_MEMORY",
    "CALCOS_WALL_SECONDS",
    "CATALOGUE_FAILURES",
    "CATALOGUE_LISTINGS",
    "DATABASE_CONNECTIONS",
    "HTTP_REQUESTS",
    "HTTP_SECONDS",
    "JOBS_ENDED",
    "JOB_RETRIES",
    "JOB_SECONDS",
    "LEADER",
    "LEASE_FAILURES",
    "OF_PROCESSES",
    "REACHABLE",
    "SCANS",
    "SCAN_SECONDS",
    "STORE_FAILURES",
    "STORE_SECONDS",
    "watch_disks",
]

# A further series for each counter, which Prometheus does not need; the function has no types.
cast("Callable[[], None]", disable_created_metrics)()

_MB = 1 << 20
_LONG = (0.05, 0.2, 1, 5, 20, 60, 180, 600, 1800, 3600)
_SHORT = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

BUILD = Info("cosmo_build", "Version of a process and its service")
JOB_SECONDS = Histogram(
    "cosmo_job_seconds", "Duration of an attempt at a job", ["stage"], buckets=_LONG
)
JOBS_ENDED = Counter("cosmo_jobs_ended_total", "Attempts that ended", ["stage", "outcome"])
JOB_RETRIES = Counter(
    "cosmo_job_retries_total", "Attempts after which a job is tried again", ["stage", "kind"]
)
LEASE_FAILURES = Counter(
    "cosmo_lease_failures_total",
    "Leases that were not renewed in time (late), were lost by their worker (lost), or were ended "
    "by the dispatcher (expired)",
    ["kind"],
)
LEADER = Gauge("cosmo_leader", "1 where the process leads, else 0", ["role"])
REACHABLE = Gauge(
    "cosmo_server_reachable",
    "1 where a server, Postgres or the broker, answered the process last",
    ["server"],
)
DATABASE_CONNECTIONS = Gauge(
    "cosmo_database_connections",
    "Connections of the pool of a process: those in use, those open and idle, and the most",
    ["state"],
)
STORE_SECONDS = Histogram(
    "cosmo_store_operation_seconds",
    "Duration of an operation of the file store",
    ["operation"],
    buckets=(0.001, *_SHORT, 30, 120),
)
STORE_FAILURES = Counter(
    "cosmo_store_failures_total", "Operations that the file store failed", ["operation"]
)
DISK_FREE = Gauge(
    "cosmo_disk_free_bytes",
    "Room on the disk of a folder of a process; processes of one machine see the same disk",
    ["folder"],
)
SCANS = Counter("cosmo_scans_total", "Scans of the source by how they ended", ["outcome"])
SCAN_SECONDS = Histogram("cosmo_scan_seconds", "Duration of a scan", buckets=_LONG)
CATALOGUE_LISTINGS = Counter(
    "cosmo_catalogue_listings_total",
    "Listings of the catalogues of remote archives by how they ended",
    ["catalogue", "kind", "outcome"],
)
CATALOGUE_FAILURES = Counter(
    "cosmo_catalogue_failures_total",
    "Times that a remote archive did not answer and was left alone for a while",
    ["catalogue"],
)
CALCOS_WALL_SECONDS = Histogram(
    "cosmo_calcos_wall_seconds", "Duration of a run of CalCOS", ["outcome"], buckets=_LONG
)
CALCOS_CPU_SECONDS = Counter(
    "cosmo_calcos_cpu_seconds_total", "Processor time of runs of CalCOS, with all their processes"
)
CALCOS_PEAK_MEMORY = Histogram(
    "cosmo_calcos_peak_memory_bytes",
    "Peak memory of the largest process of a run of CalCOS",
    buckets=[_MB << power for power in range(7, 15)],
)
HTTP_REQUESTS = Counter(
    "cosmo_http_requests_total", "Requests that were answered", ["method", "route", "status"]
)
HTTP_SECONDS = Histogram(
    "cosmo_http_request_seconds",
    "Time from a request to the beginning of its answer",
    ["method", "route"],
    buckets=_SHORT,
)

OF_PROCESSES: tuple[MetricWrapperBase, ...] = (
    BUILD,
    JOB_SECONDS,
    JOBS_ENDED,
    JOB_RETRIES,
    LEASE_FAILURES,
    LEADER,
    REACHABLE,
    DATABASE_CONNECTIONS,
    STORE_SECONDS,
    STORE_FAILURES,
    DISK_FREE,
    SCANS,
    SCAN_SECONDS,
    CATALOGUE_LISTINGS,
    CATALOGUE_FAILURES,
    CALCOS_WALL_SECONDS,
    CALCOS_CPU_SECONDS,
    CALCOS_PEAK_MEMORY,
    HTTP_REQUESTS,
    HTTP_SECONDS,
)
"""All of them, for the reference."""


def watch_disks(folders: Iterable[tuple[str, Path | None]]) -> None:
    """Export the room on the disks of some folders.

    Parameters
    ----------
    folders
        Name and path of each; one that is not on this machine, or not there, is left out.
    """
    for name, folder in folders:
        if folder is not None and (place := _existing(folder)) is not None:
            DISK_FREE.labels(name).set_function(partial(_free, place))


def _existing(folder: Path) -> Path | None:
    """Return a folder, or the one in which it will be made."""
    return next((place for place in (folder, folder.parent) if place.is_dir()), None)


def _free(folder: Path) -> float:
    try:
        found = os.statvfs(folder)
    except OSError:
        return float("nan")
    return float(found.f_bavail * found.f_frsize)
