"""Figures of a monitor in the database: as Plotly JSON, made when data arrive and not when somebody
looks, and as what any other drawing is made of.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.figures import Figure, figure_to_json
from services.monitor.figures.packing import pack
from services.monitor.figures.plotly import to_plotly
from shared.database.models.monitoring import MonitorFigure

__all__ = ["draw_figures", "write_figures"]


def draw_figures(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Draw figures; rows of ``monitor_figures`` without the monitor and its run.

    Parameters
    ----------
    figures
        Figures in the order of the page.
    """
    return [
        {
            "name": figure.name,
            "title": figure.title,
            "caption": figure.caption,
            "position": position,
            "content": pack(figure_to_json(figure)),
            "plotly": pack(json.dumps(to_plotly(figure)).encode()),
        }
        for position, figure in enumerate(figures)
    ]


async def write_figures(
    session: AsyncSession, monitor: str, run_id: int, figures: Sequence[dict[str, Any]]
) -> None:
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
