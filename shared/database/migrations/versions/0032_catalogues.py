"""What remote archives have, and what is wanted of it.

Revision ID: 0032
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_ENTRIES, _FILES, _LISTINGS = "catalogue_entries", "catalogue_files", "catalogue_listings"
_HEALTH, _SELECTIONS = "catalogue_health", "archive_selections"


def upgrade() -> None:
    """Apply this revision."""
    _create_entries()
    _create_files()
    _create_listings()
    _create_health()
    _create_selections()


def _create_entries() -> None:
    op.create_table(
        _ENTRIES,
        sa.Column("dataset", sa.String(), nullable=False, comment="Rootname, lower case"),
        _text("association", "Rootname of its association, its own name for one, or empty"),
        sa.Column("proposal", sa.Integer()),
        _text("target"),
        sa.Column("ra", sa.Double(), comment="Right ascension"),
        sa.Column("dec", sa.Double(), comment="Declination"),
        _text("configuration", "COS/FUV or COS/NUV; empty where it is not known"),
        _time("start", "Start of the exposure"),
        _time("public_from", "End of the exclusive period"),
        _time("generated", "When the archive's pipeline made its products"),
        _time("archived", "When it was put into the archive"),
        _access(),
        sa.Column(
            "versions",
            postgresql.JSONB(),
            server_default="{}",
            nullable=False,
            comment="Version of the data by the catalogue that says so",
        ),
        sa.Column(
            "delivery",
            sa.Integer(),
            server_default="1",
            nullable=False,
            comment="How often the archive delivered it, as far as was seen",
        ),
        sa.Column(
            "source", sa.String(), nullable=False, comment="Catalogue from which the entry is"
        ),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        _time("missing_since", "When a believed full listing no longer had it"),
        _flag("files_due", "true", "Its files must be listed before it is fetched"),
        _flag("wanted", "false", "A selection asks for it"),
        sa.PrimaryKeyConstraint("dataset", name="pk_catalogue_entries"),
    )
    for column in ("association", "proposal"):
        op.create_index(f"ix_catalogue_entries_{column}", _ENTRIES, [column])
    op.create_index(
        "ix_catalogue_entries_wanted", _ENTRIES, ["dataset"], postgresql_where=sa.text("wanted")
    )
    op.create_index(
        "ix_catalogue_entries_files_due",
        _ENTRIES,
        ["start"],
        postgresql_where=sa.text("wanted AND files_due"),
    )


def _create_files() -> None:
    op.create_table(
        _FILES,
        sa.Column("name", sa.String(), nullable=False, comment="Canonical file name"),
        sa.Column(
            "dataset",
            sa.String(),
            nullable=False,
            comment="Its own, or where there is no such entry the one for which it was listed",
        ),
        sa.Column(
            "uri", sa.String(), nullable=False, comment="The same whichever catalogue lists it"
        ),
        sa.Column("size", sa.BigInteger(), comment="What the catalogue says, which need not be so"),
        _text("md5", "Hexadecimal; empty if not known"),
        _access(),
        _text("version", "Changes when the archive delivers the file again"),
        sa.Column(
            "identity",
            sa.String(),
            nullable=False,
            comment="Changes when the file was delivered again, whichever catalogue lists it",
        ),
        sa.Column("catalogue", sa.String(), nullable=False, comment="Catalogue that listed it"),
        sa.ForeignKeyConstraint(
            ["dataset"],
            ["catalogue_entries.dataset"],
            name="fk_catalogue_files_dataset_catalogue_entries",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("name", name="pk_catalogue_files"),
    )
    op.create_index("ix_catalogue_files_dataset", _FILES, ["dataset"])


def _create_listings() -> None:
    op.create_table(
        _LISTINGS,
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("catalogue", sa.String(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        _count("entries", "Entries that it had"),
        _count("new"),
        _count("changed", "Delivered again"),
        _count("missing", "Entries that were there before and no longer are"),
        sa.Column("error", sa.String(), comment="Why it is not believed"),
        sa.PrimaryKeyConstraint("id", name="pk_catalogue_listings"),
    )
    op.create_index("ix_catalogue_listings_started_at", _LISTINGS, ["started_at"])


def _create_health() -> None:
    op.create_table(
        _HEALTH,
        sa.Column("catalogue", sa.String(), nullable=False),
        sa.Column("last_answer", sa.DateTime(timezone=True)),
        sa.Column("failing_since", sa.DateTime(timezone=True)),
        _time("retry_at", "Not asked before then"),
        sa.Column("error", sa.String()),
        sa.PrimaryKeyConstraint("catalogue", name="pk_catalogue_health"),
    )


def _create_selections() -> None:
    op.create_table(
        _SELECTIONS,
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column(
            "selection",
            postgresql.JSONB(),
            nullable=False,
            comment="Proposals, targets, cone, dates, configuration, or everything",
        ),
        sa.Column("order", sa.String(20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_by",
            sa.String(),
            nullable=False,
            comment="Who asked: a name, or the settings",
        ),
        _time("ended_at", "When it was withdrawn"),
        sa.PrimaryKeyConstraint("id", name="pk_archive_selections"),
    )


def _text(name: str, comment: str | None = None) -> "sa.Column[str]":
    return sa.Column(name, sa.String(), server_default="", nullable=False, comment=comment)


def _time(name: str, comment: str) -> "sa.Column[sa.DateTime]":
    return sa.Column(name, sa.DateTime(timezone=True), comment=comment)


def _flag(name: str, default: str, comment: str) -> "sa.Column[bool]":
    return sa.Column(
        name, sa.Boolean(), server_default=sa.text(default), nullable=False, comment=comment
    )


def _count(name: str, comment: str | None = None) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False, comment=comment)


def _access() -> "sa.Column[str]":
    return sa.Column("access", sa.String(20), server_default="unknown", nullable=False)


def downgrade() -> None:
    """Undo this revision."""
    for table in (_SELECTIONS, _HEALTH, _LISTINGS, _FILES, _ENTRIES):
        op.drop_table(table)
