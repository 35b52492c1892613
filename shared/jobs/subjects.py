"""Subject of a job or an event: a dataset, a monitor, or neither."""

from sqlalchemy import ColumnElement

from shared.database.models.operations import Event, Job

__all__ = ["Subject", "about", "subject_columns", "subject_of"]

Subject = int | str
"""Key of a dataset, or name of a monitor."""


def subject_columns(subject: Subject | None) -> dict[str, int | str | None]:
    """Return the values of the two columns of ``jobs`` and ``events`` that name a subject.

    None is an event of the tables.
    """
    if isinstance(subject, str):
        return {"dataset_id": None, "monitor": subject}
    return {"dataset_id": subject, "monitor": None}


def about(model: type[Job] | type[Event], subject: Subject) -> ColumnElement[bool]:
    """Return the condition that a job or an event is about a subject."""
    return model.monitor == subject if isinstance(subject, str) else model.dataset_id == subject


def subject_of(dataset_id: int | None, monitor: str | None) -> Subject:
    """Return the subject out of the two columns; the schema lets exactly one of them be set."""
    subject = monitor if dataset_id is None else dataset_id
    assert subject is not None  # noqa: S101 - the check constraint `one_subject`
    return subject
