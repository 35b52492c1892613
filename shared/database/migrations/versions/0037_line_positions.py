"""Positions of spectral lines.

Revision ID: 0037
Revises: 0036
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "line_positions",
        sa.Column("date", sa.Double(), comment="EXPSTART of the exposure, MJD UTC [d]"),
        sa.Column("proposid", sa.BigInteger(), comment="PROPOSID: proposal"),
        sa.Column("detector", sa.String(), comment="DETECTOR"),
        sa.Column("segment", sa.String(), comment="Segment or stripe"),
        sa.Column("opt_elem", sa.String(), comment="OPT_ELEM"),
        sa.Column("cenwave", sa.BigInteger(), comment="CENWAVE [Angstrom]"),
        sa.Column("fppos", sa.BigInteger(), comment="FPPOS"),
        sa.Column(
            "life_adj", sa.BigInteger(), comment="LIFE_ADJ: lifetime position; -1 is non-standard"
        ),
        sa.Column("aperture", sa.String(), comment="APERTURE of a target; WCA of the lamp"),
        sa.Column("source", sa.String(), comment="lamp, or TARGNAME"),
        sa.Column("catalogue", sa.Double(), comment="Wavelength that the line list has [Angstrom]"),
        sa.Column(
            "measured",
            sa.Double(),
            comment="Wavelength at which the line lies; of several flashes the "
            "mean by their counts [Angstrom]",
        ),
        sa.Column(
            "error", sa.Double(), comment="One-sigma error of measured, by the counts [Angstrom]"
        ),
        sa.Column("dispersion", sa.Double(), comment="Wavelength per pixel there [Angstrom / pix]"),
        sa.Column("position", sa.Double(), comment="Where it lies in the spectrum, from 0 [pix]"),
        sa.Column(
            "counts",
            sa.Double(),
            comment="Counts of the line above the continuum, or that it lacks below it [count]",
        ),
        sa.Column("disptab", sa.String(), comment="DISPTAB: dispersion relation"),
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
            ["file_id"],
            ["files.id"],
            name=op.f("fk_line_positions_file_id_files"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line_positions")),
    )
    op.create_index(op.f("ix_line_positions_file_id"), "line_positions", ["file_id"])
    op.create_index(op.f("ix_line_positions_rootname"), "line_positions", ["rootname"])
    op.create_index("ix_line_positions_setting", "line_positions", ["opt_elem", "cenwave", "date"])


def downgrade() -> None:
    """Undo this revision."""
    op.drop_table("line_positions")
