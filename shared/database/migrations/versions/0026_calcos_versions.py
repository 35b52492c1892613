"""Versions of CalCOS that calibrators published.

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "calcos_versions",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(), nullable=False, comment="As the package says it"),
        sa.Column(
            "published_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calcos_versions")),
    )
    # Until a calibrator starts, the version that the newest run was made with counts.
    op.execute(
        "INSERT INTO calcos_versions (version) "
        "SELECT calcos_version FROM runs WHERE kind = 'calcos' ORDER BY id DESC LIMIT 1"
    )


def downgrade() -> None:
    """Undo this revision."""
    op.drop_table("calcos_versions")
