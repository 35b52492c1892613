"""Charge of the events of superpixels.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_COMMENT = "Charge that the plates gave to these events [C]"
_GAIN = (
    "Modal gain: centre of the pulse-height peak, in bins",
    "Modal gain: centre of the pulse-height peak, in bins; null of ACCUM images",
)


def upgrade() -> None:
    """Apply this revision; of rows of before, a re-population of the table tells the charge."""
    op.add_column("gain", sa.Column("charge", sa.REAL(), nullable=True, comment=_COMMENT))
    op.alter_column(
        "gain", "gain", existing_type=sa.REAL(), existing_comment=_GAIN[0], comment=_GAIN[1]
    )


def downgrade() -> None:
    """Undo this revision."""
    op.alter_column(
        "gain", "gain", existing_type=sa.REAL(), existing_comment=_GAIN[1], comment=_GAIN[0]
    )
    op.drop_column("gain", "charge")
