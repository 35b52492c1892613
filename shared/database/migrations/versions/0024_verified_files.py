"""When a stored file was last read and found as it must be.

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.add_column(
        "files",
        sa.Column(
            "verified_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When its bytes in the store were last as they must be",
        ),
    )


def downgrade() -> None:
    """Undo this revision."""
    op.drop_column("files", "verified_at")
