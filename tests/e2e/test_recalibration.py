"""A simulated visit, calibrated and recalibrated through the services, the API and the command
line.
"""

import json
import random
import signal
import subprocess
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from cosmo.launcher.stack import LocalStack
from shared.errors import PermanentError
from simulator.references.catalogue import Catalogue
from simulator.verify.cases import CASES
from simulator.verify.running import simulate_case
from tests.e2e.browser import Browser
from tests.e2e.plots import plots
from tests.e2e.running import Running, started
from tests.preloaded import Preloaded
from tests.services.calibrator.recipes.benches import mode_of
from tests.services.calibrator.recipes.random_recipes import random_recipe

pytestmark = pytest.mark.e2e

CASE = CASES["NUV G185M/1921 ACCUM, GO wavecal"]
ROOT = str(CASE.association.rootname) if CASE.association else ""
SCIENCE = CASE.members[0].rootname


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the visit's raw files and references."""
    folder, catalogue = tmp_path_factory.mktemp("visit"), Catalogue()
    simulate_case(CASE, folder / "raw", catalogue)
    for member in CASE.members:
        catalogue.write(folder / "references", catalogue.select(member).values())
    return folder


@pytest.fixture(scope="module")
def visit(folder: Path) -> Iterator[Running]:
    """COSMO with the visit ingested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSMO_JOBS__LEASE_SECONDS", "3")
        patch.setenv("COSMO_JOBS__SWEEP_SECONDS", "0.5")
        with LocalStack(folder / "data", references=folder / "references") as machine:
            running = Running(started(machine))
            running.scan(folder / "raw")
            running.client.force(ROOT)  # a case comes without support files
            running.scan(folder / "raw")
            running.wait_for(ROOT, "ingested", "failed")
            assert running.state(ROOT) == "ingested"
            yield running


Command = Callable[..., subprocess.CompletedProcess[str]]

RANDOM = 12
"""Random recipes that go through the services.

The tests of the calibrator run more of them, for many modes.
"""


@pytest.fixture
def cosmo(visit: Running, preloaded: Preloaded, tmp_path: Path) -> Command:
    """Run a command as a shell does."""

    def run(*arguments: str | Path | int) -> subprocess.CompletedProcess[str]:
        machine = visit.machine
        environment = {**machine.environment, "COSMO_TOKEN": machine.token}
        command = ["cosmo", *map(str, arguments), "--url", machine.url]
        return preloaded.run(command, tmp_path, environment, 300)

    return run


def products(running: Running) -> dict[str, Any]:
    """Find the current products, by name."""
    files = running.client.dataset(ROOT).files
    return {file.name: file.run_id for file in files if file.origin == "product"}


def test_recalibration(visit: Running, cosmo: Command, tmp_path: Path) -> None:
    default = products(visit)
    options = ("--set", "SDQFLAGS=8", "--omit", "FLATCORR,BACKCORR", "--json")
    rehearsed = json.loads(cosmo("recalibrate", SCIENCE, *options, "--dry-run").stdout)
    edits = {
        (item["keyword"], item["new"])
        for item in rehearsed["changes"]
        if item["file"].startswith(SCIENCE)
    }
    assert edits == {("SDQFLAGS", 8), ("FLATCORR", "OMIT"), ("BACKCORR", "OMIT"), ("RANDSEED", 1)}
    assert (rehearsed["state"], rehearsed["run_id"]) == ("done", None)
    assert "XTRACTAB" in {item["keyword"] for item in rehearsed["references"].values()}

    wavecal = CASE.members[1].rootname
    listed = cosmo("recalibrate", ROOT, "--drop", wavecal, "--dry-run")
    assert f"  {wavecal}_rawaccum.fits: left out" in listed.stdout, listed.stderr

    archive = tmp_path / "export.tar.gz"
    answer = cosmo("recalibrate", ROOT, *options, "--export", archive)
    assert answer.returncode == 0, answer.stderr
    done = json.loads(answer.stdout)
    assert done["changes"] == rehearsed["changes"]
    assert products(visit) == default
    assert visit.state(ROOT) == "ingested"
    with tarfile.open(archive) as content:
        assert f"{ROOT}/reproduce.py" in content.getnames()
    again = visit.client.recalibrate(ROOT, done["recipe"])
    assert (again.id, again.run_id) == (done["id"], done["run_id"])

    compared = visit.client.compare(ROOT, done["run_id"])
    changed = {(item.keyword, item.second) for item in compared.headers}
    assert {("FLATCORR", "OMIT"), ("BACKCORR", "OMIT"), ("SDQFLAGS", 8)} <= changed
    assert [segment.segment for segment in compared.segments] == ["NUVA", "NUVB", "NUVC"]
    for segment in compared.segments:  # the background is a small part of the light
        assert segment.mean_ratio is not None
        assert 1.0 < segment.mean_ratio < 1.2
    picture = tmp_path / "boxes.png"
    shown = cosmo("compare", ROOT, done["run_id"], "--exposure", SCIENCE, "--image", picture)
    assert f"{SCIENCE}_x1d.fits.gz of run {done['run_id']}" in shown.stdout
    assert "NUVA: flux ratio 1." in shown.stdout
    assert "  points with DQ " in shown.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")

    assert cosmo("promote", done["id"]).returncode == 0
    assert set(products(visit).values()) == {done["run_id"]}
    visit.wait_for(ROOT, "ingested", "failed")
    assert visit.state(ROOT) == "ingested"


def fill(browser: Browser, name: str, value: str) -> None:
    """Put a value into a field of the form, as somebody at the keyboard does."""
    field = f"document.getElementById('recalibrate').elements.{name}"
    browser.evaluate(
        f"{field}.value = {json.dumps(value)}; {field}.dispatchEvent(new Event('change'))"
    )


def test_the_form_on_the_page(visit: Running, browser: Browser) -> None:
    browser.resize(1200, 900)
    browser.open(f"{visit.machine.url}/datasets/{ROOT}")
    browser.evaluate("document.querySelector('#recalibrations details').open = true")
    form = "document.getElementById('recalibrate')"
    fill(browser, "omit", "flatcorr, helcorr")
    fill(browser, "token", "nonsense")
    assert json.loads(browser.evaluate(f"{form}.elements.recipe.value")) == {
        "version": 1,
        "switches": {"FLATCORR": "OMIT", "HELCORR": "OMIT"},
    }
    browser.evaluate(f"{form}.requestSubmit()")
    browser.wait(f"{form}.querySelector('.readout').textContent.includes('known token')")
    assert browser.evaluate(f"{form}.elements.run.disabled")
    fill(browser, "token", visit.machine.token)
    browser.errors.clear()  # the browser notes the refusal
    browser.evaluate(f"{form}.requestSubmit()")
    visit.wait(
        lambda: not browser.evaluate(f"{form}.elements.run.disabled"), "the changes to be listed"
    )
    told = browser.evaluate(f"{form}.querySelector('.changes').innerText")
    assert f"{SCIENCE}_rawaccum.fits: [0] FLATCORR: PERFORM → OMIT" in told
    browser.evaluate(f"{form}.elements.run.click()")
    browser.wait("location.pathname.startsWith('/calibrations/')")
    number = int(browser.evaluate("location.pathname").rsplit("/", 1)[-1])
    visit.wait(lambda: visit.client.calibration(number).state == "done", "the recalibration")
    run_id = visit.client.calibration(number).run_id

    for width in (1200, 400):
        browser.resize(width, 900)
        for path in (
            f"/calibrations/{number}",
            f"/datasets/{ROOT}",
            f"/datasets/{ROOT}/comparison?second={run_id}",
        ):
            browser.open(f"{visit.machine.url}{path}")
            assert browser.evaluate("document.documentElement.scrollWidth") <= width, path
        for plot in plots(browser):
            plot.show()
        browser.evaluate("document.querySelector('img.wide').scrollIntoView()")
        browser.wait("document.querySelector('img.wide').naturalWidth > 500")
        assert "HELCORR" in browser.evaluate("document.body.innerText")
        assert browser.errors == []


@contextmanager
def paused(running: Running) -> Iterator[None]:
    """Let the calibrator stand still, so that what is asked for waits."""
    running.kill("calibrator-1", signal.SIGSTOP)
    try:
        yield
    finally:
        running.kill("calibrator-1", signal.SIGCONT)


def act(browser: Browser, running: Running, what: str) -> None:
    """Press the button of a recalibration's page, with a token."""
    button = "document.getElementById('control').elements.act"
    browser.wait(f"{button}.value === '{what}' && !document.getElementById('control').hidden")
    browser.evaluate(
        "document.getElementById('control').elements.token.value = "
        f"{json.dumps(running.machine.token)}"
    )
    browser.evaluate(f"{button}.click()")


def test_the_page_cancels_and_promotes(visit: Running, cosmo: Command, browser: Browser) -> None:
    """What waits is cancelled, asked for again from the command line, and promoted when it is
    done.
    """
    recipe = {"switches": {"FLATCORR": "OMIT"}, "keywords": {"RANDSEED": 5}}
    browser.resize(400, 900)
    with paused(visit):
        found = visit.client.recalibrate(ROOT, recipe)
        browser.open(f"{visit.machine.url}/calibrations/{found.id}")
        act(browser, visit, "cancel")
        browser.wait("document.getElementById('found').dataset.state === 'cancelled'")
    assert browser.evaluate("document.getElementById('control').hidden")
    assert visit.client.calibration(found.id).state == "cancelled"

    options = ("--set", "RANDSEED=5", "--set", "FLATCORR=OMIT", "--no-wait", "--json")
    again = json.loads(cosmo("recalibrate", ROOT, *options).stdout)
    assert (again["id"], again["state"]) == (found.id, "queued")
    browser.open(f"{visit.machine.url}/calibrations/{found.id}")
    browser.wait(
        "document.getElementById('found').dataset.state === 'done'"
    )  # the page renews itself
    run_id = visit.client.calibration(found.id).run_id
    act(browser, visit, "promote")
    browser.wait("document.body.innerText.includes('its products are the current ones')")
    assert browser.evaluate("document.getElementById('control').hidden")
    assert set(products(visit).values()) == {run_id}
    assert browser.errors == []
    visit.wait_for(ROOT, "ingested", "failed")
    assert visit.state(ROOT) == "ingested"


def test_an_uploaded_flat_is_what_calcos_divides_by(
    visit: Running, cosmo: Command, folder: Path, tmp_path: Path
) -> None:
    raw = folder / "raw" / f"{SCIENCE}_rawaccum.fits"
    name = fits.getval(raw, "FLATFILE").rsplit("$", 1)[-1]
    with fits.open(next((folder / "references").glob(f"{name}*"))) as hdus:
        for hdu in hdus[1:]:
            if hdu.data is not None:
                hdu.data = hdu.data * np.float32(2.0)
        hdus.writeto(tmp_path / "twice_flat.fits")
    uploaded = cosmo("upload", tmp_path / "twice_flat.fits", "--keyword", "FLATFILE")
    assert "--set FLATFILE=twice_flat.fits" in uploaded.stdout, uploaded.stderr
    options = ("--set", "FLATFILE=twice_flat.fits", "--perform", "FLATCORR", "--json")
    answer = cosmo("recalibrate", ROOT, *options)
    assert answer.returncode == 0, answer.stderr
    done = json.loads(answer.stdout)
    assert done["references"]["twice_flat.fits"]["keyword"] == "FLATFILE"
    default = min(run.id for run in visit.client.dataset(ROOT).runs)
    compared = cosmo("compare", ROOT, done["run_id"], "--first", default, "--json")
    for segment in json.loads(compared.stdout)["segments"]:
        assert segment["mean_ratio"] == pytest.approx(0.5, rel=1e-3)


def test_refused_failed_and_cancelled(visit: Running, cosmo: Command, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("switches: {NOCORR: OMIT}\n")
    refused = cosmo("recalibrate", ROOT, "--recipe", recipe)
    assert refused.returncode == 1
    assert "not among the calibration switches" in refused.stderr
    failed = cosmo("recalibrate", ROOT, "--set", "FLATFILE=nosuch_flat.fits")
    assert failed.returncode == 1
    assert "nosuch_flat.fits" in failed.stderr
    assert visit.state(ROOT) == "ingested"
    assert not list(visit.client.failures())  # nothing that an operator could do

    with pytest.raises(PermanentError, match="not among the exposures"):
        visit.client.recalibrate(ROOT, {"members": {"drop": ["lzzz01zzq"]}})
    found = visit.client.recalibrate(ROOT, {"keywords": {"RANDSEED": 4}})
    visit.wait(
        lambda: visit.client.calibration(found.id).state != "queued",
        "the recalibration to start",
    )
    visit.client.cancel(found.id)
    visit.wait(lambda: visit.calcos() is None, "CalCOS to be stopped")
    cancelled = visit.client.calibration(found.id)
    assert (cancelled.state, cancelled.run_id) == ("cancelled", None)
    with paused(visit):
        waiting = visit.client.recalibrate(ROOT, {"keywords": {"RANDSEED": 6}})
        assert f"calibration {waiting.id} cancelled" in cosmo("cancel", waiting.id).stdout
    assert visit.client.calibration(waiting.id).state == "cancelled"


def test_random_recipes_are_refused_or_done(visit: Running, folder: Path) -> None:
    mode = mode_of({path.name: path for path in (folder / "raw").glob("*.fits")})
    worker = visit.machine.pids()["calibrator-1"]
    outcomes = Counter(
        _outcome(visit, random_recipe(random.Random(number), mode)) for number in range(RANDOM)
    )
    assert outcomes["done"] > 1
    assert outcomes["refused"] > 1
    assert visit.machine.pids()["calibrator-1"] == worker


def _outcome(visit: Running, recipe: dict[str, Any]) -> str:
    try:
        number = visit.client.recalibrate(ROOT, recipe).id
    except PermanentError as refused:
        assert len(str(refused)) > 30  # noqa: PT017 - a reason, not a type
        return "refused"
    visit.wait(
        lambda: visit.client.calibration(number).state in ("done", "failed"),
        "the recalibration's end",
    )
    found = visit.client.calibration(number)
    if found.state == "failed":
        assert found.error_kind in ("refused", "unsupported"), found
        assert len(found.error or "") > 30
        return "refused"
    assert f"{ROOT}_export.tar.gz" in {file.name for file in found.files}
    return "done"
