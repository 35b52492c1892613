"""The state of a dataset, derived from its jobs by Postgres in the statement that changes them.

Revision ID: 0035
Revises: 0034
"""

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_STATES = """
CREATE VIEW derived_states AS
SELECT derived.dataset_id, derived.state, blamed.error AS reason, blamed.stage AS failed_stage,
  blamed.error_kind
FROM (
  SELECT datasets.id AS dataset_id, CASE
    WHEN found.failed THEN 'failed'
    WHEN found.skipped THEN 'skipped'
    WHEN found.running = found.pending
      THEN (ARRAY['fetching', 'calibrating', 'ingesting'])[found.running]
    WHEN found.ingested AND found.pending IS NULL THEN 'ingested'
    WHEN found.calibrated AND coalesce(found.pending, 3) > 2 THEN 'calibrated'
    WHEN found.fetched AND coalesce(found.pending, 3) > 1 THEN 'fetched'
    ELSE 'discovered'
  END AS state
  FROM datasets CROSS JOIN LATERAL (
    SELECT bool_or(state = 'failed') AS failed, bool_or(state = 'skipped') AS skipped,
      bool_or(place = 1) AS fetched, bool_or(place = 2) AS calibrated,
      bool_or(place = 3) AS ingested,
      min(place) FILTER (WHERE state IN ('queued', 'running')) AS pending,
      min(place) FILTER (WHERE state = 'running') AS running
    FROM (
      SELECT state, CASE stage WHEN 'fetch' THEN 1 WHEN 'calibrate' THEN 2 ELSE 3 END AS place
      FROM jobs
      WHERE dataset_id = datasets.id
        AND stage IN ('fetch', 'calibrate', 'ingest-raw', 'ingest-products')
        AND state NOT IN ('superseded', 'dropped')
    ) AS counted
  ) AS found
) AS derived
LEFT JOIN LATERAL (
  SELECT error, stage, error_kind FROM jobs
  WHERE dataset_id = derived.dataset_id
    AND stage IN ('fetch', 'calibrate', 'ingest-raw', 'ingest-products')
    AND derived.state IN ('failed', 'skipped') AND state = derived.state
  ORDER BY id DESC LIMIT 1
) AS blamed ON true
"""
_REFRESH = """
CREATE FUNCTION refresh_state(dataset bigint) RETURNS void LANGUAGE plpgsql STRICT AS $$
BEGIN
  UPDATE datasets SET state = derived.state, reason = derived.reason,
    failed_stage = derived.failed_stage, error_kind = derived.error_kind, updated_at = now()
  FROM derived_states AS derived
  WHERE datasets.id = dataset AND derived.dataset_id = dataset;
END $$
"""


def upgrade() -> None:
    """Apply this revision."""
    op.execute(_STATES)
    op.execute(_REFRESH)


def downgrade() -> None:
    """Undo this revision."""
    op.execute("DROP FUNCTION refresh_state(bigint)")
    op.execute("DROP VIEW derived_states")
