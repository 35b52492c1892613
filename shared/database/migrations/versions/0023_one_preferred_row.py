"""Of each rootname readers see one file of a kind and one row, whatever datasets it belongs to.

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_KINDS = (
    "x1d",
    "corrtag_a",
    "corrtag_b",
    "corrtag",
    "rawtag_a",
    "rawtag_b",
    "rawtag",
    "rawaccum_a",
    "rawaccum_b",
    "rawaccum",
    "rawacq",
)
_UNIQUE = {
    "headers": ["rootname"],
    "quality": ["rootname"],
    "apertures": ["rootname"],
    "high_voltage": ["rootname", "segment"],
    "sms": ["exposure"],
}

_SHOWN = """
    UPDATE files SET shown = false
    FROM (
        SELECT id, row_number() OVER (PARTITION BY rootname, suffix ORDER BY run_id DESC NULLS LAST, id DESC) AS place
        FROM files WHERE shown AND rootname IS NOT NULL
    ) AS ranked
    WHERE files.id = ranked.id AND ranked.place > 1
"""
_PREFERRED = """
    WITH ranked AS (
        SELECT t.id, rank() OVER (PARTITION BY t.rootname ORDER BY array_position(CAST(:kinds AS text[]), f.suffix)) AS rank
        FROM {table} AS t JOIN files AS f ON f.id = t.file_id AND f.rootname = t.rootname
        WHERE f.shown AND f.suffix = ANY(CAST(:kinds AS text[]))
    )
    UPDATE {table} AS marked SET preferred = NOT t.preferred
    FROM {table} AS t LEFT JOIN ranked ON ranked.id = t.id AND ranked.rank = 1
    WHERE marked.id = t.id AND t.preferred != (ranked.id IS NOT NULL)
"""
_SCHEDULES = """
    UPDATE sms SET preferred = false
    FROM (
        SELECT id, row_number() OVER (PARTITION BY exposure ORDER BY report DESC, id) AS place
        FROM sms WHERE preferred AND exposure IS NOT NULL
    ) AS ranked
    WHERE sms.id = ranked.id AND ranked.place > 1
"""


def upgrade() -> None:
    """Apply this revision: the file of the newest run is shown, or the one that came last; of its kinds the best is preferred."""
    op.execute(sa.text(_SHOWN))
    for table in _UNIQUE:
        if table != "sms":
            op.execute(sa.text(_PREFERRED.format(table=table)).bindparams(kinds=list(_KINDS)))
    op.execute(sa.text(_SCHEDULES))
    op.create_index(
        "ix_files_shown",
        "files",
        ["rootname", "suffix"],
        unique=True,
        postgresql_where=sa.text("shown"),
    )
    for table, columns in _UNIQUE.items():
        op.create_index(
            f"ix_{table}_preferred",
            table,
            columns,
            unique=True,
            postgresql_where=sa.text("preferred"),
        )
    op.alter_column(
        "files",
        "shown",
        existing_type=sa.Boolean(),
        comment="Science rows of this file are the ones readers see: of each rootname one file of a kind",
        existing_comment="Science rows of this file are the ones readers see",
    )


def downgrade() -> None:
    """Undo this revision; what readers see stays."""
    for table in _UNIQUE:
        op.drop_index(f"ix_{table}_preferred", table_name=table)
    op.drop_index("ix_files_shown", table_name="files")
    op.alter_column(
        "files",
        "shown",
        existing_type=sa.Boolean(),
        comment="Science rows of this file are the ones readers see",
        existing_comment="Science rows of this file are the ones readers see: of each rootname one file of a kind",
    )
