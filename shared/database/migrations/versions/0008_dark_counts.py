"""Dark counts by superpixel, parts of monitors that are kept between runs, and figures that are drawn by them.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "dark_counts",
        sa.Column("detector", sa.String(), nullable=True, comment="FUVA, FUVB or NUV"),
        sa.Column("mjd", sa.Double(), nullable=True, comment="EXPSTART: start, MJD UTC [d]"),
        sa.Column("exposure", sa.Double(), nullable=True, comment="Good time [s]"),
        sa.Column(
            "hvlevel", sa.BigInteger(), nullable=True, comment="HVLEVELA or HVLEVELB; null for NUV"
        ),
        sa.Column(
            "counts",
            sa.BigInteger(),
            nullable=True,
            comment="Events of any pulse height, in the active area (FUV) or anywhere [count]",
        ),
        sa.Column(
            "content",
            sa.LargeBinary(),
            nullable=False,
            comment="Counts by cell: ((y / 2) * 2048 + x / 8) * 32 + pulse height; gaps between the cells that have "
            "any, then counts, each 32 bits little-endian, as byte planes, deflated",
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
            ["file_id"], ["files.id"], name=op.f("fk_dark_counts_file_id_files"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dark_counts")),
    )
    # It is deflated already.
    op.execute("ALTER TABLE dark_counts ALTER COLUMN content SET STORAGE EXTERNAL")
    op.create_index(op.f("ix_dark_counts_file_id"), "dark_counts", ["file_id"], unique=False)
    op.create_index("ix_dark_counts_mjd", "dark_counts", ["detector", "mjd"], unique=False)
    op.create_index(op.f("ix_dark_counts_rootname"), "dark_counts", ["rootname"], unique=False)
    op.create_table(
        "monitor_parts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("monitor", sa.String(), nullable=False),
        sa.Column(
            "key", sa.String(), nullable=False, comment="Which part, e.g. a segment and a period"
        ),
        sa.Column(
            "inputs", sa.String(), nullable=False, comment="Digest of the inputs that it reflects"
        ),
        sa.Column("content", postgresql.JSONB(), nullable=False, comment="What was found"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_monitor_parts")),
        sa.UniqueConstraint("monitor", "key", name=op.f("uq_monitor_parts_monitor")),
    )
    for name, meaning in (("plotly", "Plotly JSON, gzipped"), ("png", "Picture")):
        op.add_column(
            "monitor_figures", sa.Column(name, sa.LargeBinary(), nullable=True, comment=meaning)
        )
        op.execute(f"ALTER TABLE monitor_figures ALTER COLUMN {name} SET STORAGE EXTERNAL")
    op.create_index(
        "ix_monitor_values_monitor_id", "monitor_values", ["monitor", "id"], unique=False
    )
    op.create_index(
        "ix_events_of_monitors",
        "events",
        ["id"],
        unique=False,
        postgresql_where=sa.text("monitor IS NOT NULL"),
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index("ix_events_of_monitors", table_name="events")
    op.drop_index("ix_monitor_values_monitor_id", table_name="monitor_values")
    for name in ("png", "plotly"):
        op.drop_column("monitor_figures", name)
    op.drop_table("monitor_parts")
    op.drop_table("dark_counts")
