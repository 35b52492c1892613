"""Fixtures that tests of every package share: real data, real servers, a migrated database."""

import asyncio
import gc
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from sqlalchemy import text
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

import shared.database.models  # noqa: F401 - registers all tables
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from shared.database.base import Base
from shared.database.engine import Database
from shared.database.schema import migrate
from shared.jobs.sequencer import keep_sequencing
from shared.worker.broker import Messenger, make_broker
from tests.object_store import ObjectStore
from tests.preloaded import Preloaded

_ROOT = Path(__file__).parents[1]
_PROCESSED = ("main_job", "pages", "monitor_pages", "handbook")
_TOGETHER = {f"tests/e2e/test_{name}.py": "processed" for name in _PROCESSED}
"""Modules that one process tests, since they share what takes long to make: by its fixture."""


class _Scheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Distribution of the tests: all of a module to one process, and so those of some modules."""

    def _split_scope(self, nodeid: str) -> str:
        module: str = super()._split_scope(nodeid)
        return _TOGETHER.get(module, module)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Scheduling | None:
    """Distribute modules that share something together."""
    return _Scheduling(config, log) if config.option.dist == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the real archives alone, unless they are asked for (``-m live``)."""
    if "live" in config.option.markexpr:
        return
    live = [item for item in items if item.get_closest_marker("live")]
    config.hook.pytest_deselected(items=live)
    items[:] = [item for item in items if item not in live]


def pytest_collection_finish() -> None:
    """Leave what was imported out of the searches for garbage.

    It lives as long as the process, and to look through it takes a sixth of the processor time of
    tests that make many objects.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real COS data.

    Where it is absent the test skips, or fails when the data are required.
    """
    folder = Path(os.environ.get("COSMO_TEST_DATA", _ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        reason = f"no real data at {folder}; COSMO_TEST_DATA names another folder"
        if os.environ.get("COSMO_TEST_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Maker of a disk of a few bytes (``64k``, ``20m``).

    Where tmpfs may not be mounted the test skips.
    """
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True
        )
        if made.returncode != 0:
            pytest.skip("no right to mount a small tmpfs")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="session")
def preloaded() -> Iterator[Preloaded]:
    """Process that runs commands with the packages imported."""
    process = Preloaded()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """Real Postgres for the whole session."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """Real Redis-compatible broker for the whole session."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def messenger(valkey: EmbeddedValkey) -> AsyncIterator[Messenger]:
    """Messenger on an empty broker."""
    broker = make_broker(valkey.url)
    broker.client.flushall()
    yield Messenger(broker)
    broker.close()


@pytest.fixture(scope="session")
def object_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """Real S3 server for the whole session."""
    server = ObjectStore(tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


@pytest.fixture
def object_store(
    object_server: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ObjectStore]:
    """Empty bucket of a real S3 server, to which the environment leads."""
    for name, value in object_server.environment.items():
        monkeypatch.setenv(name, value)
    object_server.keep_alive()
    object_server.start()
    system = fsspec.get_filesystem_class("s3")
    system.clear_instance_cache()  # clients keep the credentials that they found
    if system().exists("bucket"):
        system().rm("bucket", recursive=True)
    system().mkdir("bucket")
    yield object_server
    system.clear_instance_cache()


@pytest.fixture(scope="session")
def schema(postgres: EmbeddedPostgres) -> None:
    """Newest schema, for the whole session."""

    async def bring() -> None:
        database = Database(postgres.url)
        await migrate(database)
        await database.dispose()

    asyncio.run(bring())


@pytest.fixture
async def database(postgres: EmbeddedPostgres, schema: None) -> AsyncIterator[Database]:
    """Migrated, empty database."""
    database = Database(postgres.url)
    await _empty(database)
    yield database
    await database.dispose()


@pytest.fixture
async def sequencer(database: Database) -> AsyncIterator[None]:
    """Sequencer that gives events their places during the test."""
    task = asyncio.ensure_future(keep_sequencing(database))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


_TABLES = [f'"{table.name}"' for table in Base.metadata.sorted_tables]
_SIZES = " UNION ALL ".join(
    f"SELECT '{name}', pg_relation_size('{name}'), EXISTS (SELECT FROM {name})" for name in _TABLES
)
_LARGE = 1_000_000
"""Bytes of a table from which on it is truncated, so that no test meets what others left of it."""


async def _empty(database: Database) -> None:
    """Remove all rows, and count from 1 again.

    Most tests write to few tables. Deleting their rows takes a tenth of the time that it takes to
    truncate all tables, for which Postgres makes new files of each table and index.
    """
    async with database.transaction() as session:
        found = (await session.execute(text(_SIZES))).all()
        if any(size >= _LARGE for _, size, _ in found):
            await session.execute(text(f"TRUNCATE {', '.join(_TABLES)} CASCADE"))
        # Neither the order of foreign keys nor triggers of append-only tables are in the way.
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        for name, _, has_rows in found:
            if has_rows:
                await session.execute(text(f"DELETE FROM {name}"))
        await session.execute(
            text(
                "SELECT setval(format('%I.%I', schemaname, sequencename), 1, false) "
                "FROM pg_sequences WHERE last_value IS NOT NULL"
            )
        )
