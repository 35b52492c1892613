"""Peak rates and good times of exposures by segment, and the rates of stripes.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_STRIPES = {
    "gross_a": "Counts in the box of segment or stripe A: sum of GROSS [count / s]",
    "gross_b": "Counts in the box of segment or stripe B [count / s]",
    "gross_c": "Counts in the box of stripe C [count / s]",
}


def upgrade() -> None:
    """Apply this revision; what was ingested before has none of it until it is ingested again."""
    op.create_table(
        "event_rates",
        sa.Column("segment", sa.String(), nullable=True, comment="FUVA, FUVB or NUV"),
        sa.Column("expstart", sa.Double(), nullable=True, comment="EXPSTART: start, MJD UTC [d]"),
        sa.Column("exptime", sa.Double(), nullable=True, comment="EXPTIME of the segment [s]"),
        sa.Column(
            "good_time", sa.Double(), nullable=True, comment="Sum of the good time intervals [s]"
        ),
        sa.Column(
            "intervals", sa.BigInteger(), nullable=True, comment="Number of the good time intervals"
        ),
        sa.Column(
            "raw_time",
            sa.Double(),
            nullable=True,
            comment="Sum of the good time intervals of the raw file [s]",
        ),
        sa.Column(
            "raw_intervals",
            sa.BigInteger(),
            nullable=True,
            comment="Number of the good time intervals of the raw file",
        ),
        sa.Column(
            "second_counts",
            sa.BigInteger(),
            nullable=True,
            comment="Events in the brightest second; null for ACCUM [count]",
        ),
        sa.Column(
            "second_start",
            sa.Double(),
            nullable=True,
            comment="Start of the brightest second since EXPSTART [s]",
        ),
        sa.Column(
            "local_rate",
            sa.Double(),
            nullable=True,
            comment="Largest count rate of a place in good time: 2 by 2 pixels of the FUV, a pixel of the NUV "
            "[count / (s pix)]",
        ),
        sa.Column(
            "local_counts", sa.BigInteger(), nullable=True, comment="Events at that place [count]"
        ),
        sa.Column(
            "local_x",
            sa.Double(),
            nullable=True,
            comment="Centre of that place along dispersion [pix]",
        ),
        sa.Column(
            "local_y",
            sa.Double(),
            nullable=True,
            comment="Centre of that place across dispersion [pix]",
        ),
        sa.Column(
            "id",
            sa.BigInteger(),
            nullable=False,
            comment="Key of the row, made of its file's key and its number in the file",
        ),
        sa.Column(
            "rootname", sa.String(), nullable=False, comment="Rootname of the exposure or product"
        ),
        sa.Column(
            "file_id",
            sa.BigInteger(),
            nullable=False,
            comment="File that the row was measured from",
        ),
        sa.ForeignKeyConstraint(
            ["file_id"], ["files.id"], name=op.f("fk_event_rates_file_id_files"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_rates")),
    )
    op.create_index(op.f("ix_event_rates_file_id"), "event_rates", ["file_id"], unique=False)
    op.create_index(op.f("ix_event_rates_rootname"), "event_rates", ["rootname"], unique=False)
    for name, comment in _STRIPES.items():
        op.add_column("data", sa.Column(name, sa.Double(), nullable=True, comment=comment))


def downgrade() -> None:
    """Take this revision back."""
    for name in _STRIPES:
        op.drop_column("data", name)
    op.drop_table("event_rates")
