"""What is asked for: addresses, tokens, pages, streams; and that every operation is there."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from cosmo.client import Client
from cosmo.client.calls import Call, Steps, query_of, quoted
from cosmo.client.events import EventStream
from cosmo.client.operations import Operations
from cosmo.client.retries import Retry
from cosmo.launcher.address import Address, write_address
from services.monitor.web.app import create_app
from shared.errors import PermanentError
from shared.settings import Settings
from tests.cosmo.client.scripted import Body, Scripted

_OTHERS = {"GET /health/live"}
"""Operations for probes of containers."""

_ARGUMENTS = {int: 1, str: "x", Path: Path("x")}


class _Recorder(Operations):
    """Client that only keeps the first call of each operation."""

    def __init__(self) -> None:
        self.retry, self.calls = Retry(), list[Call[Any]]()

    def perform(self, steps: Steps[Any]) -> None:
        self.calls.append(next(iter(steps)))  # type: ignore[arg-type]

    def iterate(self, call: Call[Any]) -> None:
        self.calls.append(call)

    def follow(self, events: EventStream[Any]) -> None:
        self.calls.append(events.call())


def test_every_operation_of_the_api_is_reachable() -> None:
    recorder = _Recorder()
    for name, method in inspect.getmembers(Operations, inspect.isfunction):
        if not name.startswith("_"):
            needed = [
                parameter
                for parameter in list(inspect.signature(method).parameters.values())[1:]
                if parameter.default is parameter.empty
                and parameter.kind is not parameter.VAR_KEYWORD
            ]
            arguments = [_ARGUMENTS.get(parameter.annotation, {}) for parameter in needed]
            getattr(recorder, name)(*arguments)
    reached = {str(call).replace("HEAD ", "GET ") for call in recorder.calls}
    operations = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in create_app(Settings()).openapi()["paths"].items()
        for method in methods
    }
    patterns = {one: re.compile(re.sub(r"{\w+}", "[^/]+", one)) for one in operations}
    missing = {
        one
        for one, pattern in patterns.items()
        if not any(pattern.fullmatch(call) for call in reached)
    }
    assert missing == _OTHERS
    assert all(any(one.fullmatch(call) for one in patterns.values()) for call in reached)


def test_methods_show_their_results() -> None:
    signature = inspect.signature(Client.datasets)
    assert str(signature.return_annotation).endswith("DatasetRecord]")
    assert inspect.signature(Client.table).return_annotation == "QTable"
    assert (Client.dataset.__doc__ or "").startswith("Describe a dataset")


def test_texts_of_parameters_and_paths() -> None:
    assert query_of({"a": None, "b": True, "c": ["x", "y"], "d": (1, 2.5)}) == {
        "b": "true",
        "c": "x,y",
        "d": "1,2.5",
    }
    assert quoted("datasets", "../audit?x", 3) == "/datasets/..%2Faudit%3Fx/3"


def test_the_service_and_its_token_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COSMO_URL", "COSMO_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def found(**options: Any) -> tuple[str, str | None]:
        with Client(data_dir=tmp_path, **options) as client:
            return client.url, client._http.headers.get("Authorization")

    with pytest.raises(PermanentError, match="run `cosmo up"):
        found()
    write_address(tmp_path, Address("http://here", "mine"))
    assert found() == ("http://here", "Bearer mine")
    assert found(url="http://there/") == ("http://there", None)
    monkeypatch.setenv("COSMO_TOKEN", "given")
    assert found() == ("http://here", "Bearer given")
    monkeypatch.setenv("COSMO_URL", "http://elsewhere")
    assert found() == ("http://elsewhere", "Bearer given")
    assert found(url="http://there", token="best") == ("http://there", "Bearer best")


def test_pages_are_followed_at_the_service_that_was_named() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "cursor" in request.url.params:
            return httpx.Response(200, json={"columns": [], "items": [{"id": 2}]})
        link = '<http://internal:1/api/v1/tables/x?cursor=abc%3D>; rel="next"'
        return httpx.Response(
            200, json={"columns": [], "items": [{"id": 1}]}, headers={"Link": link}
        )

    client = Scripted(answer)
    assert [row["id"] for row in client.rows("x", path="a")] == [1, 2]
    first, second = (request.url for request in client.requests)
    assert (first.host, second.host) == ("cosmo", "cosmo")
    assert dict(second.params) == {"path": "a", "limit": "100", "cursor": "abc="}


def _message(number: int) -> str:
    body = {"id": number, "at": "2026-01-01T00:00:00+00:00", "name": "job.done", "detail": {}}
    body |= dict.fromkeys(("rootname", "monitor", "job_id"))
    return f"id: {number}\nevent: job.done\ndata: {json.dumps(body)}\n\n"


def test_a_stream_of_events_goes_on_after_the_last_one() -> None:
    bodies = iter(
        (
            Body(f"retry: 0\n\n{_message(4)}: nothing\n\nid: 5\ndata: {{".encode(), breaks=True),
            Body(_message(5).encode()),
            Body(_message(6).encode()),
        )
    )
    client = Scripted(lambda _: httpx.Response(200, stream=next(bodies)))
    events = client.events()
    assert [next(events).id for _ in range(3)] == [4, 5, 6]
    sent = [request.url.params.get("after") for request in client.requests]
    assert sent == [None, "4", "5"]
