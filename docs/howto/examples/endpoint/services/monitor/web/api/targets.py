"""Targets of exposures."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.monitor.queries.targets import list_targets
from services.monitor.response_models.targets import Target, Targets
from services.monitor.web.dependencies import Session

__all__ = ["router"]

router = APIRouter(tags=["targets"])


@router.get("/targets", summary="Targets of a proposal, by name")
async def show_targets(
    session: Session,
    proposid: Annotated[int, Query(ge=1, le=99_999, description="Number of the proposal")],
) -> Targets:
    """Return every target, with its exposures."""
    found = await list_targets(session, proposid)
    return Targets(items=[Target.model_validate(one) for one in found])
