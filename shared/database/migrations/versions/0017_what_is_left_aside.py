"""Every version of a source's file has a row, and what is left aside is recorded.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_KEY = "uq_source_files_source"


def _aside(comment: str) -> sa.Column[object]:
    return sa.Column("left_aside", JSONB(), server_default="{}", nullable=False, comment=comment)


def upgrade() -> None:
    """Apply this revision."""
    op.drop_constraint(_KEY, "source_files", type_="unique")
    op.create_unique_constraint(_KEY, "source_files", ["source", "url"])
    op.add_column(
        "source_files",
        sa.Column("modified", sa.Double(), nullable=True, comment="Time of its last change"),
    )
    op.alter_column(
        "source_files",
        "stem",
        comment="Canonical file name up to .fits",
        existing_comment="File name up to .fits",
    )
    op.alter_column("source_files", "name", comment="Canonical file name")
    op.alter_column(
        "datasets",
        "rootname",
        comment="Rootname, lower case; of an association or a file by itself its own name",
        existing_comment="Lower-case rootname, 9 characters",
    )
    op.add_column(
        "datasets", _aside("Exposures and files that look like its own and are not, and why")
    )
    op.add_column(
        "scans", _aside("Files in no dataset: their number and some names, by the reason")
    )


def downgrade() -> None:
    """Undo this revision; the next scan reads again what it has no row of."""
    op.drop_column("scans", "left_aside")
    op.drop_column("datasets", "left_aside")
    op.alter_column("datasets", "rootname", comment="Lower-case rootname, 9 characters")
    op.alter_column("source_files", "name", comment=None)
    op.alter_column("source_files", "stem", comment="File name up to .fits")
    op.drop_column("source_files", "modified")
    op.execute(
        "DELETE FROM source_files AS a USING source_files AS b WHERE a.source = b.source AND a.stem = b.stem AND a.id > b.id"
    )
    op.drop_constraint(_KEY, "source_files", type_="unique")
    op.create_unique_constraint(_KEY, "source_files", ["source", "stem"])
