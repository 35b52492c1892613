"""Limits of a container, as both versions of control groups say them."""

import os
from pathlib import Path

import pytest

from shared import control_groups
from shared.operating_system import LINUX


@pytest.mark.parametrize(
    ("files", "share"),
    [
        ({"memory.max": "max", "memory.stat": "anon 5\nfile 7\nshmem 2"}, 0.0),
        ({"memory.max": "1000", "memory.stat": "anon 500\nfile 700\nshmem 200"}, 0.7),
        (
            {
                "memory/memory.limit_in_bytes": "1000",
                "memory/memory.stat": "rss 1\ntotal_rss 900\ntotal_cache 90\ntotal_shmem 60",
            },
            0.96,
        ),
    ],
)
def test_memory_of_a_container_that_cannot_be_reclaimed_is_counted(
    files: dict[str, str], share: float, tmp_path: Path
) -> None:
    groups = tmp_path / "proc/self/cgroup"
    groups.parent.mkdir(parents=True)
    groups.write_text("4:memory:/\n0::/\n")
    for name, content in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    assert control_groups.memory_share(tmp_path) == pytest.approx(share)


@pytest.mark.parametrize(
    ("files", "memory", "cores"),
    [
        ({}, None, 64),
        # Version 2, seen from inside the container, and from outside.
        ({"": "0::/", "memory.max": "1073741824", "cpu.max": "150000 100000"}, 1024, 2),
        ({"": "0::/a/b", "a/memory.max": "1073741824", "a/b/memory.max": "max"}, 1024, 64),
        ({"": "0::/a/b", "memory.max": "536870912", "cpu.max": "max 100000"}, 512, 64),
        # Version 1.
        (
            {
                "": "5:cpu,cpuacct:/x\n4:memory:/x",
                "memory/memory.limit_in_bytes": "2147483648",
                "cpu/x/cpu.cfs_quota_us": "50000",
                "cpu/x/cpu.cfs_period_us": "100000",
            },
            2048,
            1,
        ),
        (
            {
                "": "5:cpu,cpuacct:/\n4:memory:/",
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
            },
            None,
            64,
        ),
    ],
)
@pytest.mark.skipif(not LINUX, reason="control groups are Linux's")
def test_limits_of_a_container_count(
    files: dict[str, str],
    memory: int | None,
    cores: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    for name, content in files.items():
        path = tmp_path / (f"sys/fs/cgroup/{name}" if name else "proc/self/cgroup")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    assert control_groups.container_memory_mb(tmp_path) == memory
    assert control_groups.usable_cores(tmp_path) == cores


@pytest.mark.parametrize("linux", [True, False])
def test_cores_are_counted_with_and_without_linux(
    linux: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_groups, "LINUX", linux)
    assert 1 <= control_groups.usable_cores() <= (os.cpu_count() or 1)
