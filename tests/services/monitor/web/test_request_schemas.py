"""Every operation says in the OpenAPI schema what it does, and how much it takes."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from services.monitor.web.app import create_app
from shared.settings import Settings
from tests.services.monitor.conftest import TOKEN

_API = "/api/v1"
_LIMITS = {
    "string": {"maxLength", "const", "format"},
    "integer": {"maximum", "exclusiveMaximum", "const"},
    "array": {"maxItems"},
    "object": {"maxProperties", "properties"},
}
"""Words of which a schema of each type has one that limits it."""


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def _unlimited(part: Any, models: dict[str, Any], place: str) -> Iterator[str]:
    """Places below a schema that take any text, number or list; each model is looked at once."""
    if isinstance(part, list):
        for number, item in enumerate(part):
            yield from _unlimited(item, models, f"{place}/{number}")
    elif isinstance(part, dict) and "enum" not in part:
        kind, reference = part.get("type"), part.get("$ref")
        if isinstance(kind, str) and not _LIMITS.get(kind, part.keys()) & part.keys():
            yield place
        if isinstance(reference, str):
            name = reference.rsplit("/", 1)[-1]
            yield from _unlimited(models.pop(name, None), models, name)
        for name, inner in part.items():
            yield from _unlimited(inner, models, f"{place}/{name}")


def test_every_operation_and_parameter_is_described(described: dict[str, Any]) -> None:
    bare = [name for name, operation in _operations(described) if not operation.get("description")]
    bare += [
        f"{name}: {parameter['name']}"
        for name, operation in _operations(described)
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ]
    assert bare == []


def test_every_parameter_and_body_is_limited(described: dict[str, Any]) -> None:
    models = dict(described["components"]["schemas"])
    unlimited = [
        place
        for name, operation in _operations(described)
        for part in (
            *(parameter["schema"] for parameter in operation.get("parameters", ())),
            operation.get("requestBody", {}).get("content", {}).get("application/json"),
        )
        for place in _unlimited(part, models, name)
    ]
    assert unlimited == []
    assert "Recipe" not in models  # bodies were followed into their models


@pytest.mark.integration
@pytest.mark.parametrize(
    "path",
    [
        f"alerts?monitor={'x' * 256}",
        f"audit?token={'x' * 256}",
        f"datasets?cursor={'x' * 4001}",
        f"tables/headers?sort={'x' * 256}",
        "monitors/fuv-dark/figures/rate?columns=101",
        f"events?after={2**63}",
    ],
    ids=lambda path: path.split("?")[0][:30],
)
async def test_what_is_beyond_a_limit_is_refused(web: httpx.AsyncClient, path: str) -> None:
    answer = await web.get(f"{_API}/{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, "invalid_request")


@pytest.mark.integration
async def test_a_header_beyond_its_limit_is_refused(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"{_API}/files/1/content", headers={"Range": f"bytes={'0' * 1000}-"})
    assert answer.status_code == 422
