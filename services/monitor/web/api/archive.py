"""Remote archives: what they have, what is wanted of it, and how they are."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field, ValidationError

from services.monitor.queries.archive import (
    EntryChoice,
    add_selection,
    describe_plan,
    end_selection,
    list_entries,
    read_archive_status,
)
from services.monitor.response_models.archive import (
    ArchiveDataset,
    ArchiveSelectionRecord,
    ArchiveStatus,
    PlanRecord,
)
from services.monitor.response_models.common import Page
from services.monitor.web.dependencies import CurrentContext, Operator, Session
from services.monitor.web.error_responses import ApiError
from services.monitor.web.pagination import Cursor, Limit, page_of
from services.monitor.web.parameters import Name, RowNumber, Since
from services.monitor.web.protection.audit import name_subject
from services.monitor.web.protection.bodies import RequestModel
from services.monitor.web.statuses import may_answer
from shared.catalogues.selection import (
    JsonSelection,
    Selection,
    describe_problems,
    problems_of,
)
from shared.database.models.archive import Access, SelectionOrder
from shared.logs import get_logger

__all__ = ["router"]

router = APIRouter(prefix="/archive", tags=["archive"])

_LONGEST_LIST = 1000


def _given(
    proposals: Annotated[
        str | None,
        Query(max_length=_LONGEST_LIST, description="Numbers of proposals, separated by commas"),
    ] = None,
    targets: Annotated[
        str | None,
        Query(
            max_length=_LONGEST_LIST,
            description="Targets, separated by commas; * stands for any text",
        ),
    ] = None,
    cone: Annotated[
        str | None,
        Query(
            max_length=100,
            description="Right ascension, declination and radius of a circle in the sky, degree, "
            "separated by commas",
        ),
    ] = None,
    first: Annotated[
        Since, Query(description="Exposures that started from then on (ISO 8601, with zone)")
    ] = None,
    last: Annotated[
        Since, Query(description="Exposures that started before then (ISO 8601, with zone)")
    ] = None,
    configuration: Annotated[
        str | None, Query(pattern="^COS/(FUV|NUV)$", max_length=7, description="Detector")
    ] = None,
) -> dict[str, Any]:
    """Return what was given of a selection."""
    given = {
        "proposals": proposals,
        "targets": targets,
        "cone": cone,
        "first": first,
        "last": last,
        "configuration": configuration,
    }
    return {name: value for name, value in given.items() if value is not None}


_Given = Annotated[dict[str, Any], Depends(_given)]


def _selection(given: dict[str, Any]) -> Selection:
    """Make a selection of what was given.

    Raises
    ------
    ApiError
        If it makes no sense.
    """
    try:
        return Selection.of_parameters(**given)
    except ValidationError as error:
        problems = problems_of(error)
        raise ApiError(422, "invalid_request", describe_problems(problems), problems) from error


@router.get("/datasets", summary="Datasets of remote archives, by rootname")
async def show_archive_datasets(
    request: Request,
    response: Response,
    session: Session,
    given: _Given,
    dataset: Annotated[Name | None, Query(description="Beginning of the rootname")] = None,
    access: Annotated[Access | None, Query(description="Who may have it")] = None,
    wanted: Annotated[bool | None, Query(description="Whether it is wanted")] = None,
    missing: Annotated[
        bool | None, Query(description="Whether the archive no longer has it")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ArchiveDataset]:
    """List what the catalogues of remote archives have, by rootname.

    E.g. ``/archive/datasets?proposals=14933&access=exclusive`` lists the exclusive datasets of a
    proposal. An association comes with its members.
    """
    choice = EntryChoice(_selection(given) if given else None, dataset, access, wanted, missing)
    return page_of(request, response, await list_entries(session, choice, limit, cursor))


@router.get("/plan", summary="What fetching a selection amounts to")
async def show_plan(
    session: Session,
    context: CurrentContext,
    given: _Given,
    everything: Annotated[bool, Query(description="All that there is")] = False,
) -> PlanRecord:
    """Say what fetching a selection amounts to, without fetching anything.

    E.g. ``/archive/plan?proposals=14933``: datasets, files and bytes that would come, what is held,
    what is exclusive, what is incomplete at the archive. Where the files of datasets were not
    listed yet, files and bytes are an estimate, and ``estimated`` says of how many datasets.
    """
    selection = _selection({**given, "everything": everything})
    return await describe_plan(session, [selection], context.store.free_bytes)


@router.get("/status", summary="State of remote archives, and what waits")
async def show_archive_status(session: Session, context: CurrentContext) -> ArchiveStatus:
    """Say which catalogues answer, what their last listings found, what is wanted of them and what
    of that is still to come.
    """
    return await read_archive_status(session, context.store.free_bytes)


class NewSelection(RequestModel):
    """Datasets to fetch from remote archives."""

    selection: JsonSelection
    order: SelectionOrder = Field(SelectionOrder.NEWEST, description="Which datasets come first")


@router.post("/selections", summary="Fetch datasets from remote archives", status_code=201)
@may_answer(409)
async def add_archive_selection(
    wanted: NewSelection,
    session: Session,
    context: CurrentContext,
    request: Request,
    name: Operator,
) -> ArchiveSelectionRecord:
    """Fetch the datasets of a selection, those that come later too, until it is withdrawn.

    E.g. ``{"selection": {"proposals": [14933]}}``. What is exclusive is fetched when that is over.
    409 where no catalogue has such a proposal or target, and for ``everything`` where the disk of
    the store has no room for it.
    """
    room = context.store.free_bytes
    found = await add_selection(session, wanted.selection, wanted.order, name, room)
    await session.commit()
    name_subject(request, f"selection {found.id}")
    get_logger().info("selection added", selection=found.id, wanted=found.description, by=name)
    return found


@router.delete("/selections/{number}", summary="Withdraw a selection", status_code=204)
@may_answer(409)
async def end_archive_selection(
    number: Annotated[RowNumber, Path(description="Number of the selection")],
    session: Session,
    request: Request,
    name: Operator,
) -> None:
    """Fetch no more of a selection; what was fetched is kept.

    404 where there is none in force, 409 for that of the setting ``COSMO_ARCHIVE__WANTED``.
    """
    await end_selection(session, number)
    await session.commit()
    name_subject(request, f"selection {number}")
    get_logger().info("selection ended", selection=number, by=name)
