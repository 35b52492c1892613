"""Servers that are named and cannot be reached end a start at once, with a line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cosmo.launcher.reaching import require_named_servers
from shared.errors import PermanentError

ROOT = Path(__file__).parents[3]
POSTGRES = "postgresql+asyncpg://cosmo:secret@127.0.0.1:1/cosmo"

CASES = [
    ("COSMO_DATABASE_URL", POSTGRES, "no Postgres answers at COSMO_DATABASE_URL"),
    (
        "COSMO_DATABASE_URL",
        "mysql://cosmo:secret@h/d",
        "is not a URL of Postgres such as postgresql+asyncpg://",
    ),
    ("COSMO_DATABASE_URL", "", "is not a URL of Postgres"),
    ("COSMO_REDIS_URL", "redis://:secret@127.0.0.1:1/0", "no broker answers at COSMO_REDIS_URL"),
    ("COSMO_REDIS_URL", "unix:///nowhere/valkey.sock", "no broker answers at COSMO_REDIS_URL"),
    ("COSMO_REDIS_URL", "http://localhost", "is not a URL of Redis such as redis://"),
]


@pytest.mark.parametrize(("name", "url", "message"), CASES)
def test_the_message_says_what_was_named(
    name: str, url: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(PermanentError, match=re.escape(message)) as raised:
        require_named_servers()
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(("command", "case"), [("run", CASES[0]), ("up", CASES[3])])
def test_a_start_ends_with_a_line(command: str, case: tuple[str, str, str], tmp_path: Path) -> None:
    name, url, message = case
    arguments = [
        command,
        *([str(tmp_path)] if command == "run" else []),
        "--data-dir",
        str(tmp_path / "a[/b] # ? %"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "cosmo", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), name: url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
