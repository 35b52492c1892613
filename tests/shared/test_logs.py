"""Logs are written as long as they can be, and stop nobody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from shared.logs import configure_logging, get_logger
configure_logging("tester")
for _ in range(1000):
    get_logger().error("something")
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_a_full_disk_stops_nobody_who_logs() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM + "import os; os._exit(7)"],
            stderr=full,
            env=environment,
            check=False,
        )
    assert done.returncode == 7
