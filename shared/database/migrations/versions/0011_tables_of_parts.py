"""Tables that monitors keep of parts of their inputs.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COMMENT = "Tables that were found: for each a stream of Arrow, which has its name as metadata"


def upgrade() -> None:
    """Apply this revision."""
    op.add_column(
        "monitor_parts", sa.Column("tables", sa.LargeBinary(), nullable=True, comment=_COMMENT)
    )
    # To unpack it would take as long as to read it.
    op.execute("ALTER TABLE monitor_parts ALTER COLUMN tables SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Undo this revision."""
    op.drop_column("monitor_parts", "tables")
