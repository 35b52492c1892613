"""Lamp, kind of exposure and template of each lamp flash.

Revision ID: 0033
Revises: 0032
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_NUMBERS = {
    "gross": "Sum of GROSS over the spectrum [count / s]",
    "template_scale": "Factor of the template's INTENSITY that fits NET best; null where the "
    "template has no lines or is not at hand [1 / s]",
    "template_scale_error": "One-sigma error of template_scale by the counts [1 / s]",
}
_TEXTS = {
    "exptype": "EXPTYPE: WAVECAL where the lamp was all that was seen",
    "obset_id": "OBSET_ID: observation set of the proposal",
    "lampused": "LAMPUSED: P1 or P2",
    "lampset": "LAMPSET: current of the lamp",
    "wcptab": "WCPTAB: where the spectrum is looked for",
}
_FLAGS = {
    "has_lines": "Whether the template has lines in the segment; null where it is not at hand"
}


def upgrade() -> None:
    """Apply this revision; flashes that were ingested before have it once re-populated."""
    for columns, kind in ((_NUMBERS, sa.Double), (_TEXTS, sa.String), (_FLAGS, sa.Boolean)):
        for name, comment in columns.items():
            op.add_column("lampflash", sa.Column(name, kind(), nullable=True, comment=comment))


def downgrade() -> None:
    """Take this revision back."""
    for name in (*_NUMBERS, *_TEXTS, *_FLAGS):
        op.drop_column("lampflash", name)
