"""Signs of life of the worker processes.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "workers",
        sa.Column("name", sa.String(), nullable=False, comment="Name of the process among all"),
        sa.Column("service", sa.String(), nullable=False, comment="Service that it belongs to"),
        sa.Column(
            "seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it last signed"
        ),
        sa.Column(
            "paused", sa.String(), comment="Trouble of its environment, for which it takes no jobs"
        ),
        sa.Column("fault", sa.String(), comment="Why it cannot take jobs"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )


def downgrade() -> None:
    """Undo this revision."""
    op.drop_table("workers")
