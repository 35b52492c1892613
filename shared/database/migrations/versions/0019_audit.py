"""Audit of calls that change state.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_REFUSE = """
CREATE FUNCTION refuse_changes_of_audit() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$
"""
_TRIGGER = """
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION refuse_changes_of_audit()
"""


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("token", sa.String(), nullable=False, comment="Name of the token"),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False, comment="Path and query of the address"),
        sa.Column(
            "subject",
            sa.String(),
            nullable=True,
            comment="What it was about, where the address does not say it",
        ),
        sa.Column(
            "status", sa.Integer(), nullable=False, comment="Outcome: HTTP status of the answer"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_token"), "audit", ["token"])
    op.execute(_REFUSE)
    op.execute(_TRIGGER)


def downgrade() -> None:
    """Undo this revision."""
    op.drop_table("audit")
    op.execute("DROP FUNCTION refuse_changes_of_audit()")
