"""Errors of the trends of the gain.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_KEY = ("Key of the row", "Key of the row, made of superpixel, voltage and segment")
_DATE = (
    "Projected date of gain 3, MJD UTC; null where the gain does not fall [d]",
    "Projected date of gain 3, MJD UTC; null where the gain does not surely fall [d]",
)
_COLUMNS = (
    ("mjd_error", sa.Double(), "One-sigma error of the projected date by the fit [d]"),
    ("slope_error", sa.Double(), "One-sigma error of the slope [1 / d]"),
    ("gains", sa.SmallInteger(), "Gains that the line is fitted to"),
)


def _comments(before: int, after: int) -> None:
    for table in ("flagged", "gain_trends"):
        op.alter_column(
            table,
            "id",
            existing_type=sa.BigInteger(),
            existing_comment=_KEY[before],
            comment=_KEY[after],
        )
    op.alter_column(
        "gain_trends",
        "mjd",
        existing_type=sa.Double(),
        existing_comment=_DATE[before],
        comment=_DATE[after],
    )


def upgrade() -> None:
    """Apply this revision."""
    for name, kind, comment in _COLUMNS:
        op.add_column("gain_trends", sa.Column(name, kind, nullable=True, comment=comment))
    _comments(0, 1)


def downgrade() -> None:
    """Undo this revision."""
    _comments(1, 0)
    for name, _, _ in _COLUMNS:
        op.drop_column("gain_trends", name)
