"""Find the versions of a schedule report.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_index("ix_sms_sms_id_version", "sms", ["sms_id", "version"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index("ix_sms_sms_id_version", "sms")
