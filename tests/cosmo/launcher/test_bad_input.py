"""What cannot work as it is set is said at the start in one line, by every process, without a
traceback.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from sqlalchemy import text

from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from shared.database.engine import Database
from shared.errors import OutageError
from shared.store import Store
from tests.object_store import ObjectStore
from tests.pooler import pooler
from tests.preloaded import Preloaded

pytestmark = pytest.mark.integration

_PATIENCE = 120.0

Start = Callable[..., str]

_WORKER, _WEB = ("services.archive",), ("services.monitor",)
_MIGRATION = ("shared.database",)
_UP, _RUN = ("cosmo", "up", "--port", "0"), ("cosmo", "run", ".")


def _name(command: tuple[str, ...]) -> str:
    return " ".join(command[:2])


@pytest.fixture
def working(
    postgres: EmbeddedPostgres, valkey: EmbeddedValkey, database: Database, tmp_path: Path
) -> dict[str, str]:
    """Return settings with which everything starts."""
    return {
        "COSMO_DATABASE_URL": database.url,
        "COSMO_REDIS_URL": valkey.url,
        "COSMO_STORE_URL": f"file://{tmp_path}/store",
        "COSMO_API__PORT": "0",
    }


@pytest.fixture
def start(preloaded: Preloaded, working: dict[str, str], tmp_path: Path) -> Start:
    """Start a process that ends, with other settings; returns the line with which it does."""

    def start(command: tuple[str, ...], **settings: str) -> str:
        module, *arguments = command
        if module == "cosmo":
            arguments += ["--data-dir", str(tmp_path / "data")]
        environment = {**os.environ, "AWS_EC2_METADATA_DISABLED": "true"} | working
        changed = {f"COSMO_{name}": value for name, value in settings.items()}
        ended = preloaded.run((module, *arguments), tmp_path, environment | changed, _PATIENCE)
        printed = ended.stdout + ended.stderr
        assert ended.returncode == 1, printed
        assert "Traceback" not in printed
        if module == "cosmo":
            return " ".join(ended.stderr.split())  # of the width of a terminal
        lines = [json.loads(line) for line in ended.stderr.splitlines()]
        (error,) = [str(line["error"]) for line in lines if line["level"] == "error"]
        assert len(error.splitlines()) == 1
        return error

    return start


@pytest.fixture(scope="module")
def stranger(postgres: EmbeddedPostgres) -> Iterator[str]:
    """User of Postgres who needs a password."""
    rules = postgres._data_dir / "postgres" / "pg_hba.conf"
    if not rules.exists():
        rules = next(postgres._data_dir.rglob("pg_hba.conf"))
    before = rules.read_text()
    rules.write_text(f"local all stranger scram-sha-256\n{before}")
    yield "stranger"
    rules.write_text(before)


async def _prepare_stranger(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("DROP ROLE IF EXISTS stranger"))
        await session.execute(text("CREATE ROLE stranger LOGIN PASSWORD 'right'"))
        await session.execute(text("SELECT pg_reload_conf()"))


@pytest.mark.parametrize("command", [_WORKER, _WEB, _MIGRATION, _UP], ids=_name)
async def test_wrong_password_of_postgres(
    command: tuple[str, ...],
    start: Start,
    database: Database,
    stranger: str,
) -> None:
    await _prepare_stranger(database)
    url = database.url.replace("cosmo@", f"{stranger}:wrong@", 1)
    line = start(command, DATABASE_URL=url)
    assert "password authentication failed" in line
    assert "wrong" not in line


@pytest.mark.parametrize("command", [_WORKER, _WEB, _RUN], ids=_name)
def test_pooler_in_transaction_mode(
    command: tuple[str, ...],
    start: Start,
    postgres: EmbeddedPostgres,
    tmp_path: Path,
) -> None:
    with pooler(postgres, tmp_path) as address:
        line = start(command, DATABASE_URL=f"{address}/postgres")
    assert "COSMO_DATABASE_URL leads through a pooler in transaction mode" in line
    assert "set COSMO_DATABASE_DIRECT_URL" in line


_UNKNOWN = "postgresql://cosmo@localhost/cosmo?pool=3"
_CLOSED = "postgresql://cosmo:hush@127.0.0.1:9/cosmo"
_NAMELESS = "postgresql://cosmo:hush@postgres.invalid/cosmo"


@pytest.mark.parametrize(
    ("command", "setting", "value", "problem"),
    [
        (_WORKER, "DATABASE_URL", _UNKNOWN, "unknown option, pool"),
        (_WEB, "DATABASE_URL", _UNKNOWN, "unknown option, pool"),
        (_MIGRATION, "DATABASE_URL", _UNKNOWN, "unknown option, pool"),
        (_UP, "DATABASE_URL", _UNKNOWN, "unknown option, pool"),
        (_MIGRATION, "DATABASE_URL", _CLOSED, "at postgresql://cosmo:***@127.0.0.1:9"),
        (_RUN, "DATABASE_URL", _CLOSED, "no Postgres answers at COSMO_DATABASE_URL"),
        (_UP, "DATABASE_URL", _NAMELESS, "no Postgres answers at COSMO_DATABASE_URL"),
        (_WORKER, "STORE_URL", "s3://bucket", "Unable to locate credentials"),
        (_WEB, "STORE_URL", "oci://bucket", "install"),
        (_UP, "STORE_URL", "oci://bucket", "install"),
        (_WORKER, "STORE_URL", "file:///dev/null/store", "Not a directory"),
        (_RUN, "STORE_URL", "file:///dev/null/store", "Not a directory"),
        (_WORKER, "REFERENCES__FOLDER", "memory://empty", "lists no reference files"),
        (_RUN, "REFERENCES__FOLDER", "memory://empty", "lists no reference files"),
    ],
)
def test_what_cannot_work_is_said(
    command: tuple[str, ...],
    setting: str,
    value: str,
    problem: str,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    line = start(command, **{setting: value})
    assert problem in line
    assert "hush" not in line


@pytest.mark.parametrize("command", [_WORKER, _WEB], ids=_name)
def test_database_that_is_not_there(
    command: tuple[str, ...], start: Start, database: Database
) -> None:
    url = database.url.replace("/postgres?", "/nosuch?")
    line = start(command, DATABASE_URL=url)
    assert 'database "nosuch" does not exist' in line


@pytest.mark.parametrize("command", [_WORKER, _UP], ids=_name)
def test_wrong_password_of_the_broker(
    command: tuple[str, ...], start: Start, valkey: EmbeddedValkey
) -> None:
    url = valkey.url.replace("unix://", "unix://stranger:hush@")
    line = start(command, REDIS_URL=url)
    assert "invalid username-password pair" in line
    assert "hush" not in line


def test_a_bucket_removed_meanwhile_is_an_outage(object_store: ObjectStore, tmp_path: Path) -> None:
    file = tmp_path / "a.fits"
    file.write_bytes(b"content")
    bucket = fsspec.filesystem("s3", skip_instance_cache=True)
    bucket.mkdir("gone")
    store = Store("s3://gone/cosmo")
    store.publish(file, "raw/x")
    bucket.rm("gone", recursive=True)
    with contextlib.suppress(FileNotFoundError):
        bucket.rmdir("gone")
    calls: list[Callable[[], object]] = [
        lambda: store.open("raw/x/a.fits").__enter__(),
        lambda: store.fetch("raw/x/a.fits", tmp_path / "new"),
        lambda: store.files("raw/x"),
        lambda: store.folders("raw"),
        lambda: list(store.walk()),
        lambda: store.remove("raw/x"),
        lambda: store.publish(file, "raw/y"),
    ]
    for call in calls:
        with pytest.raises(OutageError, match="there is no bucket 'gone' any more"):
            call()
