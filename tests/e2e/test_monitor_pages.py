"""The pages of monitors in a real browser, with the real dark rates behind them."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from services.ingestor.manual import add_file
from shared.database.engine import Database
from shared.store import Store
from tests.e2e.browser import Browser
from tests.e2e.plots import Plot
from tests.e2e.running import Running

pytestmark = pytest.mark.e2e

_DRAWN = "document.querySelector('[data-figure]')?.dataset.drawn === 'yes'"  # the first one


@pytest.fixture(scope="module")
def darks(processed: Running, data_dir: Path) -> Running:
    """COSMO with the real dark measurements, too, and the dark monitors computed."""
    environment = processed.machine.environment

    async def add() -> None:
        database = Database(environment["COSMO_DATABASE_URL"])
        await add_file(
            database,
            Store(environment["COSMO_STORE_URL"]),
            data_dir / "darks" / "orbital_info.json.gz",
        )
        await database.dispose()

    asyncio.run(add())
    for name in ("fuv-dark", "dark-orbit"):
        processed.wait(partial(_computed, processed, name), f"{name} to be computed")
    return processed


def _computed(running: Running, name: str) -> bool:
    last = running.client.monitor(name).last_run
    return last is not None and last.newest_mjd is not None


def _open(browser: Browser, running: Running, name: str) -> None:
    browser.open(f"{running.machine.url}/monitors/{name}")
    browser.wait(_DRAWN)


@pytest.fixture(autouse=True)
def _as_new(browser: Browser) -> None:
    browser.prefer("light")
    browser.resize(1280, 900)


def test_the_index_leads_to_a_monitor(darks: Running, browser: Browser) -> None:
    browser.open(f"{darks.machine.url}/monitors")
    assert "stale" in browser.evaluate("document.querySelector('main').innerText")
    browser.evaluate("document.querySelector('a[href=\"/monitors/fuv-dark\"]').click()")
    browser.wait(f"location.pathname === '/monitors/fuv-dark' && {_DRAWN}")
    assert browser.errors == []


def test_a_point_tells_and_leads_nowhere_without_a_dataset(
    darks: Running, browser: Browser
) -> None:
    """Measurements of others have none.

    Points of COSMO's own are clicked in the demonstration's test.
    """
    _open(browser, darks, "fuv-dark")
    rate = Plot(browser, "/rate")
    assert "FUV" in rate.hover()
    assert rate.point(linked=True) is None
    place = rate.point()
    assert place is not None
    rate.click(*place)
    assert browser.evaluate("location.pathname") == "/monitors/fuv-dark"
    assert browser.errors == []


def test_the_legend_toggles_a_segment(darks: Running, browser: Browser) -> None:
    _open(browser, darks, "fuv-dark")
    rate = Plot(browser, "/rate")
    assert rate.hidden() == 0
    rate.toggle()
    assert rate.hidden() > 0
    assert browser.errors == []


@pytest.mark.parametrize("name", ["fuv-dark", "dark-orbit"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_are_drawn_in_both_colour_schemes(
    darks: Running, browser: Browser, name: str, scheme: str
) -> None:
    browser.prefer(scheme)
    _open(browser, darks, name)
    browser.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    browser.wait("document.querySelectorAll('[data-figure]:not([data-drawn=yes])').length === 0")
    ink = browser.evaluate("getComputedStyle(document.querySelector('.xtick text')).fill")
    level = sum(map(int, ink.removeprefix("rgb(").rstrip(")").split(","))) / 3
    assert level > 150 if scheme == "dark" else level < 105
    assert "WebGL is not supported" not in browser.evaluate(
        "document.body.innerText"
    )  # Plotly's words for any reason
    assert browser.errors == []


def test_a_picture_is_drawn_without_inline_styles(darks: Running, browser: Browser) -> None:
    browser.open(f"{darks.machine.url}/api/v1/monitors/fuv-dark/figures/rate?format=svg")
    browser.wait(
        "document.documentElement.tagName === 'svg' && document.querySelectorAll('use').length > "
        "100"
    )
    assert browser.errors == []


def test_other_colours_leave_zoom_and_size(darks: Running, browser: Browser) -> None:
    browser.prefer("light")
    browser.resize(360, 740, touch=True)
    browser.open(f"{darks.machine.url}/monitors/fuv-dark")
    browser.wait(_DRAWN)
    figure = "document.querySelector('[data-figure]')"
    browser.evaluate(f"Plotly.relayout({figure}, {{'yaxis.range': [0, 3]}}).then(() => 1)")
    height = browser.evaluate(f"{figure}._fullLayout.height")
    for scheme, bright in (("dark", True), ("light", False), ("dark", True)):
        browser.prefer(scheme)
        ink = f"{figure}._fullLayout.font.color"
        browser.wait(f"(parseInt({ink}.slice(1, 3), 16) > 128) === {str(bright).lower()}")
    assert browser.evaluate(f"{figure}._fullLayout.yaxis.range") == [0, 3]
    assert browser.evaluate(f"{figure}._fullLayout.height") == height
    assert browser.errors == []


@pytest.mark.parametrize(("width", "columns"), [(1200, 2), (360, 1)], ids=["desk", "phone"])
def test_panels_stand_beside_each_other_where_there_is_room(
    darks: Running, browser: Browser, width: int, columns: int
) -> None:
    browser.resize(width, 740, touch=columns == 1)
    browser.open(f"{darks.machine.url}/monitors/fuv-dark")
    figure = "document.querySelector('[data-figure$=\"/histogram\"]')"
    browser.evaluate(f"{figure}.scrollIntoView()")
    browser.wait(f"{figure}.dataset.drawn === 'yes'")
    left = (
        f"new Set(Object.entries({figure}._fullLayout).filter(([n]) => "
        "/^xaxis/.test(n)).map(([, a]) => a.domain[0]))"
    )
    assert browser.evaluate(f"{left}.size") == columns
    assert browser.errors == []


@pytest.mark.parametrize(
    "path", ["/monitors", "/monitors/fuv-dark", "/monitors/dark-orbit", "/monitors/nuv-dark"]
)
def test_a_phone_needs_no_sideways_scroll(darks: Running, browser: Browser, path: str) -> None:
    browser.resize(360, 740, touch=True)
    browser.open(f"{darks.machine.url}{path}")
    if path in ("/monitors/fuv-dark", "/monitors/dark-orbit"):
        browser.wait(_DRAWN)
    assert browser.evaluate("document.documentElement.scrollWidth") <= 360
    assert browser.errors == []
