"""Invariants of the database: each a query for the cases in which it does not hold."""

from collections.abc import Iterator

from sqlalchemy import Dialect, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.science import SCIENCE_TABLES, believed_time, moments_of
from shared.invariants.violation import Violation

__all__ = ["INVARIANTS", "check_database"]

_MOST = 100
"""Most cases of one invariant that are reported."""

INVARIANTS: dict[str, str] = {
    "a done job has one attempt that is done": """
        SELECT format('job %s (%s)', j.id, j.stage), format('%s attempts are done', count(a.id))
        -- Work on inputs that returned to an earlier content begins with attempt 1 again.
        FROM jobs j LEFT JOIN attempts a ON a.job_id = j.id AND a.outcome = 'done' AND a.id >= (
            SELECT max(f.id) FROM attempts f WHERE f.job_id = j.id AND f.number = 1)
        WHERE j.state = 'done' GROUP BY j.id HAVING count(a.id) <> 1
    """,
    "an attempt is open only while its job runs": """
        SELECT format('job %s (%s)', j.id, j.stage), format('attempt %s is open and the job %s',
          a.number, j.state)
        FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE a.finished_at IS NULL AND
          j.state <> 'running'
    """,
    "the state of a dataset is that of its jobs": """
        SELECT d.rootname, format('it is %s, and %s by its jobs', d.state, derived.state)
        FROM datasets d JOIN derived_states derived ON derived.dataset_id = d.id
        WHERE d.state <> derived.state
        -- What somebody added by hand is ingested without a job.
        AND (d.state <> 'ingested' OR EXISTS (SELECT 1 FROM jobs j WHERE j.dataset_id = d.id))
    """,
    "a running job has a worker and a lease": """
        SELECT format('job %s (%s)', id, stage), 'worker or lease is missing'
        FROM jobs WHERE state = 'running' AND (worker IS NULL OR lease_until IS NULL)
    """,
    "a done fetch has its files": """
        SELECT format('job %s (%s)', j.id, d.rootname), format('%s is not among the files',
          wanted ->> 'name')
        FROM jobs j JOIN datasets d ON d.id = j.dataset_id,
          jsonb_array_elements(j.payload -> 'files') AS wanted
        WHERE j.stage = 'fetch' AND j.state = 'done' AND NOT EXISTS (
            SELECT 1 FROM files f WHERE f.dataset_id = j.dataset_id AND f.origin <> 'extra'
            AND f.name = wanted ->> 'name')
        AND NOT EXISTS (
            SELECT 1 FROM events e WHERE e.job_id = j.id
            AND jsonb_exists(e.detail -> 'damaged', wanted ->> 'name'))
    """,
    "a done calibration has its run and its products": """
        SELECT format('job %s (%s)', j.id, d.rootname), 'no good run with products is recorded'
        FROM jobs j JOIN datasets d ON d.id = j.dataset_id
        WHERE j.stage = 'calibrate' AND j.state = 'done' AND NOT EXISTS (
            SELECT 1 FROM runs r JOIN files f ON f.run_id = r.id
            WHERE r.job_id = j.id AND r.error IS NULL AND f.origin = 'product')
    """,
    "a calibration was done once": """
        SELECT format('job %s (%s)', j.id, d.rootname), format('%s good runs are recorded',
          count(r.id))
        FROM jobs j JOIN datasets d ON d.id = j.dataset_id JOIN runs r ON r.job_id = j.id AND
          r.error IS NULL
        WHERE j.stage IN ('calibrate', 'recalibrate') GROUP BY j.id,
          d.rootname HAVING count(r.id) > greatest(1, (
            SELECT count(*) FROM attempts a WHERE a.job_id = j.id AND a.outcome = 'done'))
    """,
    "a dataset has one current run": """
        SELECT d.rootname, format('%s runs are current', count(*))
        FROM runs r JOIN datasets d ON d.id = r.dataset_id WHERE r.current AND r.error IS NULL
        GROUP BY d.rootname HAVING count(*) > 1
    """,
    "a done ingest has written its files": """
        SELECT format('job %s (%s)', j.id, d.rootname), 'it wrote no event that its rows are there'
        FROM jobs j JOIN datasets d ON d.id = j.dataset_id
        WHERE j.stage IN ('ingest-raw', 'ingest-products') AND j.state = 'done'
        AND NOT EXISTS (SELECT 1 FROM events e WHERE e.job_id = j.id AND
          e.name = 'dataset.ingested')
    """,
    "an event has its place in the feed": """
        SELECT format('event %s (%s)', id, name), 'it has had none for an hour'
        FROM events WHERE sequence IS NULL AND at < now() - interval '1 hour'
    """,
    "a done job of a monitor has its run": """
        SELECT format('job %s (%s)', j.id, j.monitor), 'no run of the monitor is recorded'
        FROM jobs j WHERE j.stage = 'monitor' AND j.state = 'done'
        AND NOT EXISTS (SELECT 1 FROM monitor_runs r WHERE r.job_id = j.id)
    """,
    "one file of a kind is shown of each rootname": """
        SELECT format('%s_%s', rootname, suffix), format('%s files are shown', count(*))
        FROM files WHERE shown AND rootname IS NOT NULL GROUP BY rootname,
          suffix HAVING count(*) > 1
    """,
    "one value of a monitor has each key": """
        SELECT format('%s: %s', monitor, key), format('%s values of %s', count(*), quantity)
        FROM monitor_values GROUP BY monitor, key, quantity HAVING count(*) > 1
    """,
    "numbers by state are those of the tables": """
        SELECT concat_ws(' ', stage, state),
          format('%s are counted, and there are %s', coalesce(kept, 0), coalesce(real, 0))
        FROM (SELECT coalesce(stage, 'datasets') AS stage, state, sum(number) AS kept
          FROM state_counts GROUP BY 1, 2) AS k
        FULL JOIN (SELECT stage, state, count(*) AS real FROM jobs GROUP BY 1, 2
          UNION ALL SELECT 'datasets', state, count(*) FROM datasets GROUP BY 2) AS r
        USING (stage, state)
        WHERE coalesce(kept, 0) <> coalesce(real, 0)
    """,
}
"""Name of an invariant to the query for its violations: subject and what is wrong."""

_PREFERRED = """
    SELECT format('%s', t.rootname), format('%s files have preferred rows in {table}',
      count(DISTINCT t.file_id))
    FROM {table} t WHERE t.preferred GROUP BY t.rootname HAVING count(DISTINCT t.file_id) > 1
"""
_DOUBTFUL = """
    SELECT DISTINCT format('%s', f.name), 
      '{column} in {table} is no time of COS, and is not flagged'
    FROM {table} JOIN files f ON f.id = {table}.file_id
    WHERE f.shown AND f.ingested_at < now() - interval '1 hour' AND NOT coalesce({believed}, true)
    AND NOT EXISTS (SELECT 1 FROM doubtful_times d WHERE d.file_id = f.id)
"""


def _of_tables(dialect: Dialect) -> Iterator[tuple[str, str]]:
    """Yield the invariants that each science table must fulfil."""
    for table, model in SCIENCE_TABLES.items():
        if model.preferred_by == "rootname":
            yield "rows of one file are preferred of each rootname", _PREFERRED.format(table=table)
        for column in moments_of(model):
            literal = {"literal_binds": True}
            believed = str(believed_time(column).compile(dialect=dialect, compile_kwargs=literal))
            query = _DOUBTFUL.format(table=table, column=column.name, believed=believed)
            yield "times are plausible, or flagged", query


async def check_database(session: AsyncSession) -> list[Violation]:
    """Look for violations in the database, at most a hundred of each invariant and table.

    Parameters
    ----------
    session
        Session of a transaction that sees one state of the database.
    """
    found = []
    for name, query in [*INVARIANTS.items(), *_of_tables(session.get_bind().dialect)]:
        rows = await session.execute(text(f"{query} LIMIT {_MOST}"))
        found += [Violation(name, str(subject), str(message)) for subject, message in rows]
    return found
