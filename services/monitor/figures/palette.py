"""Colours that are distinct without colour vision, on light and on dark ground."""

__all__ = ["COLOURS", "OUTLIER", "SCALE", "SYMBOLS", "Styles"]

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8c6d31", "#d55e00")
"""Series in turn (Okabe and Ito, Color Universal Design, 2008.

Without black and yellow, not seen on every ground).
"""

SYMBOLS = (
    ("circle", "o"),
    ("square", "s"),
    ("diamond", "D"),
    ("triangle-up", "^"),
    ("cross", "P"),
    ("star", "*"),
)
"""Shape of each series, so that colour is never the only difference: Plotly's name and
matplotlib's.
"""

OUTLIER = "#d1242f"
"""Outliers, which are also drawn as open crosses."""

SCALE = "viridis"
"""Colour scale of values: even in lightness (matplotlib's and Plotly's Viridis)."""


class Styles:
    """Colour and shape of the series of one figure.

    The same label has the same ones in every panel.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def colour(self, label: str) -> str:
        """Return the colour of a series."""
        return COLOURS[self._number(label) % len(COLOURS)]

    def symbol(self, label: str) -> tuple[str, str]:
        """Return the shape of its points: Plotly's name and matplotlib's."""
        return SYMBOLS[self._number(label) % len(SYMBOLS)]

    def _number(self, label: str) -> int:
        return self._numbers.setdefault(label, len(self._numbers))
