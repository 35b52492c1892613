"""Warnings that every run carries, default ones too.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COMMENT = "Where the run is not what its headers say"


def upgrade() -> None:
    """Apply this revision; of runs of before, only those with a recipe were looked at."""
    op.add_column(
        "runs",
        sa.Column("warnings", JSONB(), nullable=False, server_default="[]", comment=_COMMENT),
    )
    op.execute(
        "UPDATE runs SET warnings = c.warnings FROM calibrations AS c WHERE c.run_id = runs.id"
    )
    op.alter_column("runs", "warnings", server_default=None)


def downgrade() -> None:
    """Undo this revision."""
    op.drop_column("runs", "warnings")
