"""Two runs that are compared, as API and pages are asked for them."""

from typing import Annotated

from fastapi import Depends, Query

from services.monitor.queries.comparisons import ComparedRuns, find_runs
from services.monitor.web.dependencies import Session
from services.monitor.web.parameters import LONGEST_NAME, Exposure, Rootname, RowNumber

__all__ = ["CompareRuns"]


async def _find(
    rootname: Rootname,
    session: Session,
    second: Annotated[RowNumber, Query(description="Id of a run")],
    first: Annotated[
        RowNumber | None,
        Query(description="Id of the run it is compared with; default: the current one"),
    ] = None,
    product: Annotated[
        str | None,
        Query(
            pattern="^[a-z0-9_]+$",
            max_length=LONGEST_NAME,
            description="Suffix, e.g. x1d; default: the best one in both runs",
        ),
    ] = None,
    exposure: Exposure = None,
) -> ComparedRuns:
    return await find_runs(session, rootname, (first, second), product, exposure)


CompareRuns = Annotated[ComparedRuns, Depends(_find)]
