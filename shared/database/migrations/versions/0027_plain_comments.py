"""Comments of columns in the words that the field uses.

Revision ID: 0027
Revises: 0026
"""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_COMMENTS = {
    ("subscriptions", "severity"): (
        "Least grave alert that is delivered",
        "Lowest severity of alerts that are delivered",
    ),
    ("headers", "proposid"): ("PROPOSID: programme", "PROPOSID: proposal"),
    ("headers", "linenum"): (
        "LINENUM: visit and exposure of the programme",
        "LINENUM: visit and exposure of the proposal",
    ),
    ("jitter", "proposid"): ("PROPOSID: programme", "PROPOSID: proposal"),
    ("lampflash", "proposid"): ("PROPOSID: programme", "PROPOSID: proposal"),
    ("sms", "exposure"): (
        "Exposure key: programme, observation set, alignment and exposure",
        "Exposure key: proposal, observation set, alignment and exposure",
    ),
    ("sms", "proposid"): ("Programme", "Proposal"),
}
"""Table and column: comment before and after."""


def upgrade() -> None:
    """Apply this revision."""
    for (table, column), (before, after) in _COMMENTS.items():
        op.alter_column(table, column, existing_comment=before, comment=after)


def downgrade() -> None:
    """Undo this revision."""
    for (table, column), (before, after) in _COMMENTS.items():
        op.alter_column(table, column, existing_comment=after, comment=before)
