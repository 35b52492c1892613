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

VERSION = 6
"""Version of the drawing code: a stored figure of another version is drawn again."""
