"""What could not be read of a file.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_COMMENT = "What could not be read of it when its science rows were written"


def upgrade() -> None:
    """Apply this revision; what was wrong with files of before is known when they are ingested again."""
    op.add_column(
        "files",
        sa.Column("problems", JSONB(), nullable=False, server_default="[]", comment=_COMMENT),
    )
    op.alter_column("files", "problems", server_default=None)


def downgrade() -> None:
    """Undo this revision."""
    op.drop_column("files", "problems")
