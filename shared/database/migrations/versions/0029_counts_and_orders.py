"""Numbers by state that triggers keep, and indexes of lists and of the feed of the queues.

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_COUNT_JOB = """
CREATE FUNCTION count_state_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO state_counts (stage, queue, state, number)
    VALUES (OLD.stage, OLD.queue, OLD.state, -1);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO state_counts (stage, queue, state, number)
    VALUES (NEW.stage, NEW.queue, NEW.state, 1);
  END IF;
  RETURN NULL;
END $$
"""
_COUNT_DATASET = """
CREATE FUNCTION count_state_of_dataset() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO state_counts (state, number) VALUES (OLD.state, -1);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO state_counts (state, number) VALUES (NEW.state, 1);
  END IF;
  RETURN NULL;
END $$
"""
_TRIGGERS = (
    "CREATE TRIGGER count_new_and_old AFTER INSERT OR DELETE ON {table} "
    "FOR EACH ROW EXECUTE FUNCTION {function}()",
    "CREATE TRIGGER count_changed AFTER UPDATE ON {table} "
    "FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION {function}()",
)
_COUNTED = {
    "datasets": ("count_state_of_dataset", "OLD.state <> NEW.state"),
    "jobs": ("count_state_of_job", "OLD.state <> NEW.state OR OLD.queue <> NEW.queue"),
}
"""Table: function of its triggers, and when a changed row is counted otherwise."""

_INDEXES = {
    "ix_attempts_not_done": ("attempts", ["finished_at"], "outcome IS DISTINCT FROM 'done'"),
    "ix_datasets_changed": ("datasets", ["updated_at", "id"], None),
    "ix_datasets_state_changed": ("datasets", ["state", "updated_at", "id"], None),
    "ix_datasets_kind_changed": ("datasets", ["kind", "updated_at", "id"], None),
    "ix_headers_expend": ("headers", ["expend"], None),
    "ix_jobs_unsent": ("jobs", ["queue", "id"], "state = 'queued' AND sent_at IS NULL"),
    "ix_jobs_sent": ("jobs", ["queue", "id"], "state = 'queued' AND sent_at IS NOT NULL"),
    "ix_jobs_without_result": (
        "jobs",
        ["state", "id"],
        "state IN ('failed', 'skipped', 'dropped', 'superseded')",
    ),
    "ix_jobs_of_monitors": (
        "jobs",
        ["monitor"],
        "monitor IS NOT NULL AND state NOT IN ('dropped', 'superseded')",
    ),
    "ix_jobs_queue_id": ("jobs", ["queue", "id"], None),
    "ix_jobs_error_kind": ("jobs", ["error_kind", "id"], "error_kind IS NOT NULL"),
    "ix_monitor_runs_result": (
        "monitor_runs",
        ["monitor", "id"],
        "outcome <> 'no_new_data'",
    ),
}
"""Name: table, columns and condition."""


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "state_counts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column(
            "stage", sa.String(), nullable=True, comment="Stage of the jobs; null for datasets"
        ),
        sa.Column(
            "queue", sa.String(), nullable=True, comment="Queue of the jobs; null for datasets"
        ),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="How many more, or fewer"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_state_counts")),
    )
    op.execute(_COUNT_JOB)
    op.execute(_COUNT_DATASET)
    for table, (function, changed) in _COUNTED.items():
        for trigger in _TRIGGERS:
            op.execute(trigger.format(table=table, function=function, changed=changed))
    op.execute(
        "INSERT INTO state_counts (state, number) SELECT state, count(*) FROM datasets GROUP BY 1"
    )
    op.execute(
        "INSERT INTO state_counts (stage, queue, state, number) "
        "SELECT stage, queue, state, count(*) FROM jobs GROUP BY 1, 2, 3"
    )
    op.drop_index("ix_datasets_state", "datasets")
    op.drop_index("ix_jobs_failed", "jobs")
    for name, (table, columns, condition) in _INDEXES.items():
        where = sa.text(condition) if condition else None
        op.create_index(name, table, columns, postgresql_where=where)
    op.create_index(
        "ix_datasets_rootname_prefix",
        "datasets",
        ["rootname"],
        postgresql_ops={"rootname": "text_pattern_ops"},
    )


def downgrade() -> None:
    """Undo this revision."""
    op.drop_index("ix_datasets_rootname_prefix", "datasets")
    for name, (table, _, _) in reversed(_INDEXES.items()):
        op.drop_index(name, table)
    op.create_index("ix_jobs_failed", "jobs", ["id"], postgresql_where=sa.text("state = 'failed'"))
    op.create_index("ix_datasets_state", "datasets", ["state"])
    for table, (function, _) in _COUNTED.items():
        op.execute(f"DROP TRIGGER count_changed ON {table}")
        op.execute(f"DROP TRIGGER count_new_and_old ON {table}")
        op.execute(f"DROP FUNCTION {function}()")
    op.drop_table("state_counts")
