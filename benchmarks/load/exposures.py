"""The exposures of a full mission beside its gain and FUV darks.

Headers, quality, rates, spectra, stims, pulse heights and NUV darks.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.load.flashes import fill_flashes
from shared.database.models.science import ROWS_PER_FILE

__all__ = ["DATASETS", "FILES", "add_exposure", "fill_exposures"]

_FUV, _NUV = 20_000, 10_000
"""Exposures of each detector; every tenth one of the NUV is a dark."""
_STEPS = 40
"""Time steps of the stims of an exposure: 1,200 s."""
_BINS = 53
"""Bins of 25 s of an NUV dark."""

DATASETS = """
    INSERT INTO datasets (id, rootname, kind, state, members, companions, missing, forced)
    SELECT n, 'l' || lpad(to_hex(n), 7, '0') || 'q', 'exposure', 'ingested', '[]', '[]', '[]', false
    FROM generate_series(:first, :last) AS n
"""
FILES = """
    INSERT INTO files (id, dataset_id, origin, path, name, rootname, suffix, size, sha256, current,
      shown, problems, ingested_at)
    SELECT n, n, 'product', 'load/' || n, d.rootname || '_corrtag_a.fits', d.rootname, 'corrtag_a',
      1, '', true, true, '[]', now()
    FROM generate_series(:first, :last) AS n JOIN datasets AS d ON d.id = n
"""
_ROWS = """
    FROM files AS f, LATERAL (SELECT :begin + (f.id - :first) * :step AS mjd,
      163 + 4 * (f.id / 4000 % 3) AS level) AS m
"""
_HEADERS = (
    """
    INSERT INTO headers (id, rootname, file_id, preferred, proposid, obstype, obsmode, exptype,
      detector, segment,
        life_adj, cenwave, opt_elem, expstart, expend, exptime, hvlevela, hvlevelb)
    SELECT f.id * :keys, f.rootname, f.id, true, 12000 + f.id % 3000, 'SPECTROSCOPIC', 'TIME-TAG',
        CASE WHEN :detector = 'NUV' AND f.id % 10 = 0 THEN 'DARK' ELSE 'EXTERNAL/SCI' END,
          :detector,
        CASE :detector WHEN 'FUV' THEN 'BOTH' ELSE 'N/A' END, 1 + f.id / 5000 % 4, 1291, 'G130M',
          m.mjd,
        m.mjd + 1200 / 86400.0, 1200, m.level, m.level
"""
    + _ROWS
    + "WHERE f.id BETWEEN :first AND :last"
)
_QUALITY = (
    """
    INSERT INTO quality (id, rootname, file_id, preferred, detector, segment, exptype, expstart,
      expend, exptime,
        exptimea, exptimeb, rawtime, plantime, expflag, ninterpt, overflow, fgslock, shutter,
          nevents, neventsa,
        neventsb, globrate, globrt_a, globrt_b, deventa, deventb, mevents, stimrate, stima_lx,
          stimb_lx, npha_a, npha_b,
        nbadevta, nbadevtb, livetm_a, livetm_b, livetm, lampused, lampset, lamp_seconds, numflash,
          quality)
    SELECT f.id * :keys, f.rootname, f.id, true, :detector,
      CASE :detector WHEN 'FUV' THEN 'BOTH' ELSE 'N/A' END,
        CASE WHEN :detector = 'NUV' AND f.id % 10 = 0 THEN 'DARK' ELSE 'EXTERNAL/SCI' END, m.mjd,
        m.mjd + 1200 / 86400.0, 1200, 1200, 1200, 1200, 1200, 'NORMAL', 0, 0, 'FINE', 'Open',
          600000, 300000, 300000,
        CASE :detector WHEN 'NUV' THEN 200 + f.id % 90 END,
          CASE :detector WHEN 'FUV' THEN 200 + f.id % 90 END,
        CASE :detector WHEN 'FUV' THEN 200 + f.id % 70 END, 210, 210, 210, 30, 380, 380, 9000,
          9000, 9000, 9000, 1, 1,
        1, 'P1', 'Medium', 48, 4, ''
"""
    + _ROWS
    + "WHERE f.id BETWEEN :first AND :last"
)
_PULSE_HEIGHTS = (
    """
    INSERT INTO phd (id, rootname, file_id, segment, expstart, exptime, hvlevel, life_adj,
      opt_elem, obsmode, counts,
        {columns})
    SELECT f.id * :keys + s, f.rootname, f.id, CASE s WHEN 0 THEN 'FUVA' ELSE 'FUVB' END, m.mjd,
      1200, m.level,
        1 + f.id / 5000 % 4, 'G130M', 'TIME-TAG', 300000, {values}
"""
    + _ROWS
    + ", generate_series(0, 1) AS s WHERE f.id BETWEEN :first AND :last"
)
_STIMS = (
    """
    INSERT INTO stims (id, rootname, file_id, segment, time, step, abs_time, stim1_x, stim1_y,
      stim2_x, stim2_y,
        stim1_counts, stim2_counts, counts)
    SELECT f.id * :keys + k, f.rootname, f.id, CASE k / :steps WHEN 0 THEN 'FUVA' ELSE 'FUVB' END,
      k % :steps * 30, 30,
        m.mjd + k % :steps * 30 / 86400.0, 381 + 0.2 * random(), 983 + 0.2 * random(),
          15906 + 0.2 * random(),
        37 + 0.2 * random(), 900, 900, 1800
"""
    + _ROWS
    + ", generate_series(0, 2 * :steps - 1) AS k WHERE f.id BETWEEN :first AND :last"
)
_RATES = (
    """
    INSERT INTO event_rates (id, rootname, file_id, segment, expstart, exptime, good_time,
      intervals, raw_time,
        raw_intervals, second_counts, second_start, local_rate, local_counts, local_x, local_y)
    SELECT f.id * :keys + s, f.rootname, f.id,
        CASE WHEN :detector = 'NUV' THEN 'NUV' WHEN s = 0 THEN 'FUVA' ELSE 'FUVB' END, m.mjd, 1200,
          1200, 1, 1200, 1,
        260 + f.id % 90, 400, 0.02 + 0.01 * (f.id % 7), 100 + 50 * (f.id % 7), 600.5, 480.5
"""
    + _ROWS
    + """, generate_series(0, CASE :detector WHEN 'FUV' THEN 1 ELSE 0 END) AS s
    WHERE f.id BETWEEN :first AND :last
"""
)
_SPECTRA = (
    """
    INSERT INTO data (id, rootname, file_id, flux_mean, flux_max, flux_std, wl_min, wl_max,
      gross_a, gross_b, gross_c)
    SELECT f.id * :keys, f.rootname, f.id, 1e-14, 2e-14, 1e-15, 1650, 3150, 60 + f.id % 30,
      80 + f.id % 40, 40
"""
    + _ROWS
    + "WHERE f.id BETWEEN :first AND :last AND (:detector = 'FUV' OR f.id % 10 > 0)"
)
_DARKS = (
    """
    INSERT INTO darks (id, rootname, file_id, detector, region, bin, mjd, date, exposure, npix,
      counts, all_counts,
        dark, ta_dark, latitude, longitude, sun_lat, sun_lon, saa_distance, temp)
    SELECT f.id * :keys + k, f.rootname, f.id, 'NUV', 'all', k, m.mjd + k * 25.0 / 86400,
        2000 + (m.mjd - 51544.5) / 365.25, 25.0, 1048576, c.counts, c.counts,
          c.counts / 1048576.0 / 25,
        c.counts / 1048576.0 / 25, 28.0 * sin(f.id + k / 35.0), (f.id * 97 + k * 2) % 360, 10, 100,
          2000, 20.0
"""
    + _ROWS
    + """, generate_series(0, :bins - 1) AS k,
      LATERAL (SELECT (20000 + 800 * random())::int AS counts) AS c
    WHERE f.id BETWEEN :first AND :last AND f.id % 10 = 0
"""
)


async def fill_exposures(session: AsyncSession, first_mjd: float, last_mjd: float) -> None:
    """Add exposures of both detectors, evenly over a time.

    Parameters
    ----------
    session
        Session of a transaction.
    first_mjd, last_mjd
        The time, MJD.
    """
    for detector, count in (("FUV", _FUV), ("NUV", _NUV)):
        first = await _next_key(session)
        await _add(
            session, detector, first, first + count - 1, first_mjd, (last_mjd - first_mjd) / count
        )


async def add_exposure(session: AsyncSession, detector: str, mjd: float) -> None:
    """Add one exposure of a detector more; one of the NUV is a dark."""
    key = await _next_key(session)
    if detector == "NUV":
        key += -key % 10
    await _add(session, detector, key, key, mjd, 0.0)


async def _next_key(session: AsyncSession) -> int:
    query = "SELECT greatest((SELECT max(id) FROM files), (SELECT max(id) FROM datasets)) + 1"
    return int((await session.execute(text(query))).scalar_one())


async def _add(
    session: AsyncSession, detector: str, first: int, last: int, begin: float, step: float
) -> None:
    files = {"first": first, "last": last}
    for statement in (DATASETS, FILES):
        await session.execute(text(statement).bindparams(**files))
    rows = {**files, "keys": ROWS_PER_FILE, "begin": begin, "step": step}
    for statement in (_HEADERS, _QUALITY, _RATES, _SPECTRA):
        await session.execute(text(statement).bindparams(**rows, detector=detector))
    if detector == "FUV":
        columns = ", ".join(f"pha_{height}" for height in range(32))
        values = ", ".join(
            f"(20000 * exp(-power(({height} - 11 + (f.id % 100) / 100.0) / 3.0, 2) / 2))::int"
            for height in range(32)
        )
        heights = _PULSE_HEIGHTS.format(columns=columns, values=values)
        await session.execute(text(heights).bindparams(**rows))
        await session.execute(text(_STIMS).bindparams(**rows, steps=_STEPS))
    else:
        await session.execute(text(_DARKS).bindparams(**rows, bins=_BINS))
    for table, newest in (
        ("datasets", last),
        ("files", await fill_flashes(session, detector, first, last)),
    ):
        await session.execute(text(f"SELECT setval('{table}_id_seq', {newest})"))
