"""Every run is recorded, failed ones too.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BY_NAME = """
UPDATE runs SET "references" = (
    SELECT coalesce(jsonb_object_agg(value->>'name', value - 'name'), '{}') FROM jsonb_each("references")
)
"""
_SEEDS = """
UPDATE runs SET randseeds = (
    SELECT coalesce(jsonb_object_agg(key, randseed), '{}') FROM jsonb_object_keys(switches) AS key
)
"""

_COMMENTS = {
    "current": (None, "Its products are the ones readers see"),
    "path": (
        "Folder of the products in the store",
        "Folder of the products in the store; null for a failed run",
    ),
    "references": (
        "Keyword to file name and SHA-256",
        "Reference file name to keyword and SHA-256",
    ),
    "switches": (None, "Raw file name to switches"),
    "exit_status": (None, "What CalCOS returned; null if it did not return"),
}


def upgrade() -> None:
    """Apply this revision."""
    attempt = "Number of the job's attempt that it belongs to"
    op.add_column("runs", sa.Column("attempt", sa.Integer(), nullable=True, comment=attempt))
    op.execute("UPDATE runs SET attempt = jobs.attempts FROM jobs WHERE jobs.id = runs.job_id")
    op.alter_column("runs", "attempt", nullable=False)
    op.add_column(
        "runs", sa.Column("signal", sa.String(), nullable=True, comment="Signal that ended it")
    )
    error = "Why it failed; null for a good run"
    op.add_column("runs", sa.Column("error", sa.String(), nullable=True, comment=error))
    seeds = sa.Column(
        "randseeds", postgresql.JSONB(), nullable=True, comment="Raw file name to RANDSEED"
    )
    op.add_column("runs", seeds)
    op.execute(_SEEDS)
    op.alter_column("runs", "randseeds", nullable=False)
    op.drop_column("runs", "randseed")
    op.execute(_BY_NAME)
    op.alter_column("runs", "path", nullable=True)
    op.alter_column("runs", "exit_status", nullable=True)
    for name, (_, new) in _COMMENTS.items():
        op.alter_column("runs", name, comment=new)


def downgrade() -> None:
    """Take this revision back; what it alone can hold is lost."""
    for name, (old, _) in _COMMENTS.items():
        op.alter_column("runs", name, comment=old)
    op.execute("DELETE FROM runs WHERE path IS NULL OR exit_status IS NULL")
    op.alter_column("runs", "exit_status", nullable=False)
    op.alter_column("runs", "path", nullable=False)
    op.execute(
        """UPDATE runs SET "references" = (
        SELECT coalesce(jsonb_object_agg(value->>'keyword', value || jsonb_build_object('name', key)), '{}')
        FROM jsonb_each("references"))"""
    )
    op.add_column("runs", sa.Column("randseed", sa.Integer(), nullable=False, server_default="1"))
    op.alter_column("runs", "randseed", server_default=None)
    for name in ("randseeds", "error", "signal", "attempt"):
        op.drop_column("runs", name)
