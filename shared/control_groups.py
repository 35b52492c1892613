"""Limits and use of the container that this process is in, by Linux's control groups."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from shared.operating_system import LINUX

__all__ = ["container_memory_mb", "memory_share", "usable_cores"]

_UNLIMITED = 1 << 60
"""Version 1 of control groups says so with about this many bytes."""
_ROOT = Path("/")


def usable_cores(root: Path = _ROOT) -> int:
    """Count the cores that this process may use: those of the machine, or fewer in a container.

    Parameters
    ----------
    root
        Root of the file system that says the limits of the container.
    """
    if not LINUX:
        return os.cpu_count() or 1
    quotas = [_words(group / "cpu.max") for group in _control_groups(root, "")]
    quotas += [
        [*_words(group / "cpu.cfs_quota_us"), *_words(group / "cpu.cfs_period_us")]
        for group in _control_groups(root, "cpu")
    ]
    limits = [
        math.ceil(int(words[0]) / int(words[1]))
        for words in quotas
        if len(words) == 2 and words[0].isdigit()  # neither "max" nor -1
    ]
    return max(1, min([len(os.sched_getaffinity(0)), *limits]))


def container_memory_mb(root: Path = _ROOT) -> int | None:
    """Return the memory limit of the container; None where there is none.

    Parameters
    ----------
    root
        Root of the file system that says it.
    """
    limits = [_bytes(group / "memory.max") for group in _control_groups(root, "")]
    limits += [_bytes(group / "memory.limit_in_bytes") for group in _control_groups(root, "memory")]
    return min((limit >> 20 for limit in limits if limit is not None), default=None)


def memory_share(root: Path = _ROOT) -> float:
    """Return how much of the container's memory is used and cannot be reclaimed; 0 without a limit.

    Where the share comes near 1, the system kills what is in the container.

    Parameters
    ----------
    root
        Root of the file system that says it.
    """
    shares = [
        _used(group, "anon", "shmem") / limit
        for group in _control_groups(root, "")
        if (limit := _bytes(group / "memory.max"))
    ]
    shares += [
        _used(group, "total_rss", "total_shmem") / limit
        for group in _control_groups(root, "memory")
        if (limit := _bytes(group / "memory.limit_in_bytes"))
    ]
    return max(shares, default=0.0)


def _bytes(file: Path) -> int | None:
    """Return the limit that a file has; None where it is missing or sets none."""
    words = _words(file)
    limited = words and words[0].isdigit() and 0 < int(words[0]) < _UNLIMITED
    return int(words[0]) if limited else None


def _used(group: Path, *names: str) -> int:
    words = _words(group / "memory.stat")
    values = dict(zip(words[::2], words[1::2], strict=False))
    return sum(int(values.get(name, 0)) for name in names)


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of the control groups that this process is in, cgroups(7).

    Parameters
    ----------
    root
        Root of the file system.
    controller
        Controller of version 1; empty for version 2.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controller in controllers.split(","):
            # A container may see its own group as the root, and its path as the host does.
            parts = [part for part in group.split("/") if part]
            for depth in range(len(parts) + 1):
                yield (root / "sys/fs/cgroup" / controller).joinpath(*parts[:depth])


def _words(file: Path) -> list[str]:
    """Return the words of a file; none where it is missing."""
    try:
        return file.read_text().split()
    except OSError:
        return []
