"""Uploaded reference files.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "uploaded_references",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column(
            "name", sa.String(), nullable=False, comment="File name, by which recipes name it"
        ),
        sa.Column(
            "keyword", sa.String(), nullable=False, comment="Reference keyword that it is for"
        ),
        sa.Column(
            "calcos_version",
            sa.String(),
            nullable=False,
            comment="VCALCOS: oldest CalCOS that reads it",
        ),
        sa.Column("description", sa.String(), nullable=False, comment="DESCRIP of the file"),
        sa.Column("pedigree", sa.String(), nullable=False, comment="PEDIGREE of the file"),
        sa.Column("path", sa.String(), nullable=False, comment="Folder in the store"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="Bytes"),
        sa.Column("sha256", sa.String(), nullable=False, comment="Checksum of the plain file"),
        sa.Column("uploaded_by", sa.String(), nullable=False, comment="Name of the token"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploaded_references")),
        sa.UniqueConstraint("name", name=op.f("uq_uploaded_references_name")),
    )
    op.create_index(op.f("ix_uploaded_references_keyword"), "uploaded_references", ["keyword"])


def downgrade() -> None:
    """Take this revision back; what was uploaded stays in the store and is found no more."""
    op.drop_table("uploaded_references")
