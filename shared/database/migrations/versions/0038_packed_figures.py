"""Descriptions of figures as gzipped JSON.

They are not converted: of another version of the drawing code, they are made again at the start.

Revision ID: 0038
Revises: 0037
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_PLAIN = "Description of the figure (services.monitor.figures)"


def upgrade() -> None:
    """Apply this revision."""
    _replace(sa.LargeBinary(), f"{_PLAIN}: JSON, gzipped")


def downgrade() -> None:
    """Undo this revision."""
    _replace(postgresql.JSONB(), _PLAIN)


def _replace(kind: sa.types.TypeEngine[object], comment: str) -> None:
    op.execute("DELETE FROM monitor_figures")
    op.drop_column("monitor_figures", "content")
    op.add_column("monitor_figures", sa.Column("content", kind, nullable=False, comment=comment))
