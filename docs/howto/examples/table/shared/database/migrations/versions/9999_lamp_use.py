"""Lamps of exposures.

Revision ID: 9999
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "lamp_use",
        sa.Column("expstart", sa.Double(), comment="EXPSTART: start of the exposure, MJD UTC [d]"),
        sa.Column("lamp", sa.String(), comment="LAMPUSED: lamp that was lit"),
        sa.Column("current", sa.String(), comment="LAMPSET: its current"),
        sa.Column("exptime", sa.Double(), comment="EXPTIME [s]"),
        sa.Column(
            "id",
            sa.BigInteger(),
            nullable=False,
            comment="Key of the row, made of its file's key and its number in the file",
        ),
        sa.Column(
            "rootname",
            sa.String(),
            nullable=False,
            comment="Rootname of the exposure or product",
        ),
        sa.Column(
            "file_id",
            sa.BigInteger(),
            nullable=False,
            comment="File that the row was measured from",
        ),
        sa.ForeignKeyConstraint(
            ["file_id"], ["files.id"], name=op.f("fk_lamp_use_file_id_files"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lamp_use")),
    )
    op.create_index(op.f("ix_lamp_use_file_id"), "lamp_use", ["file_id"])
    op.create_index(op.f("ix_lamp_use_rootname"), "lamp_use", ["rootname"])


def downgrade() -> None:
    """Undo this revision."""
    op.drop_table("lamp_use")
