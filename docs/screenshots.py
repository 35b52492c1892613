"""Pictures of the pages, taken from a demonstration that is open.

``./run demo --port 8080`` in one terminal; in another the command of the tutorial
``first-recalibration``, then ``./run tool python -m docs.screenshots``.
"""

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cosmo.client import Client
from tests.e2e.browser import Browser, find_browser

__all__ = ["Picture", "take_all"]

_FOLDER = Path(__file__).parent / "images"
_WIDTH = 920
_MARGIN = 12
_COLOURS = 64
_SETTLING_SECONDS = 1.0
"""For fonts and transitions after a page says that it is drawn."""

_SPECTRUM = "ld1c01010"
_RECALIBRATED = "ld1704010"


@dataclass(frozen=True)
class Picture:
    """A picture of a page.

    Attributes
    ----------
    name
        Of its file.
    path
        Address of the page.
    height
        In pixels.
    drawn
        JavaScript expression that is true when everything that is seen is drawn.
    top
        Selector of what is at its top.
    """

    name: str
    path: str
    height: int
    drawn: str
    top: str = "body"


def _pictures(client: Client) -> list[Picture]:
    """List the pictures; that of a comparison needs the recalibration of its tutorial."""
    run = next(client.calibrations(_RECALIBRATED)).run_id
    return [
        Picture("overview", "/", 500, "document.querySelector('.counts .ingested') !== null"),
        Picture(
            "dataset",
            f"/datasets/{_SPECTRUM}",
            720,
            "document.querySelectorAll('#spectrum .legend input').length > 1",
        ),
        Picture(
            "monitor", "/monitors/stims", 444, _figure_is_drawn("history-fuva"), "#history-fuva"
        ),
        Picture(
            "comparison",
            f"/datasets/{_RECALIBRATED}/comparison?second={run}",
            440,
            _figure_is_drawn("ratio.json"),
            ".figure ~ .figure",
        ),
    ]


def _figure_is_drawn(name: str) -> str:
    return f"document.querySelector('[data-figure*=\"/{name}\"]').dataset.drawn === 'yes'"


def _take(browser: Browser, url: str, picture: Picture) -> bytes:
    browser.resize(_WIDTH, picture.height)
    browser.open(f"{url}{picture.path}")
    browser.evaluate("document.documentElement.style.scrollbarWidth = 'none'")
    top = f"document.querySelector({picture.top!r}).getBoundingClientRect().top"
    browser.evaluate(f"scrollBy(0, {top} - {_MARGIN})")
    browser.wait(picture.drawn)
    time.sleep(_SETTLING_SECONDS)
    with Image.open(io.BytesIO(browser.screenshot())) as full:
        small = full.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    content = io.BytesIO()
    small.save(content, "PNG", optimize=True)
    return content.getvalue()


def take_all(browser: Browser, url: str, folder: Path) -> None:
    """Take every picture of a demonstration.

    Parameters
    ----------
    browser
        The browser.
    url
        Address of the pages.
    folder
        Where the pictures go.
    """
    folder.mkdir(exist_ok=True)
    with Client(url) as client:
        for picture in _pictures(client):
            (folder / f"{picture.name}.png").write_bytes(_take(browser, url, picture))


def main(arguments: Sequence[str] | None = None) -> int:
    """Take every picture; the status is 1 without a browser."""
    parser = argparse.ArgumentParser(prog="python -m docs.screenshots", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="of the demonstration")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="of the pictures")
    given = parser.parse_args(arguments)
    program = find_browser()
    if program is None:
        print("no chromium, chromium-browser or google-chrome on PATH", file=sys.stderr)  # noqa: T201
        return 1
    with tempfile.TemporaryDirectory() as profile, Browser(program, Path(profile)) as browser:
        take_all(browser, given.url, given.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
