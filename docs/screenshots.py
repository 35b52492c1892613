"""Pictures of the pages, taken from a demonstration that is open.

``./run demo --port 8080`` in one terminal, ``./run tool python -m docs.screenshots`` in another.
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

_FOLDER = Path(__file__).parent / "images"
_SIZE = (1100, 760)
_COLOURS = 64
_SETTLING_SECONDS = 1.0
"""For fonts and transitions after a page says that it is drawn."""

_SPECTRUM = "ld1c01010"
_RECALIBRATED = "ld1704010"


@dataclass(frozen=True)
class Picture:
    """A picture: its name, the page, what is true when that is drawn, and what is at its top."""

    name: str
    path: str
    drawn: str
    top: str = "body"


def _pictures(client: Client) -> list[Picture]:
    run = next(client.calibrations(_RECALIBRATED)).run_id
    plotted = "document.querySelectorAll('.js-plotly-plot .main-svg').length > 0"
    return [
        Picture("overview", "/", "document.body.innerText.includes('ingested')"),
        Picture(
            "dataset",
            f"/datasets/{_SPECTRUM}",
            "document.querySelectorAll('#spectrum .legend input').length > 1",
        ),
        Picture("monitor", "/monitors/stims", plotted, ".js-plotly-plot"),
        Picture("comparison", f"/datasets/{_RECALIBRATED}/comparison?second={run}", plotted),
    ]


def _take(browser: Browser, url: str, picture: Picture) -> bytes:
    browser.open(f"{url}{picture.path}")
    browser.wait("document.readyState === 'complete'")
    browser.evaluate(f"document.querySelector({picture.top!r})?.scrollIntoView()")
    browser.wait(picture.drawn)
    time.sleep(_SETTLING_SECONDS)
    with Image.open(io.BytesIO(browser.screenshot())) as full:
        small = full.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    content = io.BytesIO()
    small.save(content, "PNG", optimize=True)
    return content.getvalue()


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
    given.folder.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as profile,
        Client(given.url) as client,
        Browser(program, Path(profile)) as browser,
    ):
        browser.resize(*_SIZE)
        for picture in _pictures(client):
            (given.folder / f"{picture.name}.png").write_bytes(_take(browser, given.url, picture))
    return 0


if __name__ == "__main__":
    sys.exit(main())
