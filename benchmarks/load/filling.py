"""A full mission in the database.

Gain, FUV darks and all exposures, by ``generate_series`` where rows are many.
"""

import numpy as np
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.load.exposures import DATASETS, FILES, fill_exposures
from shared.cos.superpixels import pack_counts
from shared.database.engine import Database
from shared.database.models.operations import File
from shared.database.models.science import ROWS_PER_FILE, DarkCounts

__all__ = ["add_dark", "fill"]

_FIRST, _LAST = 55000.0, 61000.0
"""Begin and end of the mission, MJD: 16.4 years."""

_DARK_ROWS = 265
"""Rows of a dark exposure and segment: 53 times 25 s, five regions."""
_DARK_SECONDS = 1330.0
_GAIN_ROWS = 5000
"""Superpixels with a gain in one exposure: rows of one lifetime position."""
_MAPS = 64
"""Different maps of dark counts, which the exposures have in turn."""
_EVENTS = 14_000
"""Events of one dark and segment."""

_GAIN = """
    INSERT INTO gain (id, rootname, file_id, segment, dethv, expstart, x, y, gain, counts, std,
        charge)
    SELECT f.id * :keys + k, f.rootname, f.id, CASE f.id % 2 WHEN 0 THEN 'FUVA' ELSE 'FUVB' END,
        163 + 4 * (f.id / 40 % 3), :begin + (f.id - :first) * :step,
        160 + (k * 7 + f.id * 13) % 1700, 205 + 2 * (f.id / 200 % 4) + k % 12,
        11.0 - 4.0 * (f.id - :first) / (:last - :first + 1) + random() - 0.5, 60 + k % 200, 1.05,
        1e-12 * (60 + k % 200)
    FROM files AS f, generate_series(0, :rows - 1) AS k WHERE f.id BETWEEN :first AND :last
    ON CONFLICT DO NOTHING
"""
_DARKS = """
    INSERT INTO darks (id, rootname, file_id, detector, region, bin, mjd, date, exposure, npix,
      counts, all_counts,
        dark, ta_dark, latitude, longitude, sun_lat, sun_lon, saa_distance, temp, hvlevel)
    SELECT f.id * :keys + k, f.rootname, f.id, CASE f.id % 2 WHEN 0 THEN 'FUVA' ELSE 'FUVB' END,
        (ARRAY['inner', 'bottom', 'top', 'left', 'right'])[1 + k / 53], k % 53,
          m.mjd + k % 53 * 25.0 / 86400,
        2000 + (m.mjd - 51544.5) / 365.25, 25.0, 3949815, c.counts, c.counts + 50,
          c.counts / 3949815.0 / 25,
        (c.counts + 50) / 3949815.0 / 25, 28.0 * sin(f.id + k % 53 / 35.0),
          (f.id * 97 + k % 53 * 2) % 360, 10, 100,
        2000, 25.0, 163
    FROM files AS f, generate_series(0, :rows - 1) AS k,
        LATERAL (SELECT :begin + (f.id - :first) / 2 * :step AS mjd) AS m,
        LATERAL (SELECT (150 + 100 * random())::int AS counts) AS c
    WHERE f.id BETWEEN :first AND :last
"""


async def fill(database: Database, gain: int, darks: int) -> None:
    """Fill an empty database.

    Parameters
    ----------
    database
        Database with the schema.
    gain, darks
        Rows of ``gain`` and ``darks``; each dark exposure has a row of ``dark_counts`` too.
    """
    maps, exposures = gain // _GAIN_ROWS, darks // _DARK_ROWS
    async with database.transaction() as session:
        await session.execute(text("SET LOCAL synchronous_commit = off"))
        await session.execute(text(DATASETS).bindparams(first=1, last=maps + exposures))
        await session.execute(text(FILES).bindparams(first=1, last=maps + exposures))
        of_gain = {"first": 1, "last": maps, "step": (_LAST - _FIRST) / maps, "rows": _GAIN_ROWS}
        common = {"keys": ROWS_PER_FILE, "begin": _FIRST}
        await session.execute(text(_GAIN).bindparams(**(of_gain | common)))
        of_darks = {
            "first": maps + 1,
            "last": maps + exposures,
            "step": (_LAST - _FIRST) / (exposures / 2),
            "rows": _DARK_ROWS,
        }
        await session.execute(text(_DARKS).bindparams(**(of_darks | common)))
        packed = [_map(number) for number in range(_MAPS)]
        rows = [
            _counts_row(
                maps + 1 + number,
                _FIRST + number // 2 * of_darks["step"],
                packed[number // 2 % _MAPS],
            )
            for number in range(exposures)
        ]
        for start in range(0, len(rows), 500):
            await session.execute(insert(DarkCounts), rows[start : start + 500])
        await fill_exposures(session, _FIRST, _LAST)
    async with database.engine.connect() as connection:
        plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text("VACUUM (ANALYZE)"))


def _map(seed: int) -> bytes:
    """Return the packed counts of a dark without hot spots."""
    generator = np.random.default_rng(seed)
    x, y = generator.integers(133, 1900, _EVENTS), generator.integers(181, 366, _EVENTS)
    heights = np.clip(np.rint(generator.normal(11.0, 4.0, _EVENTS)), 0, 31).astype(np.int64)
    cells, counts = np.unique((y * 2048 + x) * 32 + heights, return_counts=True)
    return pack_counts(cells, counts)


def _counts_row(file_id: int, mjd: float, packed: bytes) -> dict[str, object]:
    return {
        "id": file_id * ROWS_PER_FILE,
        "file_id": file_id,
        "rootname": f"l{file_id:07x}q",
        "detector": "FUVA" if file_id % 2 == 0 else "FUVB",
        "mjd": mjd,
        "exposure": _DARK_SECONDS,
        "hvlevel": 163,
        "counts": _EVENTS,
        "content": packed,
    }


async def add_dark(session: AsyncSession) -> None:
    """Add one dataset more: a dark of FUVA, as an ingest does."""
    file_id = int((await session.execute(text("SELECT max(id) + 1 FROM files"))).scalar_one())
    for statement in (DATASETS, FILES):
        await session.execute(text(statement).bindparams(first=file_id, last=file_id))
    once = {"first": file_id, "last": file_id, "keys": ROWS_PER_FILE, "step": 0.0}
    await session.execute(
        text(_DARKS).bindparams(**(once | {"begin": _LAST + 1.0, "rows": _DARK_ROWS}))
    )
    await session.execute(
        text(_GAIN).bindparams(**(once | {"begin": _LAST + 1.0, "rows": _GAIN_ROWS}))
    )
    row = _counts_row(file_id, _LAST + 1.0, _map(file_id))
    await session.execute(insert(DarkCounts), [row])
    await session.execute(text("SELECT setval('files_id_seq', :last)"), {"last": file_id})
    assert await session.get(File, file_id) is not None
