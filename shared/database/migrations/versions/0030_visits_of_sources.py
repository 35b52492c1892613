"""Visits of a source, the files of which are grouped into datasets together.

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_FILES, _VISITS = "source_files", "source_visits"


def upgrade() -> None:
    """Apply this revision."""
    op.add_column(
        _FILES,
        sa.Column(
            "visit",
            sa.String(),
            server_default="",
            nullable=False,
            comment="Key of `source_visits`, with whose files it is grouped",
        ),
    )
    op.add_column(
        _FILES,
        sa.Column(
            "present",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="The source has it, and its header was read",
        ),
    )
    op.add_column(
        _FILES,
        sa.Column(
            "listed",
            postgresql.JSONB(none_as_null=True),
            nullable=True,
            comment="Its identity, size and time in the source where its header is to be read",
        ),
    )
    op.create_index("ix_source_files_visit", _FILES, ["source", "visit"])
    op.create_index(
        "ix_source_files_listed",
        _FILES,
        ["id"],
        postgresql_where=sa.text("listed IS NOT NULL"),
    )
    jsonb = postgresql.JSONB()
    op.create_table(
        _VISITS,
        sa.Column("source", sa.String(), nullable=False, comment="URL of the source"),
        sa.Column(
            "visit", sa.String(), nullable=False, comment="First characters of the rootnames"
        ),
        sa.Column(
            "pending",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="Number of changes that its datasets do not show",
        ),
        sa.Column(
            "rules",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Version of the rules by which its datasets were made",
        ),
        sa.Column(
            "links",
            jsonb,
            server_default="[]",
            nullable=False,
            comment="Other visits that the headers of its files name",
        ),
        sa.Column(
            "files",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Number of its input files",
        ),
        sa.Column(
            "datasets",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Number of its datasets",
        ),
        sa.Column(
            "left_aside",
            jsonb,
            server_default="{}",
            nullable=False,
            comment="Files in no dataset: their number and some names, by the reason",
        ),
        sa.Column(
            "references",
            jsonb,
            server_default="{}",
            nullable=False,
            comment="SHA-256 of the reference files that its headers name: null for one that is "
            "not there, empty where nobody looked",
        ),
        sa.PrimaryKeyConstraint("source", "visit", name=op.f("pk_source_visits")),
    )
    op.create_index(
        "ix_source_visits_pending",
        _VISITS,
        ["source", "visit"],
        postgresql_where=sa.text("pending > 0"),
    )
    op.create_index(
        "ix_source_visits_links",
        _VISITS,
        ["source", "visit"],
        postgresql_where=sa.text("links <> '[]'"),
    )
    # The next scan reads every header again, and so finds the visit of each file.
    op.execute("UPDATE source_files SET facts = facts - 'version'")


def downgrade() -> None:
    """Undo this revision."""
    op.drop_table(_VISITS)
    op.drop_index("ix_source_files_listed", table_name=_FILES)
    op.drop_index("ix_source_files_visit", table_name=_FILES)
    for column in ("listed", "present", "visit"):
        op.drop_column(_FILES, column)
