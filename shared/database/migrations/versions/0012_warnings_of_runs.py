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
    """Apply this revision; runs of before were not looked at."""
    op.add_column("runs", sa.Column("warnings", JSONB(), nullable=False, server_default="[]", comment=_COMMENT))
    op.alter_column("runs", "warnings", server_default=None)


def downgrade() -> None:
    """Undo this revision."""
    op.drop_column("runs", "warnings")
