"""Superdarks and hot spots of a simulated mission: what was put in comes out, with its place, rate
and dates.
"""

import gzip
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import insert, select, update

from services.monitor.monitors.superdark import hot_spots
from services.monitor.monitors.superdark.hot_spots import sightings_of, spots_of
from services.monitor.monitors.superdark.maps import Cells, DarkMap, inner_cells, whole_cells
from services.monitor.monitors.superdark.tables import read_rows
from shared.cos.superpixels import pack_counts
from shared.database.engine import Database
from shared.database.models.monitoring import (
    Alert,
    Artifact,
    MonitorFigure,
    MonitorPart,
    MonitorRun,
    MonitorValue,
)
from shared.database.models.operations import Dataset, File
from shared.database.models.science import DarkCounts, FlaggedPixel
from shared.store import Store
from shared.worker.broker import Messenger
from simulator.forward.fuv import dark_share
from simulator.spots import draw_spots
from simulator.state import HotSpot
from tests.services.monitor.monitors.bench import run_monitor
from tests.services.monitor.monitors.superdark.dark_exposures import DARK_SECONDS, simulated_darks

_START, _DAYS = 57060.0, 150.0
"""Start (a multiple of 90 d) and length of the mission; its second interval is not full."""

_KEPT = float(dark_share(2, 23, 11.0))
"""Fraction of simulated dark counts with pulse heights 2 to 23."""


def _times(start: float = _START, days: float = _DAYS) -> list[float]:
    """Return five darks a week, as in real schedules."""
    return [
        start + week + day
        for week in np.arange(0.0, days - 6.0, 7.0)
        for day in (0.1, 0.17, 0.24, 3.1, 3.2)
    ]


async def _add(database: Database, darks: Sequence[DarkMap]) -> None:
    """Rows of darks, as the ingestor writes them."""
    async with database.transaction() as session:
        for dark in darks:
            name = f"l{round(dark.mjd * 1000)}"
            dataset = Dataset(rootname=f"{name}{dark.detector[-1].lower()}", kind="exposure")
            session.add(dataset)
            await session.flush()
            suffix = f"corrtag_{dark.detector[-1].lower()}"
            file = File(
                dataset_id=dataset.id,
                origin="product",
                path=dataset.rootname,
                name=f"{name}_{suffix}.fits",
                rootname=name,
                suffix=suffix,
                size=1,
                sha256="0" * 64,
                shown=True,
            )
            session.add(file)
            await session.flush()
            row = {
                "id": file.id,
                "file_id": file.id,
                "rootname": name,
                "detector": dark.detector,
                "mjd": dark.mjd,
                "exposure": dark.exposure,
                "hvlevel": int(dark.hvlevel),
                "counts": int(dark.counts.sum()),
                "content": pack_counts(dark.cells, dark.counts),
            }
            await session.execute(insert(DarkCounts).values(row))


@pytest.mark.integration
async def test_a_mission_gives_back_its_hot_spots(
    database: Database, messenger: Messenger, tmp_path: Path
) -> None:
    spots = draw_spots(np.random.default_rng(5), 12, _START, _START + _DAYS)
    darks = [
        dark for segment in ("FUVA", "FUVB") for dark in simulated_darks(segment, _times(), spots)
    ]
    await _add(database, darks)
    store = Store(f"file://{tmp_path / 'store'}")
    await run_monitor(database, messenger, store, "superdark")
    first = await _state(database)
    _check_spots(first.values, spots)
    _check_files(first.artifacts, tmp_path / "store", darks, spots)
    assert first.figures == ["map-fuva", "map-fuvb", "where", "when", "count"]
    assert len(first.parts) == 2 * 5 + 2

    # One dark more: its interval is computed again, the others are as they were.
    (new,) = simulated_darks("FUVA", [_START + _DAYS - 1.0], spots)
    await _add(database, [new])
    await run_monitor(database, messenger, store, "superdark", occasion=1)
    second = await _state(database)
    changed = {name for name, run in second.artifacts.items() if first.artifacts.get(name) != run}
    superdarks = {name.rsplit("_", 1)[0] for name in changed if name.startswith("superdark")}
    assert superdarks == {"superdark_fuva_167_57150"}
    assert set(second.artifacts) == set(first.artifacts)
    assert {key for key, inputs in second.parts.items() if first.parts.get(key) != inputs} == {
        "FUVA 1906",
        "years FUVA 158",
    }
    _check_spots(second.values, spots)

    # All at once gives the same as step by step.
    async with database.transaction() as session:
        await session.execute(update(MonitorPart).values(inputs=""))
    await run_monitor(database, messenger, store, "superdark", occasion=2)
    third = await _state(database)
    assert third.parts == second.parts
    assert [value[:4] for value in third.values] == [value[:4] for value in second.values]

    # What sags masks the superdarks of its segment from that interval on, though their darks are as
    # they were.
    async with database.transaction() as session:
        session.add(FlaggedPixel(id=1, segment="FUVA", dethv=167, x=600, y=240, mjd=57160.0))
    await run_monitor(database, messenger, store, "superdark", occasion=3)
    fourth = await _state(database)
    changed = {name for name, run in fourth.artifacts.items() if third.artifacts.get(name) != run}
    superdarks = {name for name in changed if name.startswith("superdark")}
    assert {name.rsplit("_", 1)[0] for name in superdarks} == {"superdark_fuva_167_57150"}
    for name in superdarks:
        _, folder = fourth.artifacts[name]
        with fits.open(tmp_path / "store" / folder / name) as hdus:
            assert hdus["DQ"].data.sum() == 1
    assert [value[:4] for value in fourth.values] == [value[:4] for value in third.values]


class _State:
    """What the monitor left."""

    values: list[tuple[str, str, float, float, str]]
    artifacts: dict[str, tuple[int, str]]
    figures: list[str]
    parts: dict[str, str]


async def _state(database: Database) -> _State:
    found = _State()
    async with database.session() as session:
        values = select(
            MonitorValue.quantity,
            MonitorValue.segment,
            MonitorValue.mjd,
            MonitorValue.value,
            MonitorValue.region,
        ).order_by(
            MonitorValue.segment, MonitorValue.mjd, MonitorValue.region, MonitorValue.quantity
        )
        found.values = [tuple(row) for row in await session.execute(values)]  # type: ignore[misc]
        artifacts = await session.execute(select(Artifact).where(Artifact.current))
        found.artifacts = {one.name: (one.run_id, one.path) for one in artifacts.scalars()}
        found.figures = list(
            (
                await session.execute(select(MonitorFigure.name).order_by(MonitorFigure.position))
            ).scalars()
        )
        parts = await session.execute(
            select(MonitorPart.key, MonitorPart.inputs).where(MonitorPart.monitor == "superdark")
        )
        found.parts = {key: inputs for key, inputs in parts}  # noqa: C416 - rows, not pairs
        assert (await session.execute(select(MonitorRun.outcome))).scalars().all()
        rules = set(
            (await session.execute(select(Alert.rule).where(Alert.resolved_at.is_(None)))).scalars()
        )
        assert any("10 sigma" in rule for rule in rules)
    return found


def _check_spots(
    values: list[tuple[str, str, float, float, str]], spots: Sequence[HotSpot]
) -> None:
    """Each spot once, where it was, as bright as it was, between the right darks; no other."""
    rates = {
        (segment, region, mjd): value
        for name, segment, mjd, value, region in values
        if name == "spot_rate"
    }
    stops = {
        (segment, region, mjd): value
        for name, segment, mjd, value, region in values
        if name == "spot_stop"
    }
    assert len(rates) == len(spots)
    for spot in spots:
        (key,) = [key for key in rates if key[0] == spot.detector and _holds(key[1], spot)]
        expected = spot.rate * _KEPT
        # A week, in which there are five darks, and the time in which three counts come.
        slack = 7.0 + 7.0 * 3.0 / (expected * DARK_SECONDS * 5)
        assert -slack < key[2] - max(spot.start, _START) < 4.0 + slack
        assert -slack < min(spot.stop, _START + _DAYS) - stops[key] < 10.0 + slack
        error = np.sqrt(expected / (DARK_SECONDS * 5 / 7.0 * (spot.stop - spot.start)))
        assert rates[key] == pytest.approx(expected, abs=0.08 * expected + 5 * error)


def _holds(region: str, spot: HotSpot) -> bool:
    corner, size = region.split(" ")
    (left, bottom), (width, height) = (
        map(int, part.split(mark)) for part, mark in ((corner, ","), (size, "x"))
    )
    assert width <= 6 * 8
    assert height <= 6 * 2
    return left <= spot.x < left + width and bottom <= spot.y < bottom + height


def _check_files(
    artifacts: dict[str, tuple[int, str]],
    store: Path,
    darks: Sequence[DarkMap],
    spots: Sequence[HotSpot],
) -> None:
    detector, rows = read_rows(store / artifacts["cosmo_fuv_spot.fits"][1] / "cosmo_fuv_spot.fits")
    assert (detector, len(rows)) == ("FUV", len(spots))
    for segment, start, stop, *_ in rows:
        assert segment in ("FUVA", "FUVB")
        assert _START <= start < stop
    name = "superdark_fuva_167_57060_quiet.fits.gz"
    content = gzip.decompress((store / artifacts[name][1] / name).read_bytes())
    mine = [
        dark
        for dark in darks
        if (dark.detector, dark.hvlevel) == ("FUVA", 167) and dark.mjd < 57150.0
    ]
    rate = np.array([dark.counts.sum() for dark in mine])
    mine = [
        dark for dark, raised in zip(mine, rate > 1.5 * np.median(rate), strict=True) if not raised
    ]
    with fits.open(io.BytesIO(content)) as hdus:
        header = hdus[0].header
        assert (header["HV"], header["SEGMENT"], header["NFILES"]) == (167, "FUVA", len(mine))
        assert header["EXPTIME"] == DARK_SECONDS * len(mine)
        images = {hdu.header["PHASTART"]: hdu for hdu in hdus if hdu.name == "SCI"}
        assert sorted(images) == list(range(1, 31))
        area = inner_cells("FUVA")
        assert images[11].header["XSTART"] == area.x0 * 8 >= 1260
        for pha in (1, 11, 30):
            total = sum(_counts(dark, area, pha) for dark in mine)
            assert images[pha].data.sum() == total
        assert not hdus["DQ"].data.any()


def _counts(dark: DarkMap, area: Cells, pha: int) -> int:
    pixel, height = np.divmod(dark.cells, 32)
    y, x = np.divmod(pixel, 2048)
    inside = (x >= area.x0) & (x < area.x1) & (y >= area.y0) & (y < area.y1) & (height == pha)
    return int(dark.counts[inside].sum())


def test_chance_makes_no_more_spots_than_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raised to one in two sums, for the stated one in a thousand is too rare to be counted."""
    monkeypatch.setattr(hot_spots, "FALSE_ALARMS", 0.5)
    area, generator = whole_cells("FUVA"), np.random.default_rng(2)
    found = 0
    for _ in range(20):
        pixels = generator.integers(0, area.size, generator.poisson(0.8 * area.size))
        y, x = np.divmod(np.sort(pixels), area.x1 - area.x0)
        cells, counts = np.unique(
            ((y + area.y0) * 2048 + x + area.x0) * 32 + 10, return_counts=True
        )
        dark = DarkMap("FUVA", 57000.0, 1330.0, 167.0, cells, counts)
        found += len(sightings_of([dark], [dark]))
    assert found <= 10 + 2 * 10**0.5
    hot = replace(dark, counts=np.where(np.arange(counts.size) == counts.size // 2, 15, counts))
    assert len(sightings_of([hot], [hot])) == 1, (
        "what noise does not produce is found in the same counts"
    )


def test_a_spot_that_comes_again_is_two() -> None:
    """And one that the next period sees too is the same."""
    times = _times(57000.0, 90.0)
    episodes = [
        HotSpot("FUVA", 5000.0, 500.0, 0.05, *span)
        for span in ((57005.0, 57015.0), (57025.0, 57070.0))
    ]
    darks = list(simulated_darks("FUVA", times, episodes))
    periods = [
        [dark for dark in darks if dark.mjd // 30 == number] for number in (1900, 1901, 1902)
    ]
    sightings = [
        one
        for number, period in enumerate(periods)
        for one in sightings_of(
            period, [dark for near in periods[max(number - 1, 0) : number + 2] for dark in near]
        )
    ]
    stops = np.array(times) + DARK_SECONDS / 86400.0
    first, second = spots_of(sightings, np.array(times), stops)
    for spot, episode in zip((first, second), episodes, strict=True):
        assert spot.after <= episode.start <= spot.start <= episode.start + 4.0
        assert spot.stop - 0.1 <= episode.stop <= spot.before
    last = spots_of(sightings, np.array(times)[np.array(times) < second.stop], stops)[-1]
    assert last.before == np.inf
