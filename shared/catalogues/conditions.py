"""Conditions in SQL: which entries of the catalogues a selection means."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select, true
from sqlalchemy.orm import aliased

from shared.catalogues.selection import Cone, Selection
from shared.database.models.archive import Access, CatalogueEntryRow

__all__ = ["is_public", "is_selected"]

_ESCAPE = "\\"
_Entry = type[CatalogueEntryRow]


def is_selected(selections: Sequence[Selection]) -> ColumnElement[bool]:
    """Return the condition that an entry is of any of some selections.

    An association comes with its members, and a member with its association.
    """
    if any(selection.everything for selection in selections):
        return true()
    if not selections:
        return false()
    other = aliased(CatalogueEntryRow)
    associations = select(other.association).where(_meets(other, selections))
    return or_(
        _meets(CatalogueEntryRow, selections),
        CatalogueEntryRow.association.in_(associations.where(other.association != "")),
    )


def is_public() -> ColumnElement[bool]:
    """Return the condition that everybody may have the files of an entry."""
    entry = CatalogueEntryRow
    return or_(
        entry.access == Access.PUBLIC,
        and_(entry.access == Access.UNKNOWN, entry.public_from <= func.now()),
    )


def _meets(entry: _Entry, selections: Sequence[Selection]) -> ColumnElement[bool]:
    return or_(*(and_(*_conditions(entry, selection)) for selection in selections))


def _conditions(entry: _Entry, selection: Selection) -> Iterator[ColumnElement[bool]]:
    if selection.proposals:
        yield entry.proposal.in_(selection.proposals)
    if selection.targets:
        yield or_(*(_has_target(entry, target) for target in selection.targets))
    if selection.cone:
        yield _is_within(entry, selection.cone)
    if selection.dates and selection.dates.first:
        yield entry.start >= selection.dates.first
    if selection.dates and selection.dates.last:
        yield entry.start < selection.dates.last
    if selection.configuration:
        yield entry.configuration == selection.configuration


def _has_target(entry: _Entry, target: str) -> ColumnElement[bool]:
    for special in (_ESCAPE, "%", "_"):
        target = target.replace(special, _ESCAPE + special)
    return entry.target.ilike(target.replace("*", "%"), escape=_ESCAPE)


def _is_within(entry: _Entry, cone: Cone) -> ColumnElement[bool]:
    """Compare the chord between two positions, which is exact for small angles too."""
    dec: Any = entry.dec

    def square(degrees: Any) -> Any:
        return func.power(func.sind(degrees / 2), 2)

    across = func.cosd(dec) * func.cosd(cone.dec) * square(entry.ra - cone.ra)
    within: ColumnElement[bool] = square(dec - cone.dec) + across <= square(cone.radius)
    return within
