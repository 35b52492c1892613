"""Pictures of figures are drawn when they are asked for.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.drop_column("monitor_figures", "png")


def downgrade() -> None:
    """Undo this revision; the next runs draw the pictures."""
    op.add_column(
        "monitor_figures", sa.Column("png", sa.LargeBinary(), nullable=True, comment="Picture")
    )
