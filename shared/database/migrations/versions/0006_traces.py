"""Traces of jobs.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    comment = "Shared with the jobs that it comes from and those that it causes"
    op.add_column(
        "jobs", sa.Column("trace", sa.String(), nullable=False, server_default="", comment=comment)
    )
    op.alter_column("jobs", "trace", server_default=None)


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("jobs", "trace")
