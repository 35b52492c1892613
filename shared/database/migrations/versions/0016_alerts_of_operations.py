"""Alerts about the system itself belong to no run of a monitor.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.alter_column(
        "alerts",
        "run_id",
        existing_type=sa.BigInteger(),
        nullable=True,
        comment="Run of the monitor that found it last",
    )
    op.alter_column(
        "alerts",
        "monitor",
        existing_type=sa.String(),
        existing_nullable=False,
        comment="Monitor, or operations where it is about the system itself",
    )


def downgrade() -> None:
    """Undo this revision; alerts about the system itself are removed."""
    op.execute("DELETE FROM alerts WHERE run_id IS NULL")
    op.alter_column(
        "alerts", "monitor", existing_type=sa.String(), existing_nullable=False, comment=None
    )
    op.alter_column("alerts", "run_id", existing_type=sa.BigInteger(), nullable=False, comment=None)
