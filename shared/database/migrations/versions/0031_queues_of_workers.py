"""Queues that each worker process works on.

Revision ID: 0031
Revises: 0030
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.add_column(
        "workers",
        sa.Column(
            "queues",
            postgresql.JSONB(),
            server_default="[]",
            nullable=False,
            comment="Names of the queues that it works on",
        ),
    )


def downgrade() -> None:
    """Undo this revision."""
    op.drop_column("workers", "queues")
