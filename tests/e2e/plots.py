"""Figures of a page, as a reader uses them: look, point, click, hide and show."""

import json
import time
from typing import Any

from tests.e2e.browser import Browser

__all__ = ["Plot", "plots"]

_PLACE = """(x, y) => {
  const { left, top } = plot.getBoundingClientRect();
  scrollBy({ top: top + y - innerHeight / 2, behavior: "instant" });
  return [left + x, plot.getBoundingClientRect().top + y];
}"""
"""Scroll to a place of the figure; returns where in the window it is then."""

_POINT = """(linked) => {
  for (const trace of plot._fullData) {
    if (trace.hoverinfo === "skip" || trace.visible !== true || (linked && !trace.customdata))
      continue;
    const x = plot._fullLayout[trace.xaxis.replace("x", "xaxis")];
    const y = plot._fullLayout[trace.yaxis.replace("y", "yaxis")];
    const cells = () => [...trace.z].flatMap((row, j) => [...row].map((value, i) => [value, i, j]))
      .filter(([value]) => value !== null && value !== undefined)
      .map(([, i, j]) => [(trace.x[i] + trace.x[i + 1]) / 2, (trace.y[j] + trace.y[j + 1]) / 2]);
    const points = trace.z ? cells() : [...trace.x].map((value, i) => [value, trace.y[i],
      trace.customdata?.[i]]);
    for (const [across, up, rootname] of points) {
      const place = [x.d2p(across), y.d2p(up)];
      const seen = place[0] > 2 && place[0] < x._length - 2 && place[1] > 2 && place[1] < y._length
        - 2;
      if (seen && (rootname || !linked)) return [x._offset + place[0], y._offset + place[1]];
    }
  }
  return null;
}"""

_HIDDEN = "plot.data.filter((trace) => trace.visible === 'legendonly').length"


class Plot:
    """A figure of the page that a browser shows.

    Parameters
    ----------
    browser
        The browser.
    path
        End of the figure's address.
    """

    def __init__(self, browser: Browser, path: str) -> None:
        self._browser = browser
        self._found = f"document.querySelector({json.dumps(f'[data-figure$={json.dumps(path)}]')})"

    def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression about the element ``plot``."""
        return self._browser.evaluate(f"((plot) => {expression})({self._found})")

    def wait(self, expression: str) -> None:
        """Wait until a JavaScript expression about the element ``plot`` is true."""
        self._browser.wait(f"((plot) => {expression})({self._found})")

    def show(self) -> None:
        """Scroll it into view and wait until it is drawn."""
        self.ask("plot.scrollIntoView({ block: 'center' })")
        self.wait("plot.dataset.drawn === 'yes'")

    def point(self, *, linked: bool = False) -> tuple[float, float] | None:
        """Return the place in the figure of a point or cell.

        Where ``linked``, of a point that leads to a dataset.
        """
        for _ in range(10):
            place = self.ask(f"({_POINT})({json.dumps(linked)})")
            if place is not None:
                return place[0], place[1]
            time.sleep(0.1)  # while Plotly fits it to the window, axes have no scale
        return None

    def move(self, x: float, y: float) -> tuple[float, float]:
        """Move the mouse to a place of the figure; returns where in the window that is."""
        across, down = self.ask(f"({_PLACE})({x}, {y})")
        self._browser.mouse("mouseMoved", across, down)
        return across, down

    def hover(self) -> str:
        """Return the text that shows when the mouse is over a point."""
        place = self.point()
        assert place is not None, self._found
        self.move(*place)
        self.wait("plot.querySelector('.hoverlayer .hovertext') !== null")
        return str(self.ask("plot.querySelector('.hoverlayer').textContent"))

    def hidden(self) -> int:
        """Return how many traces the legend hides."""
        return int(self.ask(_HIDDEN))

    def toggle(self) -> None:
        """Hide or show the traces of the first entry of the legend, by a click on it."""
        hidden = self.hidden()
        box = self.ask(
            "((entry, whole) => [entry.left + entry.width / 2 - whole.left, entry.top + "
            "entry.height / 2 - whole.top])"
            "(plot.querySelector('.legendtoggle').getBoundingClientRect(), "
            "plot.getBoundingClientRect())"
        )
        self.click(*box)
        self.wait(f"{_HIDDEN} !== {hidden}")

    def click(self, x: float, y: float) -> None:
        """Click at a place of the figure."""
        place = self.move(x, y)
        self._browser.mouse("mousePressed", *place, pressed=True)
        self._browser.mouse("mouseReleased", *place)


def plots(browser: Browser) -> list[Plot]:
    """Return the figures of the page that the browser shows, from top to bottom."""
    paths = browser.evaluate(
        "[...document.querySelectorAll('[data-figure]')].map((plot) => plot.dataset.figure)"
    )
    return [Plot(browser, path) for path in paths]
