"""Recalibrations.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ORIGIN = (
    "raw or product",
    "raw, product, or extra: what a recalibration leaves beside its products",
)


def upgrade() -> None:
    """Apply this revision."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "calibrations",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("dataset_id", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=True,
            comment="Its good run; null before that and for a rehearsal",
        ),
        sa.Column(
            "recipe", postgresql.JSONB(), nullable=False, comment="Recipe, in its canonical form"
        ),
        sa.Column("dry_run", sa.Boolean(), nullable=False, comment="Only lists the changes"),
        sa.Column("requested_by", sa.String(), nullable=False, comment="Name of the token"),
        sa.Column(
            "changes",
            postgresql.JSONB(),
            nullable=False,
            comment="Exact changes to headers and tables",
        ),
        sa.Column(
            "references",
            postgresql.JSONB(),
            nullable=False,
            comment="Reference file name to keyword and SHA-256",
        ),
        sa.Column(
            "warnings",
            postgresql.JSONB(),
            nullable=False,
            comment="Where the run is not what it seems",
        ),
        sa.Column("created_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "promoted_at", time, nullable=True, comment="When its products became the current ones"
        ),
        sa.Column("promoted_by", sa.String(), nullable=True, comment="Name of the token"),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
            name=op.f("fk_calibrations_dataset_id_datasets"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_calibrations_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_calibrations_run_id_runs"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibrations")),
        sa.UniqueConstraint("job_id", name=op.f("uq_calibrations_job_id")),
    )
    op.create_index(op.f("ix_calibrations_dataset_id"), "calibrations", ["dataset_id"])
    op.create_index(op.f("ix_calibrations_requested_by"), "calibrations", ["requested_by"])
    op.alter_column("files", "origin", existing_comment=_ORIGIN[0], comment=_ORIGIN[1])


def downgrade() -> None:
    """Take this revision back; recalibrations are lost."""
    op.drop_table("calibrations")
    op.execute("DELETE FROM jobs WHERE stage = 'recalibrate'")
    op.alter_column("files", "origin", existing_comment=_ORIGIN[1], comment=_ORIGIN[0])
