"""Command ``cosmo new monitor``: what it refuses, and that what it writes works."""

from pathlib import Path

import pytest

from cosmo.cli.new import monitor
from shared.errors import PermanentError
from tests.docs.checkout import ROOT, copy_checkout, run_python


@pytest.mark.parametrize("name", ["Lamp", "2lamps", "lamp flux", "lamp--flux", "class", "../lamp"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(PermanentError, match="is no name for a monitor"):
        monitor(name, ROOT)


@pytest.mark.parametrize("name", ["stims", "phd", "fuv-dark"])
def test_names_that_are_taken_are_refused(name: str) -> None:
    with pytest.raises(PermanentError, match="already"):
        monitor(name, ROOT)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="is no checkout"):
        monitor("lamp-flux", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.integration
def test_its_test_passes_at_once(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    written = run_python(checkout, "-m", "cosmo", "new", "monitor", "lamp-flux")
    assert written.returncode == 0, written.stderr
    folder = "services/monitor/monitors"
    for place in (f"{folder}/lamp_flux/monitor.py", f"tests/{folder}/lamp_flux/test_lamp_flux.py"):
        assert place in written.stdout
    tested = run_python(
        checkout, "-m", "pytest", "-q", f"tests/{folder}/lamp_flux/test_lamp_flux.py"
    )
    assert tested.returncode == 0, tested.stdout
    assert "1 passed" in tested.stdout
    checked = run_python(checkout, "-m", "ruff", "check", "services", f"tests/{folder}")
    assert checked.returncode == 0, checked.stdout
