"""Events have a place in the feed, beside an id that may become visible late.

Those that there are keep the order of their ids.

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(sa.schema.CreateSequence(sa.Sequence("events_sequence", data_type=sa.BigInteger)))
    op.add_column(
        "events",
        sa.Column(
            "sequence",
            sa.BigInteger(),
            nullable=True,
            comment="Place in the feed, in the order of commits; null until the sequencer has "
            "given it",
        ),
    )
    op.drop_index("ix_events_name_id", table_name="events")
    op.drop_index("ix_events_of_monitors", table_name="events")
    op.execute("UPDATE events SET sequence = id")
    # As ids went on behind events that were deleted.
    op.execute(
        "SELECT setval('events_sequence', last_value, is_called) FROM "
        "(SELECT last_value, is_called FROM events_id_seq) AS ids"
    )
    op.create_index(
        "ix_events_sequence",
        "events",
        ["sequence"],
        unique=True,
        postgresql_where=sa.text("sequence IS NOT NULL"),
    )
    op.create_index("ix_events_name_sequence", "events", ["name", "sequence"])
    op.create_index(
        "ix_events_of_monitors",
        "events",
        ["sequence"],
        postgresql_where=sa.text("monitor IS NOT NULL"),
    )
    op.create_index(
        "ix_events_unplaced", "events", ["id"], postgresql_where=sa.text("sequence IS NULL")
    )


def downgrade() -> None:
    """Undo this revision."""
    for name in ("unplaced", "of_monitors", "name_sequence", "sequence"):
        op.drop_index(f"ix_events_{name}", table_name="events")
    op.create_index("ix_events_name_id", "events", ["name", "id"])
    op.create_index(
        "ix_events_of_monitors", "events", ["id"], postgresql_where=sa.text("monitor IS NOT NULL")
    )
    op.drop_column("events", "sequence")
    op.execute("DROP SEQUENCE events_sequence")
