"""Drawings of a monitor's figures: made when data arrive, not when somebody looks, and only of what changed."""

import gzip
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.figures import Figure, figure_to_json
from services.monitor.figures.drawing import draw
from services.monitor.figures.plotly import to_plotly
from services.monitor.monitors.framework.monitor import Monitor
from services.monitor.monitors.framework.versions import versions_of
from shared.database.models.monitoring import MonitorFigure, MonitorRun

__all__ = ["Drawn", "draw_figures", "drawings_of", "write_figures"]

Drawn = dict[str, dict[str, bytes]]
"""Drawings of figures by their description."""


async def drawings_of(session: AsyncSession, monitor: Monitor) -> Drawn:
    """Find the drawings that the last run of a monitor left, if it was one of the same versions.

    Parameters
    ----------
    session
        Session to read in.
    monitor
        The monitor.
    """
    rows = await session.execute(
        select(MonitorFigure.content, MonitorFigure.plotly, MonitorFigure.png)
        .join(MonitorRun, MonitorRun.id == MonitorFigure.run_id)
        .where(MonitorFigure.monitor == monitor.name, MonitorRun.versions == versions_of(monitor))
    )
    return {_key(content): {"plotly": plotly, "png": png} for content, plotly, png in rows if plotly and png}


def draw_figures(figures: Sequence[Figure], drawn: Drawn) -> list[dict[str, Any]]:
    """Draw figures but those that are as they were; rows of ``monitor_figures`` without the monitor and its run.

    Parameters
    ----------
    figures
        Figures in the order of the page.
    drawn
        Drawings that there are.
    """
    rows = []
    for position, figure in enumerate(figures):
        content = figure_to_json(figure)
        drawings = drawn.get(_key(content)) or {
            "plotly": gzip.compress(json.dumps(to_plotly(figure)).encode(), compresslevel=6, mtime=0),
            "png": draw(figure, "png"),
        }
        words = {"name": figure.name, "title": figure.title, "caption": figure.caption}
        rows.append(words | drawings | {"position": position, "content": content})
    return rows


async def write_figures(session: AsyncSession, monitor: str, run_id: int, figures: Sequence[dict[str, Any]]) -> None:
    """Put figures in the place of those of a monitor's last run.

    Parameters
    ----------
    session
        Session of a transaction.
    monitor
        Name of the monitor.
    run_id
        The run.
    figures
        What `draw_figures` gave.
    """
    await session.execute(delete(MonitorFigure).where(MonitorFigure.monitor == monitor))
    if figures:
        of_run = {"monitor": monitor, "run_id": run_id}
        await session.execute(insert(MonitorFigure).values([figure | of_run for figure in figures]))


def _key(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True)
