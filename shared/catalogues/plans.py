"""Plans: what a selection amounts to, before anything is fetched."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, case, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.catalogues import ARCHIVE
from shared.catalogues.conditions import is_public, selected_datasets
from shared.catalogues.selection import Selection
from shared.database.models.archive import (
    CatalogueEntryRow,
    CatalogueFileRow,
    CatalogueListing,
    ListingKind,
)
from shared.database.models.operations import File, SourceFile
from shared.errors import RefusedError

__all__ = ["Plan", "make_plan", "require_known", "require_room"]

_NAMES: Final = 20
"""Names of incomplete datasets that a plan has."""
_SAMPLE: Final = 2000
"""Datasets of a configuration whose files say how large the others are."""
_FILES, _BYTES = 3, 5_000_000
"""Files and bytes of a dataset where none is known: the 5 exposures and the association of
LDFD01010 have 15 files of 25 MB.
"""
_HELD, _WITHDRAWN, _EXCLUSIVE, _COMING = "held", "withdrawn", "exclusive", "coming"
_EMPTY = "empty"
"""Of a dataset of which the archive lists no file."""


@dataclass(frozen=True)
class Plan:
    """What fetching some selections amounts to.

    Attributes
    ----------
    datasets
        Datasets of them.
    coming, files, bytes
        Those that would be fetched, with their files and bytes.
    estimated
        How many of them have files that were not listed yet: their share of files and bytes is an
        estimate by other datasets.
    held
        Datasets that are held as the archive has them.
    exclusive
        Datasets of which not everybody may have the files; they are not fetched.
    withdrawn
        Datasets that the archive does not have any more.
    incomplete
        Datasets of which the archive has no raw file, or of an association no table.
    incomplete_names
        The first of those.
    unknown
        Proposals and targets of which no catalogue has anything.
    room
        Room on the disk of the store, bytes; None where it is not known.
    listed_at
        When the last full listing of a catalogue was done; None before the first.
    """

    datasets: int = 0
    coming: int = 0
    files: int = 0
    bytes: int = 0
    estimated: int = 0
    held: int = 0
    exclusive: int = 0
    withdrawn: int = 0
    incomplete: int = 0
    incomplete_names: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    room: int | None = None
    listed_at: datetime | None = None

    @property
    def fits(self) -> bool:
        """Whether the disk of the store has room for what would come."""
        return self.room is None or self.bytes <= self.room


async def make_plan(
    session: AsyncSession, selections: Sequence[Selection], room: int | None
) -> Plan:
    """Say what fetching some selections amounts to.

    Parameters
    ----------
    session
        Session.
    selections
        What would be wanted.
    room
        Room on the disk of the store, bytes, if that is known.
    """
    listed_at = await session.scalar(
        select(func.max(CatalogueListing.finished_at)).where(
            CatalogueListing.kind == ListingKind.FULL, CatalogueListing.error.is_(None)
        )
    )
    groups = (await session.execute(_grouped(selections))).all()
    files, size, estimated = 0, 0, 0
    for group in groups:
        if group.state != _COMING:
            continue
        files, size = files + int(group.files), size + int(group.bytes)
        if group.unlisted:
            each_files, each_bytes = await _typical(session, group.configuration)
            files += round(group.unlisted * each_files)
            size += round(group.unlisted * each_bytes)
            estimated += group.unlisted

    def count(*states: str) -> int:
        return sum(group.datasets for group in groups if group.state in states)

    incomplete = sum(group.incomplete for group in groups)
    return Plan(
        datasets=count(_HELD, _WITHDRAWN, _EXCLUSIVE, _COMING, _EMPTY),
        coming=count(_COMING),
        files=files,
        bytes=size,
        estimated=estimated,
        held=count(_HELD),
        exclusive=count(_EXCLUSIVE),
        withdrawn=count(_WITHDRAWN),
        incomplete=incomplete,
        incomplete_names=await _incomplete_names(session, selections) if incomplete else [],
        unknown=[] if listed_at is None else await _unknown(session, selections),
        room=room,
        listed_at=listed_at,
    )


def require_known(plan: Plan) -> None:
    """Refuse a selection that names what no catalogue has.

    Raises
    ------
    RefusedError
        If it does.
    """
    if plan.unknown:
        raise RefusedError(
            f"no catalogue has anything of {', '.join(plan.unknown)}; check the spelling"
        )


def require_room(plan: Plan) -> None:
    """Refuse the plan of everything where that is not known, or does not fit.

    Raises
    ------
    RefusedError
        If so.
    """
    if plan.listed_at is None:
        raise RefusedError(
            "how much everything is is not known before the first full listing of a catalogue; "
            "try again after it"
        )
    if not plan.fits:
        raise RefusedError(
            f"everything is {_readable(plan.bytes)}, and the disk of the store has room for "
            f"{_readable(plan.room or 0)}; select less, or move the store to a larger disk"
        )


def _readable(size: int) -> str:
    for unit, scale in (("TB", 1e12), ("GB", 1e9)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size / 1e6:.1f} MB"


def _dataset_states(selections: Sequence[Selection]) -> Any:
    """Return a subquery of the selected datasets, each with its state."""
    entry, listed = CatalogueEntryRow, CatalogueFileRow
    chosen = (
        select(
            entry.dataset,
            entry.configuration,
            entry.missing_since.is_not(None).label("withdrawn"),
            is_public().label("public"),
            entry.files_due.label("due"),
        )
        .where(entry.dataset.in_(selected_datasets(selections)))
        .cte("chosen")
    )
    is_held = and_(
        exists().where(
            File.rootname == func.split_part(listed.name, "_", 1),
            File.name == listed.name,
            File.current,
        ),
        ~exists().where(
            SourceFile.source == ARCHIVE,
            SourceFile.url == listed.uri,
            SourceFile.fetched_identity != listed.identity,
        ),
    )
    file = (
        select(
            listed.dataset,
            is_held.label("held"),
            func.coalesce(listed.size, 0).label("size"),
            or_(listed.name.like("%\\_raw%"), listed.name.like("%\\_asn.%")).label("central"),
        )
        .join(chosen, chosen.c.dataset == listed.dataset)
        .cte("file")
    )
    files = (
        select(
            file.c.dataset,
            func.count().label("number"),
            func.count().filter(~file.c.held).label("files"),
            func.coalesce(func.sum(file.c.size).filter(~file.c.held), 0).label("bytes"),
            func.bool_or(file.c.central).label("central"),
        )
        .group_by(file.c.dataset)
        .cte("sums")
    )
    has_files = files.c.number.is_not(None)
    in_store = exists().where(File.rootname == chosen.c.dataset, File.current, File.origin == "raw")
    held = case((has_files, files.c.files == 0), else_=in_store)
    return (
        select(
            chosen.c.dataset,
            chosen.c.configuration,
            case(
                (held, _HELD),
                (chosen.c.withdrawn, _WITHDRAWN),
                (~func.coalesce(chosen.c.public, False), _EXCLUSIVE),
                (and_(~has_files, ~chosen.c.due), _EMPTY),
                else_=_COMING,
            ).label("state"),
            func.coalesce(files.c.files, 0).label("files"),
            func.coalesce(files.c.bytes, 0).label("bytes"),
            and_(~has_files, chosen.c.due).label("unlisted"),
            and_(~chosen.c.due, ~func.coalesce(files.c.central, False)).label("incomplete"),
        )
        .outerjoin(files, files.c.dataset == chosen.c.dataset)
        .subquery("states")
    )


def _grouped(selections: Sequence[Selection]) -> Select[Any]:
    state = _dataset_states(selections).c
    return select(
        state.state,
        state.configuration,
        func.count().label("datasets"),
        func.sum(state.files).label("files"),
        func.sum(state.bytes).label("bytes"),
        func.count().filter(state.unlisted).label("unlisted"),
        func.count().filter(state.incomplete).label("incomplete"),
    ).group_by(state.state, state.configuration)


async def _incomplete_names(session: AsyncSession, selections: Sequence[Selection]) -> list[str]:
    state = _dataset_states(selections).c
    query = select(state.dataset).where(state.incomplete).order_by(state.dataset).limit(_NAMES)
    return list((await session.execute(query)).scalars())


async def _typical(session: AsyncSession, configuration: str) -> tuple[float, float]:
    """Return the mean files and bytes of datasets of a configuration whose files were listed."""
    entry, file = CatalogueEntryRow, CatalogueFileRow
    sample = (
        select(entry.dataset)
        .where(entry.wanted, ~entry.files_due, entry.configuration == configuration)
        .limit(_SAMPLE)
        .subquery()
    )
    query = select(
        func.count(sample.c.dataset.distinct()), func.count(file.name), func.sum(file.size)
    ).outerjoin_from(sample, file, file.dataset == sample.c.dataset)
    datasets, files, size = (await session.execute(query)).one()
    if not files or not size:
        return _FILES, _BYTES
    return files / datasets, float(size) / datasets


async def _unknown(session: AsyncSession, selections: Sequence[Selection]) -> list[str]:
    """Return the proposals and targets, those with no ``*``, of which there is nothing."""
    entry = CatalogueEntryRow
    numbers = {number for selection in selections for number in selection.proposals}
    targets = {target for selection in selections for target in selection.targets}
    unknown: list[str] = []
    if numbers:
        query = select(entry.proposal).where(entry.proposal.in_(numbers)).distinct()
        known = set((await session.execute(query)).scalars())
        unknown += [f"proposal {number}" for number in sorted(numbers) if number not in known]
    if exact := sorted(target for target in targets if "*" not in target):
        lowered = func.lower(entry.target)
        query_targets = select(lowered).where(lowered.in_(map(str.lower, exact))).distinct()
        names = set((await session.execute(query_targets)).scalars())
        unknown += [f"target {target}" for target in exact if target.lower() not in names]
    return unknown
