"""Products as the archive hands them out are a generation of their own.

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision; every run that there is was of CalCOS here."""
    op.add_column(
        "runs",
        sa.Column(
            "kind",
            sa.String(),
            nullable=False,
            server_default="calcos",
            comment="calcos: a run here; archive: products as the archive hands them out",
        ),
    )
    op.add_column(
        "runs",
        sa.Column(
            "provenance",
            postgresql.JSONB(),
            nullable=False,
            server_default="{}",
            comment="Of the archive's products: file name to what its header says of how it was made",
        ),
    )
    for column in ("kind", "provenance"):
        op.alter_column("runs", column, server_default=None)
    op.alter_column(
        "runs",
        "job_id",
        existing_type=sa.BigInteger(),
        nullable=True,
        comment="Null for products that somebody added",
    )


def downgrade() -> None:
    """Undo this revision; what the archive made is removed."""
    op.execute("DELETE FROM runs WHERE kind = 'archive'")
    op.alter_column(
        "runs",
        "job_id",
        existing_type=sa.BigInteger(),
        nullable=False,
        comment=None,
        existing_comment="Null for products that somebody added",
    )
    op.drop_column("runs", "provenance")
    op.drop_column("runs", "kind")
