"""The demonstration: a simulated mission through the four services, and what every mode must
leave.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import pytest

from benchmarks.mission.darks import darks_recovered
from benchmarks.mission.flashes import drifts_recovered, shifts_recovered
from benchmarks.mission.gains import gains_recovered
from benchmarks.mission.outliers import flagged
from benchmarks.mission.stims import stims_recovered
from benchmarks.mission.truth import MissionTruth
from benchmarks.mission.wavelengths import wavelengths_recovered
from cosmo.client import Client
from docs.screenshots import take_all
from services.monitor.monitors import monitors
from services.monitor.response_models.datasets import DatasetDetail
from shared.settings import MonitorSettings
from simulator.mission.make import simulated_truth
from simulator.mission.schedule import Mission
from tests.docs.checkout import ROOT, copy_checkout
from tests.docs.reader import DOCS, follow, write_run
from tests.e2e.browser import Browser
from tests.e2e.plots import plots

pytestmark = pytest.mark.e2e

_WAIT_SECONDS = 720.0
"""Twice the six minutes that it may take of two cores that nobody else uses."""
_FIRST_SECONDS = 120.0
"""Until the first calibrated dataset is there."""

_MONITOR_SECONDS = 120.0
"""Until monitors have seen the last datasets, at most."""
_SETTLED_SECONDS = MonitorSettings().quiet_seconds + 5.0
"""Without a job, until none is expected any more: monitors run when no rows have come for a time.
"""
_RECOVERED = (
    darks_recovered,
    stims_recovered,
    shifts_recovered,
    drifts_recovered,
    gains_recovered,
    wavelengths_recovered,
)

_MODES = (
    "FUV TT spec",
    "FUV ACC spec",
    "NUV TT spec",
    "NUV ACC spec",
    "NUV TT img",
    "NUV ACC img",
    "ACQ",
)
_MATRIX = """
rawtag_a rawtag_b               x - - - - - -
rawtag                          - - x - x - -
rawaccum_a rawaccum_b           - x - - - - -
rawaccum                        - - - x - x -
pha_a pha_b                     - x - - - - -
rawacq                          - - - - - - x
corrtag_a corrtag_b             x x - - - - -
corrtag                         - - x x x x -
flt_a flt_b counts_a counts_b   x x - - - - -
flt counts                      - - x x x x -
lampflash                       x - x - ? - -
x1d x1dsum                      x x x x - - -
fltsum                          - - - - x x -
asn                             x x x x x x -
spt jit jif                     x x x x x x x
"""
"""Which suffixes each mode leaves (COS Data Handbook, table 2.1): x there, - not there, ? either.
CalCOS writes lamp flashes of imaging too; its trailer is kept with the run, and ``csum`` is made on
request only."""


class DemoProcess:
    """Command ``cosmo demo``, which can be stopped and started again.

    Parameters
    ----------
    folder
        Where its data folder and what it prints are.
    """

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of its pages."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def output(self) -> str:
        """What it has printed."""
        return (self._folder / "output").read_text()

    def start(self, code: Path = ROOT) -> None:
        """Start it with the code of a checkout, and wait until nothing is left to do."""
        options = ["--data-dir", str(self._folder / "data"), "--port", str(self._port)]
        output, progress = self._folder / "output", self._folder / "progress"
        with output.open("wb") as stdout, progress.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "cosmo", "demo", *options],
                stdout=stdout,
                stderr=stderr,
                cwd=code,
                env={**os.environ, "PYTHONPATH": str(code), "COLUMNS": "200"},
            )
        self._process = process
        end = time.monotonic() + _WAIT_SECONDS
        while "Ctrl-C" not in progress.read_text():
            in_time = process.poll() is None and time.monotonic() < end
            assert in_time, progress.read_text()[-2000:]
            time.sleep(0.5)

    def stop(self) -> None:
        """Press Ctrl-C, unless it has ended."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            status = self._process.wait(60)
            self._process = None
            assert status == 0, (self._folder / "progress").read_text()[-2000:]


@dataclass
class Demo:
    """A demonstration that is done, with its pages open."""

    process: DemoProcess
    output: str
    truth: dict[str, Any]
    mission: Path
    started: datetime

    @property
    def url(self) -> str:
        """Address of its pages."""
        return self.process.url

    @property
    def client(self) -> Client:
        """Client of its HTTP API."""
        return Client(self.url, page_size=1000)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    process, started = DemoProcess(folder), datetime.now(UTC)
    try:
        process.start()
        mission = folder / "data" / "mission-small-1"
        truth = json.loads((mission / "truth.json").read_text())
        found = Demo(process, process.output, truth, mission, started)
        _wait_for_monitors(found.client)
        yield found
    finally:
        process.stop()


def _wait_for_monitors(client: Client) -> None:
    """Wait until they have seen the last datasets.

    Their jobs come a moment after these, and wait for quiet.
    """
    begin = busy = time.monotonic()
    while time.monotonic() - busy < _SETTLED_SECONDS:
        assert time.monotonic() - begin < _MONITOR_SECONDS, client.status().jobs
        if any(client.status().jobs.get(state) for state in ("queued", "running")):
            busy = time.monotonic()
        time.sleep(0.5)


def _mode(plan: dict[str, Any]) -> str | None:
    if plan["exptype"].startswith("ACQ"):
        return "ACQ"
    if not plan["exptype"].startswith("EXTERNAL"):
        return None
    kind = "img" if plan["opt_elem"].startswith("MIRROR") else "spec"
    return f"{plan['detector']} {'TT' if plan['obsmode'] == 'TIME-TAG' else 'ACC'} {kind}"


def _matrix(mode: str) -> dict[str, str]:
    """Return the column of the matrix, by suffix."""
    column = _MODES.index(mode) - len(_MODES)
    rows = [line.split() for line in _MATRIX.strip().splitlines()]
    return {suffix: row[column] for row in rows for suffix in row[: -len(_MODES)]}


def test_everything_gets_through(demo: Demo) -> None:
    datasets = list(demo.client.datasets())
    assert {dataset.state for dataset in datasets} == {"ingested"}
    expected = {
        plan["association"] or plan["rootname"]
        for plan in (found["plan"] for found in demo.truth["exposures"])
    }
    reports = {Path(name).stem for name in demo.truth["reports"]}
    assert {dataset.rootname for dataset in datasets} == expected | reports
    assert list(demo.client.failures()) == []


def test_first_results_come_soon(demo: Demo) -> None:
    calibrated = [
        item.at
        for dataset in demo.client.datasets(kind="exposure")
        for item in demo.client.timeline(dataset.rootname)
        if item.name == "dataset.calibrated"
    ]
    assert (min(calibrated) - demo.started).total_seconds() < _FIRST_SECONDS


def test_suffix_matrix(demo: Demo) -> None:
    datasets: dict[str, DatasetDetail] = {}
    seen = set()
    for plan in (found["plan"] for found in demo.truth["exposures"]):
        mode, name = _mode(plan), plan["association"] or plan["rootname"]
        if mode is None:
            continue
        seen.add(mode)
        dataset = datasets.setdefault(name, demo.client.dataset(name))
        roots = {plan["rootname"], name, f"{plan['rootname'][:8]}j"}
        suffixes = {
            file.suffix for file in dataset.files if file.rootname in roots and file.current
        }
        off = {"FUVA": "_b", "FUVB": "_a"}.get(plan["segment"])
        for suffix, expected in _matrix(mode).items():
            if expected != "?" and not (off and suffix.endswith(off)):
                assert (suffix in suffixes) == (expected == "x"), (mode, plan["rootname"], suffix)
        if mode != "ACQ":
            assert f"x1dsum{plan['fppos']}" in suffixes or mode.endswith("img")
            assert "CALCOS" in dataset.runs[0].trailer
    assert seen == set(_MODES)
    kinds = {found["plan"]["exptype"] for found in demo.truth["exposures"]}
    assert kinds >= {"DARK", "WAVECAL", "ACQ/IMAGE", "ACQ/SEARCH", "ACQ/PEAKXD", "ACQ/PEAKD"}


def test_lamp_shifts_come_back(demo: Demo) -> None:
    exposures = {found["rootname"]: found for found in demo.truth["exposures"]}
    differences = []
    for row in demo.client.rows("lampflash", filetype="lampflash"):
        channel = exposures[row["rootname"]]["channels"].get(row["segment"])
        if channel and channel["flashes"]:
            assert row["found"]
            true = channel["flashes"][row["flash"] - 1]["shift1"]
            differences.append(row["shift_disp"] - true)
    assert len(differences) > 40
    assert abs(median(differences)) < 0.05
    assert max(map(abs, differences)) < 0.4
    assert f"lamp shift (pixel) {len(differences)} " in " ".join(demo.output.split())


def test_other_quantities_come_back(demo: Demo) -> None:
    for name, limit in (
        ("drift across dispersion (pixel)", 0.05),
        ("wavelength of a line (pixel)", 0.2),
        ("stim position (pixel)", 0.05),
        ("dark rate (%)", 5.0),
    ):
        (line,) = (line for line in demo.output.splitlines() if line.strip().startswith(name))
        number, middle, _ = line.split()[-3:]
        assert int(number) >= 4
        assert abs(float(middle)) < limit


def test_monitors_recover_the_truth(demo: Demo) -> None:
    """As ``python -m benchmarks.mission`` does for a mission of ten years, whose results are in the
    documentation.
    """
    limits = {
        ("fuv-dark", "dark rate of an exposure"): (4, 5e-8),
        ("nuv-dark", "dark rate of an exposure"): (4, 1e-5),
        ("stims", "position along x"): (30, 0.03),
        ("stims", "position along y"): (30, 0.03),
        ("fuv-osm-shift", "shift along dispersion"): (20, 0.1),
        ("fuv-osm-shift", "shift across dispersion"): (20, 0.1),
        ("nuv-osm-shift", "shift along dispersion"): (40, 0.03),
        ("nuv-osm-shift", "shift across dispersion"): (40, 0.1),
        ("fuv-osm-drift", "drift along dispersion"): (10, 3e-4),
        ("nuv-osm-drift", "drift along dispersion"): (20, 3e-4),
        ("fuv-osm-drift", "drift across dispersion"): (10, 3e-4),
        ("nuv-osm-drift", "drift across dispersion"): (20, 3e-4),
        ("wavelength", "residual, lamp"): (20, 0.3),
        ("wavelength", "residual, targets"): (20, 0.2),
        ("gain", "gain of a region in an exposure"): (35, 0.1),
    }
    there = {dataset.rootname for dataset in demo.client.datasets()}
    truth = MissionTruth(Mission(seed=1), simulated_truth(Mission(seed=1), demo.mission), there)
    recovered = [row for part in _RECOVERED for row in part(demo.client, truth)]
    rows = {(row.monitor, row.quantity): row for row in recovered}
    for key, (values, difference) in limits.items():
        row = rows[key]
        assert row.values >= values, row
        assert abs(row.difference) < difference, row
        assert row.beyond < 0.1, row
    for count in flagged(demo.client, truth):
        assert (count.found, count.others) == (count.injected, 0), count


def test_times_since_moves_come_from_the_reports(demo: Demo) -> None:
    """Reports round to seconds, and a flash is as late as the median of its events."""
    exposures = {found["rootname"]: found for found in demo.truth["exposures"]}
    for detector, mechanism, least in (("fuv", 1, 10), ("nuv", 1, 20), ("nuv", 2, 20)):
        monitor = f"{detector}-osm-drift"
        rows = list(demo.client.values(monitor, quantity=f"since_osm{mechanism}"))
        assert len(rows) >= least
        for row in rows:
            exposure = exposures[row["rootname"]]
            number = int(row["region"].split(",")[0].removeprefix("flash "))
            flash = exposure["channels"][row["segment"]]["flashes"][number - 1]
            true = exposure["plan"][f"since_osm{mechanism}"] + flash["middle"]
            assert row["value"] == pytest.approx(true, abs=2.0)
        address = f"{demo.url}/api/v1/monitors/{monitor}/figures/drift?format=json"
        drawn = httpx.get(address).raise_for_status().json()["data"]
        assert {len(trace["x"]) > 0 for trace in drawn if trace["mode"] == "markers"} == {True}


def test_spectrum_of_a_standard(demo: Demo) -> None:
    """Continuum between the lines, by segment, within 3 % of what was put in."""
    plans = [found["plan"] for found in demo.truth["exposures"]]
    plan = next(
        plan for plan in plans if (plan["exptype"], plan["cenwave"]) == ("EXTERNAL/SCI", 1291)
    )
    spectrum = plan["target"]["spectrum"]
    for segment in demo.client.spectrum(plan["association"], product="x1dsum").segments:
        wavelength, flux, weight = (
            np.array(values, dtype=float)
            for values in (segment.wavelength, segment.flux, segment.dq_wgt)
        )
        from_line = np.abs((wavelength + 10.0) % spectrum["line_spacing"] - 10.0)
        used = (weight > 0) & (from_line > 3.0)
        used &= (wavelength <= 1290.0) | (wavelength >= 1295.0)
        true = spectrum["flux"] * (wavelength[used] / 1500.0) ** spectrum["index"]
        assert used.sum() > 3000
        assert np.mean(flux[used] / true) == pytest.approx(1.0, abs=0.03)


def test_its_pages(demo: Demo, browser: Browser) -> None:
    lines = [line.strip() for line in demo.output.splitlines()]
    pages = [line for line in lines if line.startswith(demo.url) and "/api/" not in line]
    monitors = {page for page in pages if "/monitors/" in page}
    assert monitors == {f"{demo.url}/monitors/{monitor.name}" for monitor in demo.client.monitors()}
    assert len(pages) - len(monitors) == 4
    for page in (page for page in pages if page not in monitors):
        browser.open(page)
        if "/datasets/" in page:
            browser.wait("document.querySelectorAll('#spectrum .legend input').length > 1")
        assert browser.evaluate("document.body.innerText.includes('ingested')")
    assert browser.errors == []


@pytest.mark.parametrize("name", sorted(monitors()))
def test_the_page_of_a_monitor(demo: Demo, browser: Browser, name: str) -> None:
    """Every figure is drawn and describes a point, its legend hides and shows, and a point leads to
    its dataset.
    """
    page = f"{demo.url}/monitors/{name}"
    browser.resize(1280, 900)
    browser.open(page)
    links = []
    for plot in plots(browser):
        plot.show()
        if plot.point():
            assert plot.hover()
            links.append((plot, plot.point(linked=True)))
        if plot.ask("plot.querySelector('.legendtoggle') !== null"):
            plot.toggle()
            assert plot.hidden() > 0
            time.sleep(0.35)  # two clicks within 0.3 s are one double click to Plotly
            plot.toggle()
            assert plot.hidden() == 0
    assert links or not plots(browser)
    for plot, place in links:
        if place:
            plot.show()
            plot.click(*place)
            browser.wait("location.pathname.startsWith('/datasets/l')")
            break
    browser.resize(360, 740, touch=True)
    browser.open(page)
    for plot in plots(browser)[:1]:
        plot.show()
    assert browser.evaluate("document.documentElement.scrollWidth") <= 360
    assert browser.errors == []


@pytest.fixture(scope="module")
def reader(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkout of a reader of the tutorials who has started the demonstration."""
    checkout = copy_checkout(tmp_path_factory.mktemp("reader") / "checkout")
    write_run(checkout)
    (checkout / "cosmo-demo").symlink_to(demo.mission.parent)
    return checkout


_ADDRESS = "http://127.0.0.1:8080"
"""Of the demonstration, in tutorials."""


def _learn(demo: Demo, reader: Path, name: str, start: Callable[[], object] | None = None) -> None:
    otherwise = {} if start is None else {"./run demo --port 8080": start}
    page = DOCS / "tutorials" / f"{name}.rst"
    follow(page, reader, {_ADDRESS: demo.url}, otherwise, code=reader)
    for path in re.findall(rf"{re.escape(_ADDRESS)}(/[^\s`\"]+[^\s`\".,:])", page.read_text()):
        assert httpx.get(f"{demo.url}{path}", timeout=60).status_code == 200, path


def test_the_tutorial_of_a_mission(demo: Demo, reader: Path) -> None:
    _learn(demo, reader, "first-mission", start=lambda: None)


def test_the_tutorial_of_a_recalibration(demo: Demo, reader: Path) -> None:
    _learn(demo, reader, "first-recalibration")


def test_pictures_for_the_documentation(demo: Demo, browser: Browser, tmp_path: Path) -> None:
    """They can be taken, and those that the pages show are among them; the comparison is of the
    tutorial.
    """
    take_all(browser, demo.url, tmp_path)
    taken = {picture.name for picture in tmp_path.iterdir()}
    assert taken == {picture.name for picture in (DOCS / "images").iterdir()}
    for picture in tmp_path.iterdir():
        assert 5_000 < picture.stat().st_size < 150_000, picture.name
    assert browser.errors == []


def test_the_tutorial_of_a_monitor(demo: Demo, reader: Path, browser: Browser) -> None:
    """Last of all, since the demonstration goes on with the code of the reader."""

    def start_again() -> None:
        demo.process.stop()
        demo.process.start(reader)
        deadline = time.monotonic() + _MONITOR_SECONDS
        while not list(demo.client.monitor_runs("osm-shift")):
            assert time.monotonic() < deadline
            time.sleep(0.2)

    _learn(demo, reader, "first-monitor", start=start_again)
    browser.open(f"{demo.url}/monitors/osm-shift")
    (plot,) = plots(browser)
    plot.show()
    assert plot.point()
    assert browser.errors == []
