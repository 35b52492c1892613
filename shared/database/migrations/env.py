"""Alembic environment: runs migrations on a connection that the caller hands over."""

from alembic import context

import shared.database.models  # noqa: F401 - registers the tables
from shared.database.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
