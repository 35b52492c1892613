"""Embedded servers survive what users do to them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from sqlalchemy import text

from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from cosmo.launcher.lock import FolderLock
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


def test_a_folder_serves_one_start(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(PermanentError, match=str(os.getpid())):
        FolderLock(tmp_path)
    lock.release()
    FolderLock(tmp_path).release()


@pytest.mark.skipif(os.geteuid() != 0, reason="this test run is an ordinary user's already")
def test_an_ordinary_user_can_start_it() -> None:
    folder = Path("/tmp") / f"cosmo-user-{os.getpid()}"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    script = (
        "import sys; from pathlib import Path; from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey\n"
        "for kind in (EmbeddedPostgres, EmbeddedValkey):\n"
        "    server = kind(Path(sys.argv[1])); server.start(); server.stop()\n"
        "print('fine')"
    )
    try:
        probe = subprocess.run([sys.executable, "-c", "import sqlalchemy"], user=65534, group=65534, extra_groups=[])
    except PermissionError:
        probe = None
    if probe is None or probe.returncode != 0:
        shutil.rmtree(folder)
        pytest.skip("the environment is below root's home, out of other users' reach")
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder)],
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.stdout.strip() == "fine", done.stderr
    finally:
        shutil.rmtree(folder)
