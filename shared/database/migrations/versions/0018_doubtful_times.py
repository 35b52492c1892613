"""Flags of rows whose times are no times of COS.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TEXTS = {
    "rootname": "Rootname of the file; null where it has none",
    "name": "Name of the file",
    "table_name": "Table that the rows are in",
    "column_name": "Column that has the times",
}
_TIMES = {
    "least": "Least of these times, in the unit of the column",
    "largest": "Largest of these times, in the unit of the column",
}


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "doubtful_times",
        sa.Column(
            "id",
            sa.BigInteger(),
            primary_key=True,
            comment="Key of the row, made of file and column",
        ),
        sa.Column(
            "file_id",
            sa.BigInteger(),
            nullable=False,
            comment="File that the rows were measured from",
        ),
        *(
            sa.Column(name, sa.String(), nullable=True, comment=comment)
            for name, comment in _TEXTS.items()
        ),
        sa.Column("number", sa.BigInteger(), nullable=True, comment="Rows with such times"),
        *(
            sa.Column(name, sa.Double(), nullable=True, comment=comment)
            for name, comment in _TIMES.items()
        ),
        sa.ForeignKeyConstraint(
            ["file_id"],
            ["files.id"],
            name=op.f("fk_doubtful_times_file_id_files"),
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_doubtful_times_file_id", "doubtful_times", ["file_id"])


def downgrade() -> None:
    """Undo this revision."""
    op.drop_table("doubtful_times")
