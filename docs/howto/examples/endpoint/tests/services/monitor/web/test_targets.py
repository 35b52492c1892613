"""Targets of a proposal."""

import httpx
import pytest

pytestmark = pytest.mark.integration


async def test_targets_have_their_exposures(web: httpx.AsyncClient) -> None:
    response = await web.get("/api/v1/targets", params={"proposid": 14910})
    assert response.status_code == 200
    (target,) = response.json()["items"]
    assert target == {"name": 'Å 16, "b"', "exposures": 5, "exptime": 500.0}


async def test_a_wrong_proposal_is_refused(web: httpx.AsyncClient) -> None:
    response = await web.get("/api/v1/targets", params={"proposid": 0})
    assert response.status_code == 422
