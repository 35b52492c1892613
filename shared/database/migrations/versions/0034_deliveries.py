"""Sources of datasets, checksums that they list, and deliveries that calibrate as earlier ones.

Revision ID: 0034
Revises: 0033
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.add_column(
        "source_files",
        sa.Column(
            "md5",
            sa.String(),
            server_default="",
            nullable=False,
            comment="MD5 that the source lists, hexadecimal; empty if it lists none",
        ),
    )
    op.add_column(
        "datasets",
        sa.Column("source", sa.String(), comment="URL of the source that it comes from"),
    )
    op.add_column(
        "files",
        sa.Column(
            "calibrates_as",
            sa.String(),
            comment="Checksum of the earlier delivery that calibration takes a raw file for, where "
            "it reads the same of both",
        ),
    )


def downgrade() -> None:
    """Undo this revision."""
    op.drop_column("files", "calibrates_as")
    op.drop_column("datasets", "source")
    op.drop_column("source_files", "md5")
