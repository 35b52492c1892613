"""Figures: one description, drawn as Plotly JSON in a browser and by matplotlib as PNG or SVG."""

from services.monitor.figures.description import (
    Figure,
    Heatmap,
    Line,
    Mark,
    Outline,
    Panel,
    Points,
    figure_from_json,
    figure_to_json,
)

__all__ = [
    "VERSION",
    "Figure",
    "Heatmap",
    "Line",
    "Mark",
    "Outline",
    "Panel",
    "Points",
    "figure_from_json",
    "figure_to_json",
]

VERSION = 5
"""Of how figures are drawn: where it is another than that of a stored figure, the figure is drawn
anew.
"""
