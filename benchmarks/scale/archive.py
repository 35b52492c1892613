"""A database as a year of operation leaves it: an archive of any size, made by
``generate_series``.
"""

from collections.abc import Mapping

from sqlalchemy import text

from services.monitor.monitors import monitors
from shared.database.engine import Database
from shared.database.models.science import ROWS_PER_FILE

__all__ = ["CALIBRATED", "DATASETS", "fill"]

DATASETS = 341_000
"""Of the archive of COS."""
CALIBRATED = 0.6
"""Part of them that is calibrated; the others are acquisitions."""

_DATASETS_PER_RUN = 68
"""For each run of a monitor: a dozen or so runs of each a day for a year."""

_DATASETS = """
    INSERT INTO datasets (id, rootname, kind, state, reason, failed_stage, error_kind, members,
      companions, missing, forced, created_at, updated_at)
    SELECT n, 'l' || lpad(to_hex(n), 7, '0') || 'q',
      CASE WHEN n % 5 < 2 THEN 'association' WHEN n % 5 = 2 THEN 'exposure' ELSE 'acquisition' END,
      CASE WHEN n % 5 < 3 AND n > :half THEN 'fetched' WHEN n % 1000 = 7 THEN 'failed'
        WHEN n % 100 = 50 THEN 'skipped' ELSE 'ingested' END,
      CASE WHEN n % 5 < 3 AND n > :half THEN NULL WHEN n % 1000 = 7 THEN 'CalCOS ended with 1'
        WHEN n % 100 = 50 THEN 'no events in the exposure' END,
      CASE WHEN n % 1000 = 7 THEN 'calibrate' END, CASE WHEN n % 1000 = 7 THEN 'permanent' END,
      '[]', '[]', '[]', false, begin, begin + interval '10 minutes'
    FROM generate_series(1, :count) AS n, LATERAL (SELECT now() - (:count - n) * interval '90 s'
      AS begin) AS t
"""
"""Three of five are calibrated (association, association, exposure), two are acquisitions; of the
newer half the calibration is being done again.
"""
_JOBS = """
    INSERT INTO jobs (id, stage, dataset_id, fingerprint, queue, trace, payload, state, attempts,
      not_before, sent_at, lease_until, worker, error_kind, error, created_at, finished_at)
    SELECT d.id * 8 + k, j.stage, d.id, md5(d.id::text) || md5(k::text), j.queue || '-bulk',
      md5(d.id::text), '{}', s.state, CASE s.state WHEN 'queued' THEN 0 ELSE 1 END, d.created_at,
      CASE s.state WHEN 'queued' THEN NULL ELSE d.created_at END,
      CASE s.state WHEN 'running' THEN now() + interval '30 s' END,
      CASE s.state WHEN 'queued' THEN NULL ELSE 'calibrator@node:' || d.id % 40 END,
      CASE s.state WHEN 'failed' THEN 'permanent' END,
      CASE s.state WHEN 'failed' THEN 'CalCOS ended with 1' END, d.created_at,
      CASE WHEN s.state NOT IN ('queued', 'running') THEN d.updated_at END
    FROM datasets AS d, (VALUES (0, 'fetch', 'fetch'), (1, 'calibrate', 'calibrate'),
        (2, 'ingest-raw', 'ingest'), (3, 'ingest-products', 'ingest'),
        (4, 'calibrate', 'calibrate')) AS j (k, stage, queue),
      LATERAL (SELECT CASE WHEN k = 4 AND d.id > :count - 40 THEN 'running'
        WHEN k = 4 THEN 'queued' WHEN k = 1 AND d.id > :half THEN 'superseded'
        WHEN k = 1 AND d.id % 1000 = 7 THEN 'failed' ELSE 'done' END AS state) AS s
    WHERE (d.id % 5 < 3 OR k IN (0, 2)) AND (k < 4 OR d.id > :half)
      AND (k <> 3 OR d.id % 1000 <> 7)
"""
_ATTEMPTS = """
    INSERT INTO attempts (job_id, number, worker, started_at, finished_at, outcome, error_kind,
      error)
    SELECT j.id, 1, j.worker, j.created_at, j.finished_at,
      CASE j.state WHEN 'running' THEN NULL WHEN 'failed' THEN 'failed' ELSE 'done' END,
      j.error_kind, j.error
    FROM jobs AS j WHERE j.state <> 'queued'
    UNION ALL
    SELECT j.id, 0, j.worker, j.created_at, j.created_at + interval '1 minute', 'failed', 'lost',
      'the worker stopped renewing its lease'
    FROM jobs AS j WHERE j.state <> 'queued' AND j.id % 50 = 0
"""
_EVENTS = """
    INSERT INTO events (id, sequence, at, name, dataset_id, job_id, detail)
    SELECT d.id * 8 + k, d.id * 8 + k, d.created_at + k * interval '2 minutes', e.name, d.id,
      CASE WHEN e.job >= 0 THEN d.id * 8 + e.job END,
      CASE e.name WHEN 'dataset.discovered' THEN '{"files": 6}'
        WHEN 'dataset.ingested' THEN '{"rows": {"headers": 4, "quality": 1, "stims": 20}}'
        ELSE jsonb_build_object('depends_on', jsonb_build_object('*', (SELECT
          jsonb_object_agg(d.rootname || '_' || f || '.fits', md5(f::text) || md5(d.id::text))
          FROM generate_series(1, 6) AS f))) END
    FROM datasets AS d, (VALUES (0, 'dataset.discovered', -1), (1, 'dataset.fetched', 0),
      (2, 'dataset.ingested', 2), (3, 'dataset.calibrated', 1), (4, 'dataset.ingested', 3))
      AS e (k, name, job)
    WHERE d.id % 5 < 3 AND d.id % 1000 <> 7 OR k < 3
"""
_RUNS = """
    INSERT INTO runs (id, dataset_id, job_id, attempt, current, path, calcos_version, inputs,
      "references", switches, randseeds, accepted_missing, kind,
      provenance, warnings, exit_status, wall_seconds, cpu_seconds,
      peak_rss_mb, trailer, created_at)
    SELECT d.id, d.id, d.id * 8 + 1, 1, true, 'products/' || d.rootname || '/job' || d.id * 8 + 1,
      '3.6.2', (SELECT jsonb_object_agg(d.rootname || '_' || f || '.fits', md5(f::text))
        FROM generate_series(1, 6) AS f),
      (SELECT jsonb_object_agg('x' || f || '_ref.fits', jsonb_build_object('keyword', 'FLATFILE',
        'sha256', md5(f::text))) FROM generate_series(1, 20) AS f), '{}', '{}', '[]', 'calcos',
      '{}', '[]', 0, 20, 25, 900,
      repeat('CALCOS version 3.6.2: begin ' || d.rootname || chr(10), 60), d.updated_at
    FROM datasets AS d WHERE d.id % 5 < 3 AND d.id % 1000 <> 7
"""
_FILES = """
    INSERT INTO files (id, dataset_id, run_id, origin, path, name, rootname, suffix, size, sha256,
      current, shown, verified_at, ingested_at, problems, created_at)
    SELECT d.id * 16 + k, d.id, CASE WHEN k >= 6 THEN d.id END,
      CASE WHEN k < 6 THEN 'raw' ELSE 'product' END,
      CASE WHEN k < 6 THEN 'raw/' ELSE 'products/' END || d.rootname || '/job' || d.id * 8,
      d.rootname || '_' || suffix || '.fits.gz', d.rootname, suffix, 4000000,
      md5(d.id::text) || md5(k::text), true, true, d.updated_at, d.updated_at, '[]', d.created_at
    FROM datasets AS d, unnest(ARRAY['rawtag_a', 'rawtag_b', 'spt', 'jit', 'jif', 'asn',
        'corrtag_a', 'corrtag_b', 'counts_a', 'counts_b', 'flt_a', 'flt_b', 'x1d', 'lampflash'])
      WITH ORDINALITY AS s (suffix, number), LATERAL (SELECT number - 1 AS k) AS n
    WHERE d.id % 5 < 3 AND (k < 6 OR d.id % 1000 <> 7) OR k IN (0, 2)
"""
_HEADERS = """
    INSERT INTO headers (id, rootname, file_id, preferred, proposid, obstype, obsmode, exptype,
      detector, segment, targname, life_adj, cenwave, opt_elem, expstart, expend, exptime)
    SELECT f.id * :keys, f.rootname, f.id, f.suffix IN ('x1d', 'rawacq'), 12000 + d.id % 3000,
      'SPECTROSCOPIC', 'TIME-TAG', 'EXTERNAL/SCI', 'FUV', 'BOTH', 'WD0308-565', 1 + d.id % 4,
      1291, 'G130M', m.mjd, m.mjd + 1200 / 86400.0, 1200
    FROM files AS f JOIN datasets AS d ON d.id = f.dataset_id,
      LATERAL (SELECT 55000 + 6000.0 * d.id / :count AS mjd) AS m
    WHERE f.suffix IN ('rawtag_a', 'rawtag_b', 'corrtag_a', 'x1d')
"""
_QUALITY = """
    INSERT INTO quality (id, rootname, file_id, preferred, detector, segment, exptype, expstart,
      expend, exptime, nevents)
    SELECT h.id, h.rootname, h.file_id, true, h.detector, h.segment, h.exptype, h.expstart,
      h.expend, h.exptime, 600000 FROM headers AS h WHERE h.preferred
"""
_SPECTRA = """
    INSERT INTO data (id, rootname, file_id, flux_mean, flux_max, flux_std, wl_min, wl_max)
    SELECT h.id, h.rootname, h.file_id, 1e-14, 2e-14, 1e-15, 1650, 3150
    FROM headers AS h WHERE h.preferred
"""
_STIMS = """
    INSERT INTO stims (id, rootname, file_id, segment, time, step, abs_time, stim1_x, stim1_y,
      stim2_x, stim2_y, stim1_counts, stim2_counts, counts)
    SELECT h.id + k, h.rootname, h.file_id, CASE k / 10 WHEN 0 THEN 'FUVA' ELSE 'FUVB' END,
      k % 10 * 30, 30, h.expstart + k % 10 * 30 / 86400.0, 381, 983, 15906, 37, 900, 900, 1800
    FROM headers AS h, generate_series(0, 19) AS k WHERE h.preferred
"""
_MONITOR_RUNS = """
    INSERT INTO monitor_runs (id, monitor, outcome, generation, newest_mjd, versions, statistics,
      seconds, created_at)
    SELECT n, (CAST(:monitors AS text[]))[1 + n % :kinds],
      CASE WHEN n % 10 < 5 THEN 'no_new_data' ELSE 'updated' END, n, 61000, '{}',
      (SELECT jsonb_object_agg('group ' || g, g * 0.1) FROM generate_series(1, 40) AS g), 2.0,
      now() - (:last - n) * interval '5 minutes'
    FROM generate_series(1, :last) AS n
"""
_JOBS_OF_MONITORS = """
    INSERT INTO jobs (id, stage, monitor, fingerprint, queue, trace, payload, state, attempts,
      sent_at, worker, created_at, finished_at)
    SELECT (:count + 2) * 8 + r.id, 'monitor', r.monitor, md5(r.id::text), 'monitor',
      md5(r.id::text), '{"forced": false}',
      CASE WHEN r.id + :kinds > :last THEN 'done' ELSE 'superseded' END, 1, r.created_at,
      'monitor@node:1', r.created_at, r.created_at
    FROM monitor_runs AS r
"""
_EVENTS_OF_MONITORS = """
    INSERT INTO events (id, sequence, at, name, monitor, detail)
    SELECT (:count + 2) * 8 + r.id, (:count + 2) * 8 + r.id, r.created_at, 'monitor.updated',
      r.monitor, jsonb_build_object('rows', jsonb_build_object('gain_trends', 5))
    FROM monitor_runs AS r
"""
_ALERTS = """
    INSERT INTO alerts (id, monitor, run_id, key, rule, severity, message, source, rootname, state,
      opened_at, resolved_at)
    SELECT n, (CAST(:monitors AS text[]))[1 + n % :kinds], NULL, 'key ' || n, 'a rule', 'warn',
      'a value is out of its limits', 'a report', 'l' || lpad(to_hex(n), 7, '0') || 'q',
      CASE WHEN n % 100 = 0 THEN 'open' ELSE 'resolved' END, now() - interval '1 day',
      CASE WHEN n % 100 = 0 THEN NULL ELSE now() END
    FROM generate_series(1, :alerts) AS n
"""
_VALUES = """
    INSERT INTO monitor_values (id, monitor, run_id, file_id, key, rootname, mjd, segment, quantity,
      value, outlier)
    SELECT h.id + k, 'exposure-quality', :last, h.file_id, h.rootname || k, h.rootname, h.expstart,
      'FUVA', 'quantity ' || k, 1.0, h.file_id % 100 = 0
    FROM headers AS h, generate_series(0, 2) AS k WHERE h.preferred
"""
_AUDIT = """
    INSERT INTO audit (at, token, method, path, status)
    SELECT now() - n * interval '5 minutes', 'operator', 'POST', '/api/v1/alerts/1/acknowledge',
      200
    FROM generate_series(1, :audit) AS n
"""
_WORKERS = """
    INSERT INTO workers (name, service, seen_at)
    SELECT 'calibrator@node-' || n, 'calibrator', now()
    FROM generate_series(1, CAST(:workers AS int)) AS n
"""
"""As many calibrators as a cluster has for a reprocessing."""
_COUNTS = """
    INSERT INTO state_counts (stage, queue, state, number)
    SELECT NULL, NULL, state, count(*) FROM datasets GROUP BY 3
    UNION ALL SELECT stage, queue, state, count(*) FROM jobs GROUP BY 1, 2, 3
"""
_STATEMENTS = (
    _DATASETS,
    _JOBS,
    _ATTEMPTS,
    _EVENTS,
    _RUNS,
    _FILES,
    _HEADERS,
    _QUALITY,
    _SPECTRA,
    _STIMS,
    _MONITOR_RUNS,
    _JOBS_OF_MONITORS,
    _EVENTS_OF_MONITORS,
    _ALERTS,
    _VALUES,
    _AUDIT,
    _WORKERS,
    _COUNTS,
)


async def fill(database: Database, count: int) -> None:
    """Fill an empty database with datasets, their files, runs, jobs, attempts, events and rows.

    The newer half is being calibrated again: its jobs wait as bulk work.

    Parameters
    ----------
    database
        Database with the schema.
    count
        Datasets.
    """
    names = list(monitors())
    values: Mapping[str, object] = {
        "count": count,
        "half": count // 2,
        "keys": ROWS_PER_FILE,
        "monitors": names,
        "kinds": len(names),
        "last": count // _DATASETS_PER_RUN * len(names),
        "alerts": count // 10,
        "audit": count // 3,
        "workers": count // 341,
    }
    async with database.transaction() as session:
        await session.execute(text("SET LOCAL synchronous_commit = off"))
        # Without triggers: foreign keys hold by construction, and 10 million look-ups would take
        # longer than the rows.
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in _STATEMENTS:
            query = text(statement)
            chosen = {name: value for name, value in values.items() if f":{name}" in statement}
            await session.execute(query, chosen)
        await session.execute(
            text(
                "SELECT setval(pg_get_serial_sequence(t, 'id'), :last) FROM unnest(ARRAY["
                "'datasets', 'files', 'runs', 'jobs', 'events', 'alerts', 'monitor_runs', "
                "'monitor_values']) AS t"
            ),
            {"last": count * ROWS_PER_FILE},
        )
        await session.execute(
            text("SELECT setval('events_sequence', (SELECT max(sequence) FROM events))")
        )
    async with database.engine.connect() as connection:
        plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text("VACUUM (ANALYZE)"))
