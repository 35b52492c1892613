"""Statuses in the OpenAPI schema: those that follow from a route, and those it declares."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI

from services.monitor.web.app import create_app
from services.monitor.web.dependencies import Operator
from services.monitor.web.protection.bodies import RequestModel
from services.monitor.web.statuses import document_statuses, may_answer
from shared.settings import Settings

_ALWAYS = {"400", "408", "413", "421", "422", "431", "500", "503"}


class _Wanted(RequestModel):
    size: int


@may_answer(410)
async def _store() -> None:
    """Dependency of two routes."""


def _schema() -> dict[str, Any]:
    router = APIRouter(prefix="/things")

    @router.get("")
    async def listing(store: Annotated[None, Depends(_store)]) -> dict[str, int]:
        return {}

    @router.get("/{name}")
    @may_answer(304, 415)
    async def show(name: str) -> dict[str, int]:
        return {}

    @router.post("")
    @may_answer(202, 409)
    async def change(wanted: _Wanted, by: Operator) -> dict[str, int]:
        return {}

    app = FastAPI()
    app.include_router(router)
    schema = app.openapi()
    document_statuses(schema, app.routes)
    return schema


def test_statuses_follow_from_the_route() -> None:
    paths = _schema()["paths"]
    assert set(paths["/things"]["get"]["responses"]) == {*_ALWAYS, "200", "410"}
    shown, changed = paths["/things/{name}"]["get"], paths["/things"]["post"]
    assert set(shown["responses"]) == {*_ALWAYS, "200", "304", "404", "415"}
    assert "content" not in shown["responses"]["304"]
    assert set(changed["responses"]) == {
        *_ALWAYS,
        *("200", "202", "401", "403", "409"),
    }
    assert changed["responses"]["202"]["content"] == changed["responses"]["200"]["content"]
    assert changed["security"] == [{"token": ["operate"]}]
    assert "security" not in shown


def test_errors_have_the_one_shape() -> None:
    schema = _schema()
    answer = schema["paths"]["/things"]["post"]["responses"]["422"]["content"]
    assert answer["application/json"]["schema"]["$ref"] == "#/components/schemas/ErrorResponse"
    assert {"ErrorResponse", "ErrorDescription"} <= set(schema["components"]["schemas"])
    assert "HTTPValidationError" not in schema["components"]["schemas"]


def test_a_status_without_a_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="418"):
        may_answer(418)


def test_the_schema_is_made_once() -> None:
    app = create_app(Settings())
    assert app.openapi() is app.openapi()
    assert "401" in app.openapi()["paths"]["/api/v1/audit"]["get"]["responses"]
