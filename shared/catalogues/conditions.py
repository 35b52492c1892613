"""Conditions in SQL: which entries of the catalogues a selection means."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, SelectBase, and_, false, func, or_, select, union
from sqlalchemy.orm import aliased

from shared.catalogues.selection import Cone, Selection
from shared.database.models.archive import Access, CatalogueEntryRow

__all__ = ["is_public", "selected_datasets"]

_ESCAPE = "\\"


def selected_datasets(selections: Sequence[Selection]) -> SelectBase:
    """Return the query of the datasets of any of some selections.

    An association comes with its members, and a member with its association. To be joined: an
    expression that asks of each entry whether it is among them would not scale.
    """
    entry, member = CatalogueEntryRow, aliased(CatalogueEntryRow)
    if any(selection.everything for selection in selections):
        return select(entry.dataset)
    meets = or_(false(), *(and_(*_conditions(selection)) for selection in selections))
    associations = (
        select(entry.association).where(meets, entry.association != "").distinct().subquery()
    )
    return union(
        select(entry.dataset).where(meets),
        select(member.dataset).join(associations, associations.c.association == member.association),
    )


def is_public() -> ColumnElement[bool]:
    """Return the condition that everybody may have the files of an entry."""
    entry = CatalogueEntryRow
    return or_(
        entry.access == Access.PUBLIC,
        and_(entry.access == Access.UNKNOWN, entry.public_from <= func.now()),
    )


def _conditions(selection: Selection) -> Iterator[ColumnElement[bool]]:
    entry = CatalogueEntryRow
    if selection.proposals:
        yield entry.proposal.in_(selection.proposals)
    if selection.targets:
        yield or_(*(_has_target(target) for target in selection.targets))
    if selection.cone:
        yield _is_within(selection.cone)
    if selection.dates and selection.dates.first:
        yield entry.start >= selection.dates.first
    if selection.dates and selection.dates.last:
        yield entry.start < selection.dates.last
    if selection.configuration:
        yield entry.configuration == selection.configuration


def _has_target(target: str) -> ColumnElement[bool]:
    for special in (_ESCAPE, "%", "_"):
        target = target.replace(special, _ESCAPE + special)
    return CatalogueEntryRow.target.ilike(target.replace("*", "%"), escape=_ESCAPE)


def _is_within(cone: Cone) -> ColumnElement[bool]:
    """Compare the chord between two positions, which is exact for small angles too."""
    entry = CatalogueEntryRow
    dec: Any = entry.dec

    def square(degrees: Any) -> Any:
        return func.power(func.sind(degrees / 2), 2)

    across = func.cosd(dec) * func.cosd(cone.dec) * square(entry.ra - cone.ra)
    within: ColumnElement[bool] = square(dec - cone.dec) + across <= square(cone.radius)
    return within
