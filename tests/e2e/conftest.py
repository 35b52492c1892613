"""Running COSMOs that tests share, and a browser."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cosmo.launcher.stack import LocalStack
from tests.e2e.browser import Browser, find_browser
from tests.e2e.running import Running, started

_SHORT_PAUSES = {
    "COSMO_JOBS__LEASE_SECONDS": "6",
    "COSMO_JOBS__SWEEP_SECONDS": "1",
    "COSMO_JOBS__RESEND_SECONDS": "3",
    "COSMO_JOBS__BACKOFF_SECONDS": "1",
    "COSMO_JOBS__GRACE_SECONDS": "1",
    # What monitors compute is looked at elsewhere, and takes as long as everything before.
    "COSMO_MONITOR__QUIET_SECONDS": "3600",
    "COSMO_MONITOR__LONGEST_WAIT_SECONDS": "3600",
}
"""Pauses so short that a test need not wait for them."""


@pytest.fixture
def start(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Running]]:
    """Start COSMO in the test's folder, with short pauses."""
    for name, value in _SHORT_PAUSES.items():
        monkeypatch.setenv(name, value)
    with contextlib.ExitStack() as stack:

        def enter(**options: Any) -> Running:
            machine = LocalStack(tmp_path / "data", references=data_dir / "references", **options)
            return Running(started(stack.enter_context(machine)))

        yield enter


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Iterator[Running]:
    """COSMO with short pauses; the tests of a module give it work of different names."""
    folder = tmp_path_factory.mktemp("running")
    with LocalStack(folder, references=data_dir / "references", settings=_SHORT_PAUSES) as machine:
        yield Running(started(machine))


@pytest.fixture(scope="package")
def processed(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Iterator[Running]:
    """COSMO with the real association processed; tests that share it only look."""
    with LocalStack(
        tmp_path_factory.mktemp("processed"), references=data_dir / "references"
    ) as machine:
        running = Running(started(machine))
        running.scan(data_dir / "ldfd01010" / "raw")
        for rootname in ("ldfd01010", "ldfd01vlq"):
            running.wait_for(rootname, "ingested", "failed")
        yield running


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Real browser; where there is none the test skips, or fails when a browser is required."""
    program = find_browser()
    if program is None:
        reason = "no chromium, chromium-browser or google-chrome on PATH"
        if os.environ.get("COSMO_TEST_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with Browser(program, tmp_path_factory.mktemp("browser")) as browser:
        yield browser
