"""Every operation tried with what its schema allows and forbids, on the process as it is deployed.

Each fault that this found has a small test of its own beside the part that had it.
"""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.services.monitor.conftest import TOKEN, SeededDatabase
from tests.services.monitor.web.test_artifact_responses import artifact  # noqa: F401 - fixture
from tests.services.monitor.web.test_calibrations import fetched, reference  # noqa: F401 - fixture
from tests.services.monitor.web.test_monitors import measured  # noqa: F401 - fixture
from tests.services.monitor.web.web_process import web_process

pytestmark = pytest.mark.integration

_CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
_SECONDS = 1800
"""After which something waits for what never comes; an idle machine takes half a minute."""


def _ask_for_work(url: str, folder: Path) -> None:
    """Let there be a recalibration, a dry run, a subscription and an uploaded reference file."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    upload = reference(folder, "my_flat.fits", 1.0)
    with httpx.Client(base_url=url, headers=headers, timeout=_SECONDS) as web:
        for path, sent in (
            ("calibrations", {"json": {"rootname": "ldfd01010"}}),
            ("calibrations", {"json": {"rootname": "ldfd01010", "dry_run": True}}),
            ("subscriptions", {"json": {"channel": "webhook", "target": "http://localhost"}}),
            ("references?name=my_flat.fits&keyword=FLATFILE", {"content": upload}),
        ):
            web.post(f"/{path}", **sent).raise_for_status()


@pytest.mark.usefixtures("artifact", "fetched", "measured", "runs")
def test_answers_are_as_the_schema_says(seeded: SeededDatabase, tmp_path: Path) -> None:
    tokens = f'{{"operator": "{TOKEN}"}}'
    with web_process(seeded.settings, tmp_path, COSMO_API__TOKENS=tokens) as process:
        _ask_for_work(process.url, tmp_path)
        schema = tmp_path / "openapi.json"
        schema.write_text(httpx.get(f"{process.url}/openapi.json", timeout=_SECONDS).text)
        found = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli"),
                *("--config-file", _CONFIGURATION, "--no-color"),
                *("run", schema, "--url", process.url.removesuffix("/api/v1")),
            ],
            cwd=tmp_path,
            env={**os.environ, "COSMO_TEST_TOKEN": TOKEN},
            timeout=_SECONDS,
            capture_output=True,
            text=True,
        )
    assert found.returncode == 0, found.stdout + found.stderr
