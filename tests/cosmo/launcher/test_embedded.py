"""Embedded servers survive what users do to them."""

import os
import shutil
import subprocess
import sys
import tempfile
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


_CAP_DAC_READ_SEARCH = 2
"""Its number in linux/capability.h."""


def _can_lend_reading() -> bool:
    status = Path("/proc/self/status").read_text()
    bounds = next(line for line in status.splitlines() if line.startswith("CapBnd:"))
    return shutil.which("setpriv") is not None and bool(int(bounds.split()[1], 16) >> _CAP_DAC_READ_SEARCH & 1)


# An ordinary user, who may read what the tests are made of even where it lies below root's closed home; nothing else.
_AS_NOBODY = (
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--bounding-set=-all,+dac_read_search",
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=+dac_read_search",
)


@pytest.mark.skipif(os.geteuid() != 0, reason="this test run is an ordinary user's already")
@pytest.mark.skipif(not _can_lend_reading(), reason="needs setpriv (util-linux) and CAP_DAC_READ_SEARCH")
def test_an_ordinary_user_can_start_it() -> None:
    folder = Path(tempfile.mkdtemp(prefix="cosmo-user-"))
    os.chown(folder, 65534, 65534)
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey\n"
        "assert os.geteuid() == 65534 and not os.access('/etc', os.W_OK)\n"
        "for kind in (EmbeddedPostgres, EmbeddedValkey):\n"
        "    server = kind(Path(sys.argv[1])); server.start(); server.stop()\n"
        "print('fine')"
    )
    try:
        done = subprocess.run(
            [*_AS_NOBODY, sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=60
        )
        assert done.stdout.strip() == "fine", done.stderr
        assert {path.stat().st_uid for path in folder.rglob("*")} == {65534}
    finally:
        shutil.rmtree(folder)
