"""Concurrent readers of every endpoint of the monitors, and how long each answer takes."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import httpx
import numpy as np

__all__ = ["Timing", "ask_once", "endpoints_of", "read"]


@dataclass(frozen=True)
class Timing:
    """Times of one kind of request, in ms.

    The slowest of the first answers of each address stands apart.
    """

    name: str
    count: int
    p50: float
    p99: float
    first: float
    kilobytes: float

    heading = (
        f"{'request':24s} {'count':>7s} {'p50 (ms)':>9s} {'p99 (ms)':>9s} "
        f"{'first (ms)':>10s} {'kB':>9s}"
    )
    """Above the table that is printed."""

    def line(self) -> str:
        """Return the row of the table that is printed."""
        times = f"{self.p50:9.1f} {self.p99:9.1f} {self.first:10.1f}"
        return f"{self.name:24s} {self.count:7d} {times} {self.kilobytes:9.1f}"


def endpoints_of(client: httpx.Client, monitors: Sequence[str]) -> dict[str, list[str]]:
    """Return the addresses by kind of request.

    Those of monitors that have data, and the common ones.

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
    for monitor in monitors:
        base = f"/api/v1/monitors/{monitor}"
        segment = "segment=FUVA&mjd__gte=59000&mjd__lt=59400"
        for kind, addresses in {
            "monitor": [base],
            "data, JSON": [f"{base}/data"],
            "data, JSON, filters": [f"{base}/data?{segment}&sort=-mjd"],
            **{
                f"data, {name}, filters": [f"{base}/data?{segment}&format={name.lower()}"]
                for name in ("CSV", "VOTable", "FITS", "Parquet")
            },
            "figures": [f"{base}/figures"],
            "runs": [f"{base}/runs"],
            "artifacts": [f"{base}/artifacts"],
            "page of a monitor": [f"/monitors/{monitor}"],
        }.items():
            found.setdefault(kind, []).extend(addresses)
        for figure in client.get(f"{base}/figures").raise_for_status().json()["items"]:
            for kind in ("JSON", "PNG", "SVG"):
                address = f"{base}/figures/{figure['name']}?format={kind.lower()}"
                found.setdefault(f"figure, {kind}", []).append(address)
        for artifact in client.get(f"{base}/artifacts").raise_for_status().json()["items"]:
            found.setdefault("artifact", []).append(f"/api/v1/artifacts/{artifact['id']}/content")
    return found


async def ask_once(base_url: str, addresses: dict[str, list[str]]) -> dict[str, float]:
    """Ask for everything once, one after the other; the slowest of each kind, ms."""
    async with _client(base_url) as client:
        return {
            kind: max([(await _ask(client, one))[0] for one in mine])
            for kind, mine in addresses.items()
        }


async def read(
    base_url: str,
    addresses: dict[str, list[str]],
    readers: int,
    seconds: float,
    first: dict[str, float],
) -> list[Timing]:
    """Read for a time with some readers, each of which asks for the next thing as soon as it has
    the last.

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
    first
        What `ask_once` gave.
    """
    times: dict[str, list[float]] = {kind: [] for kind in addresses}
    sizes: dict[str, int] = dict.fromkeys(addresses, 0)
    end = time.monotonic() + seconds

    async def reader(number: int) -> None:
        generator = np.random.default_rng(number)
        kinds = sorted(addresses)
        async with _client(base_url) as client:
            while time.monotonic() < end:
                kind = kinds[int(generator.integers(len(kinds)))]
                address = addresses[kind][int(generator.integers(len(addresses[kind])))]
                taken, size = await _ask(client, address)
                times[kind].append(taken)
                sizes[kind] += size

    await asyncio.gather(*(reader(number) for number in range(readers)))
    return [
        Timing(
            kind,
            len(found),
            float(np.percentile(found, 50)),
            float(np.percentile(found, 99)),
            first[kind],
            sizes[kind] / len(found) / 1000.0,
        )
        for kind, found in times.items()
        if found
    ]


def _client(base_url: str) -> aiohttp.ClientSession:
    """Return the client that takes little of the processor.

    Bodies stay packed, since unpacking them is the client's time.
    """
    headers = {"Accept-Encoding": "gzip"}
    return aiohttp.ClientSession(
        base_url, headers=headers, auto_decompress=False, raise_for_status=True
    )


async def _ask(client: aiohttp.ClientSession, address: str) -> tuple[float, int]:
    """Ask for something; ms that it took, and bytes."""
    begin = time.perf_counter()
    async with client.get(address) as answer:
        size = sum([len(part) async for part in answer.content.iter_any()])
    return (time.perf_counter() - begin) * 1000.0, size
