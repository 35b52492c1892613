"""What ends is started again and reported; a port has one owner."""

import itertools
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from cosmo.launcher import supervision
from cosmo.launcher.stack import LocalStack
from cosmo.launcher.supervision import Supervised
from shared.database.engine import Database
from shared.errors import PermanentError, TransientError


def _reports(check: Callable[[], list[str]], enough: Callable[[], bool]) -> list[str]:
    """Check again and again until it is enough; returns what was reported."""
    deadline, reports = time.monotonic() + 20.0, list[str]()
    while not enough():
        assert time.monotonic() < deadline
        time.sleep(0.02)
        reports += check()
    return reports


def _check(child: Supervised) -> list[str]:
    report = child.check()
    return [] if report is None else [report]


def _child(program: str) -> Callable[[], subprocess.Popen[bytes]]:
    return lambda: subprocess.Popen([sys.executable, "-c", program])


def test_a_killed_child_is_started_again_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "_FIRST_PAUSE", 0.05)
    child = Supervised("sleeper", Path("sleeper.log"), _child("import time; time.sleep(60)"))
    child.start()
    first = child.process
    assert child.check() is None
    assert first is not None
    first.send_signal(signal.SIGKILL)
    first.wait()
    ended, started = _reports(lambda: _check(child), lambda: child.running)
    assert "sleeper ended with SIGKILL" in ended
    assert "sleeper.log" in ended
    assert child.process is not None
    assert started == f"sleeper started again as process {child.process.pid}"
    assert child.process is not first
    child.process.kill()
    child.process.wait()


def test_pauses_grow_while_a_child_keeps_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(supervision, "_LONGEST_PAUSE", 0.04)
    starts: list[float] = []

    def launch() -> subprocess.Popen[bytes]:
        starts.append(time.monotonic())
        if len(starts) == 3:
            raise TransientError("no room")
        return subprocess.Popen(["/bin/false"])

    child = Supervised("faulty", Path("faulty.log"), launch)
    child.start()
    said = _reports(lambda: _check(child), lambda: len(starts) == 6)
    assert "faulty ended with status 1; it" in said[0]
    assert any("could not be started (no room), 3 times in a row" in line for line in said)
    pauses = [after - before for before, after in itertools.pairwise(starts)]
    assert min(pauses[2:]) >= 0.04
    child.process.wait()  # type: ignore[union-attr]


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    """By another program, and by another instance."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PermanentError, match=f"port {port} of 127.0.0.1: it is taken"):
            LocalStack(tmp_path, port=port)
    machine = LocalStack(tmp_path / "one")
    with pytest.raises(PermanentError, match="it is taken"):
        LocalStack(tmp_path / "two", port=machine.port)
    machine.stop()
    again = LocalStack(tmp_path / "two", port=machine.port)
    assert again.port == machine.port
    again.stop()


@pytest.mark.integration
async def test_killed_servers_come_back_at_their_addresses(tmp_path: Path) -> None:
    """Also while a child of the old Postgres is still at work."""
    machine = LocalStack(tmp_path)
    machine.start_servers()
    database = Database(machine.environment["COSMO_DATABASE_URL"])
    try:
        async with database.transaction() as session:
            await session.execute(text("CREATE TABLE kept AS SELECT 42 AS n"))
        before = machine.pids()
        assert set(before) == {"postgres", "valkey"}
        for server in machine._servers:
            assert server.process is not None
            server.process.kill()
            server.process.wait()
        said = _reports(machine.check, lambda: len(machine.pids()) == 2)
        assert [line.partition(";")[0] for line in said[:2]] == [
            "postgres ended with SIGKILL",
            "valkey ended with SIGKILL",
        ]
        after = machine.pids()
        assert set(after) == {"postgres", "valkey"}
        assert set(before.values()).isdisjoint(after.values())

        async def answers() -> bool:
            try:
                async with database.session() as session:
                    return bool((await session.execute(text("SELECT n FROM kept"))).scalar() == 42)
            except Exception:  # noqa: BLE001 - it still starts
                return False

        deadline = time.monotonic() + 20
        while not await answers():
            assert time.monotonic() < deadline
    finally:
        await database.dispose()
        machine.stop()
