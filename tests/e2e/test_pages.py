"""The pages in a real browser, on a real association."""

import json
import re
from typing import Any

import pytest

from tests.e2e.browser import Browser

pytestmark = pytest.mark.e2e

Running = Any

# Lowest contrast (WCAG 2.2, success criterion 1.4.3) of a text with what is behind it, over all
# texts in the page.
_CONTRAST = """(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (value) => value / 255 <= 0.04045 ? value / 255 / 12.92 :
    ((value / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const [r, g, b, alpha = 1] = parse(getComputedStyle(node).backgroundColor);
      if (alpha === 1) return [r, g, b];
    }
    return dark ? [18, 18, 18] : [255, 255, 255];
  };
  let worst = { ratio: 99, text: "" };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), node = walker.currentNode.parentElement;
    if (!text || !node.getClientRects().length || ["SCRIPT",
      "OPTION"].includes(node.tagName)) continue;
    const style = getComputedStyle(node), back = behind(node), share = Number(style.opacity);
    const front = parse(style.color).slice(0, 3).map((value,
      i) => share * value + (1 - share) * back[i]);
    const [high, low] = [light(front), light(back)].sort((p, q) => q - p),
      ratio = (high + 0.05) / (low + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text: text.slice(0, 60) };
  }
  return worst;
})()"""

# Pixels of the plot that are far from its background: the curve, its axes and their numbers.
_INK = """(() => {
  const canvas = document.querySelector("#spectrum canvas");
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let ink = 0;
  for (let i = 0; i < data.length; i += 4) {
    const light = (data[i] + data[i + 1] + data[i + 2]) / 3;
    if (data[i + 3] > 128 && (dark ? light > 110 : light < 145)) ink++;
  }
  return ink;
})()"""

_READOUT = "document.querySelector('#spectrum .readout').textContent"
_DRAWN = "document.querySelectorAll('#spectrum .legend input').length > 0"


def _open_spectrum(browser: Browser, processed: Running, rootname: str = "ldfd01010") -> None:
    browser.open(f"{processed.machine.url}/datasets/{rootname}")
    browser.wait(_DRAWN)
    browser.evaluate("document.querySelector('#spectrum').scrollIntoView()")


def _place(browser: Browser, across: float) -> tuple[float, float]:
    """Place on the plot in window pixels, at a fraction of the width between its margins."""
    box = browser.evaluate(
        "(({left, top, width, height}) => [left, top, width, height])"
        "(document.querySelector('#spectrum canvas').getBoundingClientRect())"
    )
    left, top, width, height = map(float, box)
    margins = browser.evaluate("MARGIN")
    between = width - margins["left"] - margins["right"]
    return left + margins["left"] + across * between, top + height / 2


def _point(browser: Browser, across: float) -> tuple[float, float]:
    """Return the wavelength (Angstrom) and flux (erg/s/cm2/A) that the plot shows for its first
    segment at a place.
    """
    browser.mouse("mouseMoved", *_place(browser, across))
    text = browser.evaluate(_READOUT)
    found = re.match(r"\w+: ([\d.]+) Å, (-?[\d.e+-]+) ± ([\d.e+-]+)", text)
    assert found, text
    return float(found[1]), float(found[2])


@pytest.fixture(autouse=True)
def _as_new(browser: Browser) -> None:
    browser.prefer("light")
    browser.resize(1280, 800)


def test_overview_leads_to_the_dataset(processed: Running, browser: Browser) -> None:
    browser.open(f"{processed.machine.url}/")
    shown = browser.evaluate("document.querySelector('.counts .ingested strong').textContent")
    assert int(shown) == processed.client.status().datasets["ingested"] >= 2
    browser.evaluate("document.querySelector('td a[href=\"/datasets/ldfd01010\"]').click()")
    browser.wait(f"location.pathname === '/datasets/ldfd01010' && {_DRAWN}")
    text = browser.evaluate("document.body.innerText")
    for word in ("Lamp shifts", "Timeline", "dataset.calibrated", "LAMPTAB"):
        assert word in browser.evaluate("document.body.textContent"), word
    assert text.count("FUVA") == 10  # nine flashes, and the plot's legend
    assert browser.errors == []


def test_spectrum_reads_and_zooms(processed: Running, browser: Browser) -> None:
    _open_spectrum(browser, processed)
    segment = processed.client.spectrum("ldfd01010", product="x1dsum").segments[0]
    good = [
        wave for wave, weight in zip(segment.wavelength, segment.dq_wgt, strict=True) if weight > 0
    ]
    fluxes = {
        round(wave, 2): flux for wave, flux in zip(segment.wavelength, segment.flux, strict=True)
    }

    # the whole range, and the flux that the API has there
    left, right = _point(browser, 0.0)[0], _point(browser, 1.0)[0]
    assert left == pytest.approx(min(good), abs=0.01)
    assert right == pytest.approx(max(good), abs=0.01)
    wave, flux = _point(browser, 0.5)
    assert flux == pytest.approx(fluxes[wave], rel=1e-3)

    # a drag across a quarter of it
    first, last = _point(browser, 0.4)[0], _point(browser, 0.65)[0]
    browser.mouse("mouseMoved", *_place(browser, 0.4))
    browser.mouse("mousePressed", *_place(browser, 0.4), pressed=True)
    browser.mouse("mouseMoved", *_place(browser, 0.65), pressed=True)
    browser.mouse("mouseReleased", *_place(browser, 0.65))
    assert _point(browser, 0.0)[0] == pytest.approx(first, abs=2)
    assert _point(browser, 1.0)[0] == pytest.approx(last, abs=2)
    wave, flux = _point(browser, 0.5)
    assert flux == pytest.approx(fluxes[wave], rel=1e-3)

    browser.evaluate("document.querySelector('#spectrum button').click()")
    assert (_point(browser, 0.0)[0], _point(browser, 1.0)[0]) == (left, right)
    assert browser.errors == []


def test_only_the_segment_under_the_pointer_is_read(processed: Running, browser: Browser) -> None:
    _open_spectrum(browser, processed)
    # A second segment as long as the first, as far away as it is long, with a hole in its middle.
    browser.evaluate(
        "(() => { const first = segments[0], long = first.x.at(-1) - first.x[0];"
        " const part = (values) => values.filter((_, i) => Math.abs(i / values.length - 0.5) > "
        "0.2);"
        " const x = part(first.x).map((wave) => wave + 2 * long);"
        " segments.push({ ...first, name: 'OTHER', x, y: part(first.y), e: part(first.e) });"
        " view = wholeView(); draw(); })()"
    )
    first = [browser.evaluate("segments[0].name")]
    places = {0.1: first, 0.5: [], 0.7: ["OTHER"], 0.835: [], 0.99: ["OTHER"], -0.05: [], 1.01: []}
    for across, read in places.items():
        browser.mouse("mouseMoved", *_place(browser, across))
        assert re.findall(r"(\w+): [\d.]+ Å", browser.evaluate(_READOUT)) == read, across
    assert browser.errors == []


def test_the_form_of_a_recipe_keeps_what_was_typed(processed: Running, browser: Browser) -> None:
    browser.open(f"{processed.machine.url}/datasets/ldfd01010")
    form = "document.getElementById('recalibrate').elements"
    typed: dict[str, Any] = {
        "version": 1,
        "keywords": {"XTRCTALG": "TWOZONE", "RANDSEED": 7},
        "switches": {"HELCORR": "OMIT", "FLATCORR": "OMIT", "TRCECORR": "PERFORM"},
        "sub_exposures": {"every": 50},
        "members": {"drop": ["ldfd01vnq"]},
    }

    def fill(name: str, value: str) -> dict[str, Any]:
        field = f"{form}.{name}"
        browser.evaluate(
            f"{field}.value = {json.dumps(value)}; {field}.dispatchEvent(new Event('change'))"
        )
        recipe: dict[str, Any] = json.loads(browser.evaluate(f"{form}.recipe.value"))
        return recipe

    browser.evaluate(f"{form}.recipe.value = {json.dumps(json.dumps(typed))}")
    assert fill("omit", "flatcorr, backcorr")["switches"] == typed["switches"] | {
        "BACKCORR": "OMIT"
    }
    boxcar = fill("algorithm", "BOXCAR")
    assert boxcar["switches"] == typed["switches"] | dict.fromkeys(
        ("BACKCORR", "TRCECORR", "ALGNCORR"), "OMIT"
    )
    assert boxcar["keywords"] == {"XTRCTALG": "BOXCAR", "RANDSEED": 7}
    assert fill("every", "20")["sub_exposures"] == {"every": 20}
    for name in ("omit", "algorithm", "every"):
        left = fill(name, "")
    assert left == typed
    assert browser.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_readable_in_both_colour_schemes(processed: Running, browser: Browser, scheme: str) -> None:
    browser.prefer(scheme)
    for path in ("/", "/datasets", "/datasets/nonesuch1"):
        browser.open(f"{processed.machine.url}{path}")
        worst = browser.evaluate(_CONTRAST)
        assert worst["ratio"] >= 4.5, (path, worst)
    _open_spectrum(browser, processed)
    browser.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    worst = browser.evaluate(_CONTRAST)
    assert worst["ratio"] >= 4.5, worst
    assert browser.evaluate(_INK) > 2000
    assert browser.errors == []


def test_a_phone_needs_no_sideways_scroll(processed: Running, browser: Browser) -> None:
    browser.resize(360, 740, touch=True)
    for path in ("/", "/datasets", "/datasets/ldfd01vlq", "/datasets/nonesuch1"):
        browser.open(f"{processed.machine.url}{path}")
        assert browser.evaluate("document.documentElement.scrollWidth") <= 360, path
    _open_spectrum(browser, processed)
    browser.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    assert browser.evaluate("document.documentElement.scrollWidth") <= 360
    assert browser.evaluate("document.querySelector('#spectrum canvas').clientWidth") > 300


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/datasets/nonesuch1", "nonesuch1"),
        ("/datasets/%3Cimg%20src=x%20onerror=alert(1)%3E", "<img src=x onerror=alert(1)>"),
        ("/datasets?state=nonesuch", "ingested"),
        ("/datasets?kind=nonesuch", "association"),
        ("/datasets?cursor=nonesuch", "cursor"),
        ("/datasets?rootname=%00", "value"),
        ("/nonesuch", "/nonesuch"),
    ],
)
def test_bad_requests_get_a_page_that_says_why(
    processed: Running, browser: Browser, path: str, said: str
) -> None:
    browser.open(f"{processed.machine.url}{path}")
    status = browser.evaluate("performance.getEntriesByType('navigation')[0].responseStatus")
    assert status in (400, 404)
    text = browser.evaluate("document.querySelector('main').innerText")
    assert said in text
    assert browser.evaluate("document.querySelector('nav a[href=\"/datasets\"]') !== null")
    assert browser.evaluate("document.querySelectorAll('main img').length") == 0
    assert all("status of 40" in error for error in browser.errors)


def test_a_filter_narrows_the_list(processed: Running, browser: Browser) -> None:
    browser.open(f"{processed.machine.url}/datasets")
    browser.evaluate("document.querySelector('[name=kind]').value = 'acquisition'")
    browser.evaluate("document.querySelector('.filters button').click()")
    browser.wait(
        "location.search.includes('kind=acquisition') && document.readyState === 'complete'"
    )
    names = browser.evaluate(
        "[...document.querySelectorAll('td a')].map((link) => link.textContent)"
    )
    assert names == ["ldfd01vlq"]
    assert browser.errors == []
