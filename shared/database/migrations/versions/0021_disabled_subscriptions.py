"""Subscriptions that fail again and again are disabled, and say why.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.add_column(
        "subscriptions",
        sa.Column(
            "failures",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Failed attempts in succession",
        ),
    )
    op.add_column(
        "subscriptions",
        sa.Column("last_error", sa.String(), nullable=True, comment="Why an attempt failed last"),
    )
    op.add_column(
        "subscriptions",
        sa.Column(
            "disabled_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was disabled, having failed too often",
        ),
    )


def downgrade() -> None:
    """Undo this revision."""
    for column in ("disabled_at", "last_error", "failures"):
        op.drop_column("subscriptions", column)
