"""What Linux alone offers, and what stands in for it.

Both ways of each, the other one with Linux's switched off.
"""

import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from shared import operating_system

ROOT = Path(__file__).parents[2]

OFF = "import shared.operating_system\nshared.operating_system.LINUX = False\n"

# A process that starts a child and stays; it prints the child's number.
PARENTS = {
    "of a program": """
import signal, sys, time
from pathlib import Path
from cosmo.launcher.processes import spawn
print(spawn(["sleep", "60"], Path(sys.argv[1]), death_signal=signal.SIGKILL).pid, flush=True)
time.sleep(60)
""",
    "of a fork": """
import os, time
from shared.operating_system import end_with_parent
parent, child = os.getpid(), os.fork()
if child:
    print(child, flush=True)
else:
    end_with_parent(parent)
time.sleep(60)
""",
    "of a fork that outlives its parent's pipe": """
import os, time
from shared.operating_system import end_on_hangup
read, write = os.pipe()
child = os.fork()
if child:
    print(child, flush=True)
else:
    os.close(write)
    end_on_hangup(read)
time.sleep(60)
""",
}


def _python(code: str, linux: bool, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code if linux else OFF + code, *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


@pytest.mark.parametrize("linux", [True, False])
@pytest.mark.parametrize("code", PARENTS.values(), ids=PARENTS)
def test_the_end_of_a_parent_is_the_end_of_its_child(
    code: str, linux: bool, tmp_path: Path
) -> None:
    with _python(code, linux, str(tmp_path / "log")) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        time.sleep(0.5)  # until the child has asked for its end
        family = [child, *(one for one in psutil.Process(parent.pid).children() if one != child)]
        assert child.is_running()
        parent.kill()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


def test_what_waits_for_the_end_of_a_parent_ends_with_the_child(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
import psutil
from cosmo.launcher.processes import spawn, stop
child = spawn(["sleep", "60"], Path(sys.argv[1]))
beside = [one for one in psutil.Process().children() if one.pid != child.pid]
stop(child, 15, 5)
gone, alive = psutil.wait_procs(beside, timeout=10)
print(len(gone), len(alive))
"""
    with _python(code, False, str(tmp_path / "log")) as parent:
        assert parent.stdout is not None
        assert parent.stdout.read() == "1 0\n"


@pytest.mark.parametrize(
    "linux",
    [
        True,
        pytest.param(
            False, marks=pytest.mark.skipif(shutil.which("ps") is None, reason="needs ps")
        ),
    ],
)
def test_usage_of_another_process(linux: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operating_system, "LINUX", linux)
    code = (
        "import time; held = b'x' * 50_000_000; end = time.process_time() + 1.1\nwhile "
        "time.process_time() < end: pass"
    )
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}\nprint(flush=True); time.sleep(60)"], stdout=-1
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = operating_system.usage_of(process.pid)
        process.kill()
    assert found is not None
    assert 1.0 <= found.cpu_seconds < 5  # ps has whole seconds
    assert 50 < found.peak_mb < 120
    assert operating_system.usage_of(process.pid) is None


def test_clock_of_ps(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, seconds in (("0:01.50", 1.5), ("01:02:03", 3723), ("2-00:00:01", 172_801)):
        done = subprocess.CompletedProcess([], 0, stdout=f" {said}  2048\n")
        monkeypatch.setattr(subprocess, "run", lambda *_, done=done, **__: done)
        assert operating_system._usage_by_ps(1) == operating_system.Usage(seconds, 2.0)


def test_own_usage_is_in_megabytes() -> None:
    mine = psutil.Process().memory_info().rss / 2**20
    found = operating_system.own_usage()
    assert found.peak_mb > mine / 2
    assert found.peak_mb < 100_000
    assert found.cpu_seconds > 0


@pytest.mark.parametrize("linux", [True, False])
def test_other_things_without_linux(linux: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operating_system, "LINUX", linux)
    shared = Path("/dev/shm").is_dir() or sys.platform != "linux"
    assert operating_system.semaphores_work() == shared
    assert operating_system.forked_pools_work() == (linux and shared)
    assert (operating_system.shared_memory_mb() is None) == (not linux)


def test_memory_is_limited() -> None:
    code = "from shared.operating_system import limit_memory\nlimit_memory(500)\nb'x' * 600_000_000"
    with _python(code, True) as process:
        assert process.wait() == 1


def test_locks_are_made_without_semaphores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operating_system, "semaphores_work", lambda: False)
    before = multiprocessing.Lock
    with operating_system.locks_without_semaphores():
        lock = multiprocessing.Lock()
    assert type(lock).__module__ == "_thread"
    assert multiprocessing.Lock == before


@pytest.mark.skipif(not operating_system.semaphores_work(), reason="needs semaphores: /dev/shm")
def test_locks_of_processes_stay_where_there_are_semaphores() -> None:
    with operating_system.locks_without_semaphores():
        assert type(multiprocessing.Lock()).__module__ == "multiprocessing.synchronize"
