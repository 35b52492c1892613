"""What requests pass before they are routed, and what every answer has."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from services.monitor.web.protection import guard
from shared.database.models.audit import AuditEntry

pytestmark = pytest.mark.integration
API = "/api/v1"
AUTHORISED = {"Authorization": "Bearer correct horse"}
_MB = 1 << 20


class _Untouched(httpx.AsyncByteStream):
    """Body that nobody may ask for."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")


async def _parts(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65536):
        yield b"[" * 65536


async def test_without_a_token_no_body_is_read(web: httpx.AsyncClient) -> None:
    for path in ("/calibrations", "/references?name=x.fits&keyword=FLATFILE", "/nothing"):
        for sent in ({}, {"Authorization": "Bearer wrong"}):
            answer = await web.post(
                API + path, headers={"Content-Length": "60000000", **sent}, content=_Untouched()
            )
            assert (answer.status_code, answer.json()["error"]["type"]) == (401, "unauthorised")


async def test_what_is_announced_too_long_is_not_read(web: httpx.AsyncClient) -> None:
    for path, length in (
        ("/calibrations", _MB + 1),
        ("/references?name=x_flat.fits&keyword=FLATFILE", 1025 * _MB),
    ):
        headers = {**AUTHORISED, "Content-Length": str(length)}
        answer = await web.post(API + path, headers=headers, content=_Untouched())
        assert (answer.status_code, answer.json()["error"]["type"]) == (413, "too_large")
    answer = await web.request(
        "GET", f"{API}/status", headers={"Content-Length": "60000000"}, content=_Untouched()
    )
    assert answer.status_code == 413


async def test_what_is_not_announced_is_counted(web: httpx.AsyncClient, seeded: Any) -> None:
    seeded.settings.api.upload_limit_mb = 2
    for path, size in (
        ("/calibrations", 2 * _MB),
        ("/references?name=x_flat.fits&keyword=FLATFILE", 3 * _MB),
    ):
        answer = await web.post(API + path, headers=AUTHORISED, content=_parts(size))
        assert (answer.status_code, answer.json()["error"]["type"]) == (413, "too_large")


async def test_an_upload_is_refused_by_its_names_before_its_bytes(web: httpx.AsyncClient) -> None:
    for query in ("name=../x.fits&keyword=FLATFILE", "name=x_flat.fits&keyword=NOTHING"):
        answer = await web.post(
            f"{API}/references?{query}", headers=AUTHORISED, content=_Untouched()
        )
        assert answer.status_code == 409


async def test_a_body_that_stops_is_given_up(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_BODY_SECONDS", 0.05)

    async def stopping() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(1)

    for path in ("/calibrations", "/references?name=x_flat.fits&keyword=FLATFILE"):
        answer = await web.post(API + path, headers=AUTHORISED, content=stopping())
        assert (answer.status_code, answer.json()["error"]["type"]) == (408, "slow_body")


_DEEP: Any = 1
for _ in range(30):
    _DEEP = [_DEEP]


async def test_bodies_are_bounded(web: httpx.AsyncClient) -> None:
    for recipe, said in (
        ({"members": {"drop": ["a"] * 1001}}, "recipe.members.drop has 1001 elements"),
        ({str(key): 1 for key in range(1001)}, "recipe has 1001 elements"),
        ({"k" * 10_001: 1}, "recipe.a name has 10001 characters"),
        ({"context": "x" * 10_001}, "recipe.context has 10001 characters"),
        (_DEEP, "nested more than 20 deep"),
    ):
        body = {"rootname": "ldfd01010", "recipe": recipe}
        answer = await web.post(f"{API}/calibrations", headers=AUTHORISED, json=body)
        assert (answer.status_code, said in answer.json()["error"]["message"]) == (422, True), (
            answer.text[:300]
        )
    for part in ({"secret": "x" * 10_001}, {"target": ["a@b"] * 1001}):
        body = {"channel": "email", "target": "a@b", **part}
        answer = await web.post(f"{API}/subscriptions", headers=AUTHORISED, json=body)
        assert (answer.status_code, "001 " in answer.json()["error"]["message"]) == (422, True)


async def test_half_a_character_of_a_body_is_refused(web: httpx.AsyncClient) -> None:
    headers = {**AUTHORISED, "Content-Type": "application/json"}
    for recipe in (rb'{"keywords": {"\ud800": {"\ud800": 1}}}', rb'{"context": "\ud800"}'):
        body = rb'{"rootname": "ldfd01010", "recipe": %b}' % recipe
        answer = await web.post(f"{API}/calibrations", headers=headers, content=body)
        message = answer.json()["error"]["message"]
        assert (answer.status_code, "half a character" in message) == (422, True), message


async def test_json_of_any_depth_is_refused(web: httpx.AsyncClient) -> None:
    headers = {**AUTHORISED, "Content-Type": "application/json"}
    for body in (b"[" * 500_000, b'{"rootname":' * 50_000, b"[" * 900 + b"]" * 900):
        assert (
            await web.post(f"{API}/calibrations", headers=headers, content=body)
        ).status_code in (400, 422)


async def test_hosts_are_known(web: httpx.AsyncClient) -> None:
    known = ["cosmo", "COSMO:8080", "localhost:8080", "127.0.0.1", "[::1]:8080"]
    strange = [
        "evil.example",
        "cosmo.evil.example:8080",
        "127.0.0.1.evil.example",
        "0.0.0.0",
        "[::2]",
    ]
    for host in (*known, *strange, ""):
        expected = 200 if host in known else 421 if host else 400
        for path in ("/", f"{API}/jobs", "/static/cosmo.css"):
            assert (await web.get(path, headers={"Host": host})).status_code == expected, host
        assert (await web.get(f"{API}/health/live", headers={"Host": host})).status_code == 200


async def test_two_hosts_are_refused(web: httpx.AsyncClient) -> None:
    headers = httpx.Headers([("Host", "cosmo"), ("Host", "evil.example")])
    assert (await web.get("/", headers=headers)).status_code == 400


def _paths(app: FastAPI) -> list[str]:
    values = {
        "rootname": "ldfd01010",
        "file_id": "1",
        "reference_id": "1",
        "calibration_id": "1",
        "artifact_id": "1",
    }
    found = [path for path, methods in app.openapi()["paths"].items() if "get" in methods]
    named = {"/api/v1/tables/{name}": "headers"}
    paths = [
        path.format(**values, name=named.get(path, "stims"), figure="positions") for path in found
    ]
    pages = [
        "/",
        "/datasets",
        "/datasets/ldfd01010",
        "/datasets/none00000",
        "/monitors",
        "/monitors/stims",
    ]
    return [
        *paths,
        *pages,
        "/calibrations/1",
        "/datasets/ldfd01010/comparison",
        "/metrics",
        "/api/v1/openapi.json",
    ]


def _lasting(answer: httpx.Response) -> dict[str, str]:
    """Return the headers of an answer that are the same a moment later."""
    return {name: value for name, value in answer.headers.items() if name != "date"}


async def test_every_answer_has_the_headers_and_head_answers_as_get_does(
    web: httpx.AsyncClient, app: FastAPI
) -> None:
    paths = [
        *_paths(app),
        "/favicon.ico",
        "/static/cosmo.css",
        "/static/plotly.min.js",
        "/static/none.css",
        "/none",
    ]
    assert len(paths) > 45
    for path in paths:
        headers = {} if path.endswith("/audit") else AUTHORISED
        head = await web.head(path, headers=headers)
        assert head.content == b""
        policy = head.headers["content-security-policy"]
        assert "unsafe-inline" not in policy
        assert ("unsafe-eval" in policy) is path.startswith("/monitors/")
        assert "frame-ancestors 'none'" in policy
        assert head.headers["x-content-type-options"] == "nosniff"
        assert head.headers["referrer-policy"] == "same-origin"
        if path.endswith("/events"):  # GET has no end
            assert (head.status_code, head.headers["content-type"]) == (
                200,
                "text/event-stream; charset=utf-8",
            )
            continue
        got = await web.get(path, headers=headers)
        assert head.status_code == got.status_code < 500, path
        # What says how old things are may be a digit longer a moment later.
        before, after = _lasting(head), _lasting(got)
        if before != after:
            before = _lasting(await web.head(path, headers=headers))
        assert before == after, path


async def test_an_unexpected_error_has_the_headers_too(
    app: FastAPI, web: httpx.AsyncClient
) -> None:
    async def broken() -> None:
        raise RuntimeError

    app.add_api_route("/broken", broken)
    answer = await web.get("/broken")
    assert answer.status_code == 500
    assert "content-security-policy" in answer.headers


async def test_unknown_parameters_are_refused_by_name_everywhere(
    web: httpx.AsyncClient, app: FastAPI
) -> None:
    for path in _paths(app):
        answer = await web.get(path, params={"ordr": "1"}, headers=AUTHORISED)
        assert answer.status_code in (400, 422), path
        assert "'ordr'" in answer.json()["error"]["message"], path
    answer = await web.get(f"{API}/jobs?stat=failed")
    assert "cursor, kind, limit, queue, rootname, stage, state" in answer.json()["error"]["message"]
    for path in (
        "/failures/requeue?kinds=transient",
        "/references?name=x_flat.fits&keyword=FLATFILE&b=1",
    ):
        assert (await web.post(API + path, headers=AUTHORISED)).status_code == 422
    page = await web.get("/datasets?stat=failed", headers={"Accept": "text/html"})
    assert page.status_code == 422
    assert "&#39;stat&#39;" in page.text


async def test_tokens_have_scopes(app: FastAPI, web: httpx.AsyncClient) -> None:
    calls = {
        "operate": [
            ("POST", "/failures/requeue"),
            ("POST", "/alerts/1/acknowledge"),
            ("POST", "/monitors/stims/runs"),
        ],
        "recalibrate": [
            ("POST", "/calibrations"),
            ("POST", "/references?name=x_flat.fits&keyword=FLATFILE"),
        ],
        "subscribe": [
            ("GET", "/subscriptions"),
            ("POST", "/subscriptions"),
            ("DELETE", "/subscriptions/1"),
        ],
        "admin": [("GET", "/audit")],
    }
    tokens = {name: {"token": f"of {name}", "scopes": [name]} for name in (*calls, "exclusive")}
    settings = app.state.context.settings.api
    settings.tokens = type(settings).model_validate({"tokens": tokens}).tokens
    for needed, requests in calls.items():
        for name in tokens:
            for method, path in requests:
                headers = {"Authorization": f"Bearer of {name}"}
                body = _Untouched() if name != needed and method == "POST" else None
                answer = await web.request(method, API + path, headers=headers, content=body)
                assert (answer.status_code == 403) is (name != needed), (name, path, answer.text)
                if name != needed:
                    assert f"`{needed}`" in answer.json()["error"]["message"]


async def test_who_did_what_is_recorded_before_it_is_answered(
    web: httpx.AsyncClient, seeded: Any
) -> None:
    await web.post(f"{API}/failures/{seeded.failed_job}/requeue", headers=AUTHORISED)
    await web.post(f"{API}/failures/requeue?kind=transient", headers=AUTHORISED)
    await web.post(f"{API}/calibrations", headers=AUTHORISED, json={"rootname": "none00000"})
    await web.post(f"{API}/calibrations", headers=AUTHORISED, content=_parts(2 * _MB))
    await web.post(f"{API}/failures/requeue")
    await web.get(f"{API}/datasets", headers=AUTHORISED)
    answer = await web.get(f"{API}/audit?limit=3", headers=AUTHORISED)
    newest = answer.json()["items"]
    assert [entry["status"] for entry in newest] == [413, 404, 200]
    assert newest[1] | {"id": 0, "at": ""} == {
        "id": 0,
        "at": "",
        "token": "operator",
        "method": "POST",
        "path": "/api/v1/calibrations",
        "subject": "none00000",
        "status": 404,
    }
    assert newest[2]["path"] == "/api/v1/failures/requeue?kind=transient"
    (first,) = (await web.get(answer.links["next"]["url"], headers=AUTHORISED)).json()["items"]
    assert first["path"] == f"/api/v1/failures/{seeded.failed_job}/requeue"
    assert (await web.get(f"{API}/audit?token=nobody", headers=AUTHORISED)).json()["items"] == []
    assert (await web.get(f"{API}/audit")).status_code == 401


async def test_the_audit_is_append_only(web: httpx.AsyncClient, seeded: Any) -> None:
    await web.post(f"{API}/failures/requeue", headers=AUTHORISED)
    for statement in ("DELETE FROM audit", "UPDATE audit SET token = 'somebody'"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with seeded.database.transaction() as session:
                await session.execute(text(statement))
    async with seeded.database.session() as session:
        assert (await session.execute(select(AuditEntry.token))).scalars().all() == ["operator"]


async def test_an_audit_that_cannot_be_written_is_in_the_log(
    web: httpx.AsyncClient, seeded: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async with seeded.database.transaction() as session:
        await session.execute(text("ALTER TABLE audit ADD CONSTRAINT never CHECK (false)"))
    try:
        assert (await web.post(f"{API}/failures/requeue", headers=AUTHORISED)).status_code == 200
    finally:
        async with seeded.database.transaction() as session:
            await session.execute(text("ALTER TABLE audit DROP CONSTRAINT never"))
    assert "not in the audit" in capsys.readouterr().out
    assert json.loads((await web.get(f"{API}/audit", headers=AUTHORISED)).text)["items"] == []
