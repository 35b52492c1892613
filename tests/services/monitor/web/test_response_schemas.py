"""Every operation says in the OpenAPI schema what it answers."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, get_args

import pytest

from services.monitor.response_models.datasets import DatasetRecord, StageName
from services.monitor.response_models.jobs import JobRecord
from services.monitor.web.app import create_app
from shared.database.models.operations import DatasetState, JobState, Stage
from shared.settings import Settings


def _successes(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if status.startswith("2") and status != "204":
                    yield f"{method} {path} {status}", answer


def test_every_operation_has_a_response_schema() -> None:
    schema = create_app(Settings()).openapi()
    bare = [
        name
        for name, answer in _successes(schema)
        if not (content := answer.get("content"))
        or any(not media.get("schema") for media in content.values())
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("names", "enum"),
    [
        (DatasetRecord.model_fields["state"].annotation, DatasetState),
        (JobRecord.model_fields["state"].annotation, JobState),
        (StageName, Stage),
    ],
)
def test_names_are_those_of_the_database(names: Any, enum: type[StrEnum]) -> None:
    assert set(get_args(names)) == {member.value for member in enum}
