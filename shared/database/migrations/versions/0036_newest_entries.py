"""Index of what was put into the archive last.

Revision ID: 0036
Revises: 0035
"""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_index("ix_catalogue_entries_archived", "catalogue_entries", ["archived"])


def downgrade() -> None:
    """Undo this revision."""
    op.drop_index("ix_catalogue_entries_archived", "catalogue_entries")
