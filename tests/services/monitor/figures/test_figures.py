"""Figures: one description, two ways to draw it."""

import json

import numpy as np
import pytest
from pydantic import ValidationError

from services.monitor.figures import (
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
from services.monitor.figures.description import MOST_POINTS, PointColumns, numbers, scatter
from services.monitor.figures.matplotlib import draw
from services.monitor.figures.plotly import to_plotly

FIGURE = Figure(
    name="rate",
    title="Dark rate",
    caption="What one sees.",
    panels=[
        Panel(
            x_label="Date",
            y_label="Rate",
            layers=[
                Points(
                    label="FUVA",
                    x=[58000.0, 58001.5],
                    y=[1e-6, None],
                    error=[1e-7, None],
                    rootnames=["ldabcdefq", None],
                ),
                Line(
                    label="expected", x=[58000.0, 58010.0], y=[2e-6, 2e-6], steps=True, dashed=True
                ),
                Mark(text="LP4", x=58028.0),
                Mark(text="limit", y=3e-6),
            ],
            title="inner",
            x_is_time=True,
        ),
        Panel(
            x_label="Longitude",
            y_label="Latitude",
            layers=[
                Heatmap(
                    label="rate",
                    x_edges=[0.0, 10.0, 20.0],
                    y_edges=[0.0, 5.0],
                    z=[[1.0, None]],
                    log=True,
                ),
                Outline(label="SAA", x=[1, 2, 1], y=[0, 1, 0]),
            ],
        ),
    ],
)


def test_a_figure_survives_storage() -> None:
    assert figure_from_json(figure_to_json(FIGURE)) == FIGURE


def test_a_stored_figure_with_an_unknown_layer_is_refused() -> None:
    content = json.loads(figure_to_json(FIGURE))
    content["panels"][0]["layers"][0]["kind"] = "pie"
    with pytest.raises(ValidationError, match="pie"):
        figure_from_json(json.dumps(content).encode())


def test_plotly_has_calendar_dates_and_leads_to_datasets() -> None:
    plot = to_plotly(FIGURE)
    points = plot["data"][0]
    assert points["x"] == ["2017-09-04T00:00:00.000", "2017-09-05T12:00:00.000"]
    assert points["customdata"] == ["ldabcdefq", None]
    assert plot["layout"]["xaxis"]["type"] == "date"
    assert {shape["x0"] for shape in plot["layout"]["shapes"]} == {"2017-10-02T00:00:00.000", 0}
    assert [trace["xaxis"] for trace in plot["data"]] == ["x", "x", "x2", "x2"]


def test_lines_lie_over_points_and_outliers_over_lines() -> None:
    line, outline = (
        Line(label="fit", x=[0.0, 2.0], y=[1.0, 1.0]),
        Outline(label="SAA", x=[1, 2], y=[0, 1]),
    )
    outliers = Points(label="outliers", x=[1.0], y=[5.0], outlier=True)
    for number, kind in ((1999, "scatter"), (2000, "scattergl")):
        points = Points(label="FUVA", x=[1.0] * number, y=[1.0] * number)
        plot = to_plotly(
            Figure(
                name="fit",
                title="Fit",
                caption="",
                panels=[Panel(x_label="x", y_label="y", layers=[line, outliers, points, outline])],
            )
        )
        assert [trace["name"] for trace in plot["data"]] == ["FUVA", "fit", "SAA", "outliers"]
        assert {trace["type"] for trace in plot["data"]} == {kind}


def test_plotly_panels_do_not_overlap() -> None:
    layout = to_plotly(FIGURE)["layout"]
    upper, lower = layout["yaxis"]["domain"], layout["yaxis2"]["domain"]
    assert 0 <= lower[0] < lower[1] < upper[0] < upper[1] <= 1


def test_plotly_panels_in_columns_have_colour_bars_of_their_own() -> None:
    coloured = Points(label="A", x=[1.0], y=[2.0], colour=[3.0], colour_label="year")
    grid = Figure(
        name="grid",
        title="Grid",
        caption="",
        panels=[Panel(x_label="x", y_label="y", layers=[coloured]) for _ in range(4)],
        columns=2,
    )
    plot = to_plotly(grid)
    for number, trace in enumerate(plot["data"], start=1):
        suffix = "" if number == 1 else str(number)
        x, y = (plot["layout"][f"{axis}axis{suffix}"]["domain"] for axis in "xy")
        bar = trace["marker"]["colorbar"]
        assert bar["x"] == x[1]
        assert (bar["y"] - bar["len"] / 2, bar["y"] + bar["len"] / 2) == pytest.approx(y)
        neighbour = plot["layout"]["xaxis2"]["domain"][0] if number % 2 else 1.0
        assert x[1] + 0.09 < neighbour + 0.001


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_pictures(kind: str, start: bytes) -> None:
    picture = draw(FIGURE, kind)
    assert picture.startswith(start)
    assert kind == "png" or (b"style" not in picture and b'stroke-linejoin="round"' in picture)


def test_too_many_points_become_their_density_but_outliers_stay() -> None:
    count = MOST_POINTS + 10
    generator = np.random.default_rng(1)
    x, outliers = generator.uniform(58000, 59000, count), np.zeros(count, dtype=bool)
    outliers[:5] = True
    density, far = scatter(
        "FUVA", PointColumns(x=x, y=generator.normal(size=count), outliers=outliers)
    )
    assert isinstance(density, Heatmap)
    assert isinstance(far, Points)
    assert sum(value or 0 for row in density.z for value in row) == count - 5
    assert (len(far.x), far.outlier) == (5, True)


def test_numbers_have_no_nan() -> None:
    assert numbers([1.23456789, np.nan, np.inf]) == [1.23457, None, None]


def test_numbers_that_are_close_together_stay_apart() -> None:
    seconds = np.arange(4) * 1.0
    dates = 58108.5 + seconds / 86400.0
    kept = (np.array(numbers(dates)) - 58108.5) * 86400.0
    assert kept == pytest.approx(seconds, abs=0.001)
    assert numbers([1.23456789e-9, 0.5, np.nan, 7.0]) == [1.23457e-09, 0.5, None, 7.0]
    assert numbers([58108.123456789], None) == [58108.123456789]


@pytest.mark.parametrize(
    "panels",
    [[], [Panel(x_label="Date", y_label="Rate", layers=[Mark(text="limit", y=3.0)])]],
    ids=["no panel", "only marks"],
)
def test_a_figure_of_nothing_says_so(panels: list[Panel]) -> None:
    figure = Figure(
        name="spots",
        title="Hot spots",
        caption="What one sees.",
        panels=panels,
        share_x=True,
        nothing="no hot spots found",
    )
    drawn = to_plotly(figure)
    assert drawn["data"] == []
    assert [note["text"] for note in drawn["layout"]["annotations"]] == ["no hot spots found"]
    assert not drawn["layout"]["xaxis"]["visible"]
    assert not drawn["layout"]["yaxis"]["visible"]
    assert b"no hot spots found" in draw(figure, "svg")
    assert draw(figure, "png").startswith(b"\x89PNG")


def test_a_panel_of_nothing_is_left_out() -> None:
    figure = Figure(
        name="rate",
        title="Rate",
        caption="What one sees.",
        panels=[Panel(x_label="Date", y_label="Rate"), *FIGURE.panels],
    )
    assert to_plotly(figure) == to_plotly(FIGURE)
