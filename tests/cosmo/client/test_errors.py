"""Errors, and which of them are tried again."""

import pickle

import httpx
import pytest

from cosmo.client import (
    ApiError,
    ConflictError,
    NoAnswerError,
    NotAllowedError,
    NotFoundError,
    RequestError,
    Retry,
    ServerError,
    TooManyRequestsError,
    UnexpectedAnswerError,
    WaitTimeoutError,
)
from shared.errors import PermanentError, TransientError
from tests.cosmo.client.scripted import Scripted, refusal

_ACCEPTED = {"cancelled": 1}


@pytest.mark.parametrize(
    ("status", "kind", "root"),
    [
        (400, RequestError, PermanentError),
        (401, NotAllowedError, PermanentError),
        (403, NotAllowedError, PermanentError),
        (404, NotFoundError, PermanentError),
        (409, ConflictError, PermanentError),
        (410, NotFoundError, PermanentError),
        (422, RequestError, PermanentError),
        (429, TooManyRequestsError, TransientError),
        (500, ServerError, TransientError),
        (503, ServerError, TransientError),
    ],
)
def test_an_error_says_what_the_service_says(
    status: int, kind: type[ApiError], root: type[Exception]
) -> None:
    client = Scripted(lambda _: refusal(status, "some_reason", ["more"]))
    with pytest.raises(root) as caught:
        client.dataset("ldfd01010")
    error = caught.value
    assert type(error) is kind
    found = (error.status, error.type, error.message, error.detail)
    assert found == (status, "some_reason", "because of some_reason", ["more"])
    assert str(error) == f"GET /datasets/ldfd01010: {status}: because of some_reason"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert len(client.requests) == 1


def test_an_answer_of_something_else_is_shown() -> None:
    client = Scripted(lambda _: httpx.Response(502, text="<h1>Bad Gateway</h1>"))
    with pytest.raises(ServerError, match="502: <h1>Bad Gateway") as caught:
        client.status()
    assert caught.value.type == "http_error"


def test_an_answer_of_another_shape_is_an_error_that_says_what_to_do() -> None:
    client = Scripted(lambda _: httpx.Response(200, json={"cancelled": "what"}))
    with pytest.raises(UnexpectedAnswerError, match="install the client that belongs to"):
        client.cancel(1)


@pytest.mark.parametrize("status", [429, 503])
def test_a_call_is_sent_again_when_the_service_asks_for_it(status: int) -> None:
    answers = [refusal(status, "busy", Retry_After="0")] * 2
    answers.append(httpx.Response(200, json=_ACCEPTED))
    client = Scripted(lambda _: answers.pop(0))
    assert client.cancel(1).cancelled == 1
    assert len(client.requests) == 3


def test_a_long_pause_is_left_to_the_caller() -> None:
    client = Scripted(lambda _: refusal(429, "quota", Retry_After="60"))
    with pytest.raises(TooManyRequestsError) as caught:
        client.recalibrate("ldfd01010", {})
    assert caught.value.retry_after == 60.0
    assert len(client.requests) == 1


def _lost(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("connection reset", request=request)


def _refused(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused", request=request)


def _silent(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("", request=request)


def test_only_calls_that_do_no_harm_twice_are_sent_again_after_a_lost_connection() -> None:
    client = Scripted(_lost, Retry(attempts=3, first_pause=0.0))
    for call, sent in (
        (client.status, 3),
        (lambda: client.recalibrate("ldfd01010", {}), 3),
        (lambda: client.requeue(1), 1),
    ):
        client.requests.clear()
        with pytest.raises(NoAnswerError, match="no answer from http://cosmo: connection reset"):
            call()
        assert len(client.requests) == sent


def test_what_never_arrived_is_sent_again() -> None:
    client = Scripted(_refused, Retry(attempts=2, first_pause=0.0))
    with pytest.raises(NoAnswerError, match="is `cosmo up` running"):
        client.requeue(1)
    assert len(client.requests) == 2


def test_silence_is_not_waited_for_again() -> None:
    client = Scripted(_silent)
    with pytest.raises(NoAnswerError, match="ReadTimeout"):
        client.status()
    assert len(client.requests) == 1


def test_waiting_ends() -> None:
    waiting: dict[str, object] = {
        **dict.fromkeys(("run_id", "error", "error_kind", "promoted_by", "finished_at")),
        **{name: {} for name in ("recipe", "references")},
        **{name: [] for name in ("changes", "warnings", "files")},
        "promoted_at": None,
        "rootname": "ldfd01010",
        "id": 1,
        "job_id": 1,
        "dry_run": False,
        "requested_by": "me",
        "state": "running",
        "created_at": "2026-01-01T00:00:00+00:00",
    }
    client = Scripted(lambda _: httpx.Response(200, json=waiting))
    with pytest.raises(WaitTimeoutError, match=r"calibration 1: still running after 0\.5 s"):
        client.wait_for_calibration(1, timeout=0.5, interval=0.02)
    assert len(client.requests) > 1
