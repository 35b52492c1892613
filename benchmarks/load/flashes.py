"""Lamp flashes, lines and schedule of a full mission: of every exposure that is no dark."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.science import ROWS_PER_FILE

__all__ = ["fill_flashes"]

_FLASHES = 4
"""Flashes of an exposure in each segment or stripe: 0, 600, 1000 and 1400 s after its start."""
_LINES = 10
"""Lines of the lamp in each segment or stripe."""

_SEGMENTS = {"FUV": ["FUVA", "FUVB"], "NUV": ["NUVA", "NUVB", "NUVC"]}
_SETTINGS = {
    "FUV": "G130M 1222,G130M 1291,G130M 1327,G160M 1577,G160M 1600,G160M 1623,G140L 800,"
    "G140L 1105,G140L 1280",
    "NUV": "G185M 1786,G185M 1913,G185M 1953,G185M 2010,G225M 2250,G225M 2268,G225M 2306,"
    "G285M 2676,G285M 2695,G285M 2719,G230L 2635,G230L 2950,G230L 3000",
}
"""Grating and central wavelength, which exposures have in turn, four FP-POS each."""

_FILES = """
    INSERT INTO files (id, dataset_id, origin, path, name, rootname, suffix, size, sha256, current,
      shown, problems, ingested_at)
    SELECT d.id + :count, d.id, 'product', 'load/' || d.id || '/lampflash',
      d.rootname || '_lampflash.fits', d.rootname, 'lampflash', 1, '', true, true,
      '[]', now()
    FROM datasets AS d JOIN headers AS h ON h.file_id = d.id
    WHERE d.id BETWEEN :first AND :last AND h.exptype != 'DARK'
"""
_EXPOSURES = """
    FROM headers AS h, LATERAL (SELECT h.file_id + :count AS id, h.file_id AS n) AS f,
      LATERAL (SELECT (string_to_array(:settings, ','))[
        1 + f.n / 4 % array_length(string_to_array(:settings, ','), 1)] AS setting) AS c,
      LATERAL (SELECT split_part(c.setting, ' ', 1) AS grating,
        split_part(c.setting, ' ', 2)::int AS cenwave, 1 + f.n % 4 AS fppos) AS s
"""
_OF_SEGMENTS = ", unnest(CAST(:segments AS text[])) WITH ORDINALITY AS p (segment, place)"
_WHERE = " WHERE h.file_id BETWEEN :first AND :last AND h.exptype != 'DARK'"
_ROWS = (
    """
    INSERT INTO lampflash (id, rootname, file_id, date, proposid, detector, segment, opt_elem,
      cenwave, fppos, lamptab, flash, time, shift_disp, x_shift, y_shift, found, exptime, lamp_on,
      lamp_off, rate, gross, template_scale, template_scale_error, life_adj, filetype, exptype,
      lampused, lampset, wcptab, has_lines)
    SELECT f.id * :keys + (p.place - 1) * :flashes + k, h.rootname, f.id, h.expstart, h.proposid,
      h.detector, p.segment, s.grating, s.cenwave, s.fppos, 'load_lamp.fits', k + 1, t.time,
      m.shift + 240 * (s.fppos - 3), m.shift, 0.5 + 0.1 * random(), NOT m.copied AND f.n % 500 > 0,
      12, t.time - 6, t.time + 6, 90 + 10 * random(), 110, 0.008 + 0.001 * random(), 0.0004,
      h.life_adj, 'lampflash', 'EXTERNAL/SCI', 'P1', 'Medium', 'load_wcp.fits', NOT m.copied
"""
    + _EXPOSURES
    + _OF_SEGMENTS
    + """, generate_series(0, :flashes - 1) AS k,
      LATERAL (SELECT 6.0 + CASE k WHEN 0 THEN 0 ELSE 200 + 400 * k END AS time) AS t,
      LATERAL (SELECT 3 * sin(f.n / 900.0) + 0.0005 * t.time + 0.2 * random() AS shift,
        c.setting = 'G140L 1280' AND p.segment = 'FUVB' AS copied) AS m
"""
    + _WHERE
)
_LINE_ROWS = (
    """
    INSERT INTO line_positions (id, rootname, file_id, date, proposid, detector, segment, opt_elem,
      cenwave, fppos, life_adj, aperture, source, catalogue, measured, error, dispersion, position,
      counts, disptab)
    SELECT f.id * :keys + (p.place - 1) * :lines + k, h.rootname, f.id, h.expstart, h.proposid,
      h.detector, p.segment, s.grating, s.cenwave, s.fppos, h.life_adj, 'WCA', 'lamp',
      s.cenwave + k, s.cenwave + k + 0.01 * (0.3 + 0.2 * random()), 0.002, 0.01, 500 + 90 * k,
      900, 'load_disp.fits'
"""
    + _EXPOSURES
    + _OF_SEGMENTS
    + ", generate_series(0, :lines - 1) AS k"
    + _WHERE
)
_SCHEDULE = (
    """
    INSERT INTO sms (id, rootname, file_id, preferred, exposure, detector, expstart, tsinceosm1,
      tsinceosm2, flashes, flash_duration)
    SELECT f.id * :keys, h.rootname, f.id, true, h.rootname, h.detector, h.expstart,
      120 + f.n * 7919 % 40000, 120 + f.n * 7907 % 40000, :flashes, 12
"""
    + _EXPOSURES
    + _WHERE
)


async def fill_flashes(session: AsyncSession, detector: str, first: int, last: int) -> int:
    """Add the flashes, lines and schedule of exposures.

    Parameters
    ----------
    session
        Session of a transaction.
    detector
        FUV or NUV.
    first, last
        Keys of their datasets, whose headers are there.

    Returns
    -------
    int
        The last key of a file.
    """
    count = last - first + 1
    files = {"first": first, "last": last, "count": count}
    rows = {**files, "keys": ROWS_PER_FILE, "settings": _SETTINGS[detector]}
    parts = {"segments": _SEGMENTS[detector]}
    for statement, values in (
        (_FILES, files),
        (_ROWS, rows | parts | {"flashes": _FLASHES}),
        (_LINE_ROWS, rows | parts | {"lines": _LINES}),
        (_SCHEDULE, rows | {"flashes": _FLASHES}),
    ):
        await session.execute(text(statement), values)
    return last + count
