"""Requests and their traces."""

import re
from typing import Any

import pytest
import structlog

from services.monitor.web.tracing import Tracing

_TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (f"00-{_TRACE}-b7ad6b7169203331-01", True),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", False),
        (f"{_TRACE}; DROP", False),
        (None, False),
    ],
)
async def test_trace_of_the_caller_or_a_new_one(header: str | None, named: bool) -> None:
    seen: list[str] = []

    async def app(*_: Any) -> None:
        seen.append(structlog.contextvars.get_contextvars()["trace"])

    scope = {"type": "http", "headers": [(b"traceparent", header.encode())] if header else []}
    for _ in range(2):
        await Tracing(app)(scope, None, None)  # type: ignore[arg-type]
    assert all(re.fullmatch("[0-9a-f]{32}", trace) for trace in seen)
    assert (seen == [_TRACE, _TRACE]) is named
    assert (seen[0] == seen[1]) is named
    assert "trace" not in structlog.contextvars.get_contextvars()
