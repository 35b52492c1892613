"""Typed models, one table family a module. Importing this package registers every table on ``Base.metadata``."""

from shared.database.models import monitoring, operations, repopulation, science

__all__ = ["monitoring", "operations", "repopulation", "science"]
