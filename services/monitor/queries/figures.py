"""Figures of monitors as drawings."""

import asyncio
import json
from dataclasses import replace
from typing import Literal

from anyio import CapacityLimiter, to_process
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.figures import figure_from_json
from services.monitor.figures.matplotlib import draw
from services.monitor.figures.packing import pack, unpack
from services.monitor.figures.plotly import to_plotly
from services.monitor.framework.declaration import Monitor
from services.monitor.queries.errors import NotFoundError
from shared.database.models.monitoring import MonitorFigure

__all__ = ["DrawingFormat", "draw_figure"]

DrawingFormat = Literal["json", "png", "svg"]

_DRAWING = CapacityLimiter(1)
"""Processes that draw."""


async def draw_figure(
    session: AsyncSession,
    monitor: Monitor,
    name: str,
    kind: DrawingFormat,
    columns: int | None = None,
) -> bytes:
    """Draw a figure: Plotly JSON or SVG, which are gzipped, or PNG.

    The run made the first, in the figure's own columns; pictures are drawn in a process of their
    own, so that what else this one answers need not wait.

    Parameters
    ----------
    session
        Session to read in; closed while something is drawn.
    monitor
        The monitor.
    name
        Name of the figure.
    kind
        Format of the drawing.
    columns
        Panels beside each other; None for as many as the figure has.

    Raises
    ------
    NotFoundError
        If there is no such figure, or no such drawing of it.
    """
    stored = kind == "json" and columns is None
    column = MonitorFigure.plotly if stored else MonitorFigure.content
    query = select(column).where(MonitorFigure.monitor == monitor.name, MonitorFigure.name == name)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        message = (
            f"{monitor.name} has no figure {name!r}; /api/v1/monitors/{monitor.name} lists them"
        )
        raise NotFoundError("unknown_figure", message)
    if row[0] is None:
        raise NotFoundError("not_drawn", f"{monitor.name} did not draw {name}; its next run will")
    if stored:
        return bytes(row[0])
    await session.close()
    if kind == "json":
        return await asyncio.to_thread(_draw, bytes(row[0]), kind, columns)
    return await to_process.run_sync(_draw, bytes(row[0]), kind, columns, limiter=_DRAWING)


def _draw(packed: bytes, kind: DrawingFormat, columns: int | None) -> bytes:
    figure = figure_from_json(unpack(packed))
    if columns is not None:
        figure = replace(figure, columns=min(columns, figure.columns))
    if kind == "json":
        return pack(json.dumps(to_plotly(figure)).encode())
    picture = draw(figure, kind)
    return picture if kind == "png" else pack(picture)
