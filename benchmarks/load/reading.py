"""Concurrent readers of every endpoint of the monitors, and how long each answer takes."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import numpy as np

__all__ = ["Timing", "endpoints_of", "read"]


@dataclass(frozen=True)
class Timing:
    """Times of one kind of request, in ms."""

    name: str
    count: int
    p50: float
    p99: float
    kilobytes: float

    def line(self) -> str:
        """Row of the table that is printed."""
        return f"{self.name:24s} {self.count:7d} {self.p50:9.1f} {self.p99:9.1f} {self.kilobytes:9.1f}"


def endpoints_of(client: httpx.Client, monitors: Sequence[str]) -> dict[str, list[str]]:
    """Addresses by kind of request: those of monitors that have data, and the common ones.

    Parameters
    ----------
    client
        Client of the web process.
    monitors
        Monitors that have data.
    """
    found: dict[str, list[str]] = {
        "index": ["/api/v1/monitors"],
        "alerts": ["/api/v1/alerts", "/api/v1/alerts?state=open"],
        "page of the index": ["/monitors"],
    }
    for name in monitors:
        base = f"/api/v1/monitors/{name}"
        segment = "segment=FUVA&mjd__gte=59000&mjd__lt=59400"
        for kind, addresses in {
            "monitor": [base],
            "data, JSON": [f"{base}/data"],
            "data, JSON, filters": [f"{base}/data?{segment}&sort=-mjd"],
            "data, CSV, filters": [f"{base}/data?{segment}&format=csv"],
            "figures": [f"{base}/figures"],
            "runs": [f"{base}/runs"],
            "artifacts": [f"{base}/artifacts"],
            "page of a monitor": [f"/monitors/{name}"],
        }.items():
            found.setdefault(kind, []).extend(addresses)
        for figure in client.get(f"{base}/figures").raise_for_status().json()["items"]:
            found.setdefault("figure, JSON", []).append(f"{base}/figures/{figure['name']}")
            found.setdefault("figure, PNG", []).append(f"{base}/figures/{figure['name']}?format=png")
    return found


async def read(base_url: str, addresses: dict[str, list[str]], readers: int, seconds: float) -> list[Timing]:
    """Read for a time with some readers, each of which asks for the next thing as soon as it has the last.

    Parameters
    ----------
    base_url
        Of the web process.
    addresses
        Addresses by kind of request; kinds are chosen with equal chance, so that none is rare.
    readers
        How many.
    seconds
        How long.
    """
    times: dict[str, list[float]] = {kind: [] for kind in addresses}
    sizes: dict[str, int] = dict.fromkeys(addresses, 0)
    end = time.monotonic() + seconds

    async def reader(number: int) -> None:
        generator = np.random.default_rng(number)
        kinds = sorted(addresses)
        async with httpx.AsyncClient(base_url=base_url, timeout=120.0) as client:
            while time.monotonic() < end:
                kind = kinds[int(generator.integers(len(kinds)))]
                address = addresses[kind][int(generator.integers(len(addresses[kind])))]
                begin = time.perf_counter()
                # Bodies stay packed: unpacking them is the client's time.
                async with client.stream("GET", address) as answer:
                    size = sum([len(part) async for part in answer.aiter_raw()])
                times[kind].append((time.perf_counter() - begin) * 1000.0)
                answer.raise_for_status()
                sizes[kind] += size

    await asyncio.gather(*(reader(number) for number in range(readers)))
    return [
        Timing(
            kind,
            len(found),
            float(np.percentile(found, 50)),
            float(np.percentile(found, 99)),
            sizes[kind] / len(found) / 1000.0,
        )
        for kind, found in times.items()
        if found
    ]
