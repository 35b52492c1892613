"""Typed models, one table family a module. Importing this package registers every table on ``Base.metadata``."""

from shared.database.models import operations, repopulation, science

__all__ = ["operations", "repopulation", "science"]
