"""The real application, served, and both clients of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from cosmo.client import AsyncClient, Client
from tests.services.monitor.conftest import (  # noqa: F401 - fixtures
    TOKEN,
    SeededDatabase,
    address,
    app,
    runs,
    seeded,
)
from tests.services.monitor.made_up_monitor import bench, rates  # noqa: F401 - fixtures
from tests.services.monitor.web.test_calibrations import fetched  # noqa: F401 - fixture
from tests.services.monitor.web.test_monitors import measured  # noqa: F401 - fixture

__all__ = ["Ask", "SeededDatabase"]

Ask = Callable[..., Any]


@pytest.fixture
async def client(address: str) -> AsyncIterator[AsyncClient]:  # noqa: F811 - the fixture
    """Client with an operator's token, whose pages have two items."""
    async with AsyncClient(address, TOKEN, page_size=2) as client:
        yield client


@pytest.fixture
async def ask(address: str, client: AsyncClient) -> Ask:  # noqa: F811 - the fixture
    """Call both clients, which give the same."""

    def directly(name: str, *args: Any, **options: Any) -> Any:
        with Client(address, TOKEN, page_size=2) as other:
            found = getattr(other, name)(*args, **options)
            return list(found) if hasattr(found, "__next__") else found

    async def asked(name: str, *args: Any, **options: Any) -> Any:
        found = getattr(client, name)(*args, **options)
        if hasattr(found, "__anext__"):
            result = [item async for item in found]
        else:
            result = await found
        other = await asyncio.to_thread(directly, name, *args, **options)
        as_text = str if hasattr(result, "colnames") else lambda it: it
        assert as_text(other) == as_text(result)
        return result

    return asked
