"""Typed models, one table family a module.

Importing this package registers every table on ``Base.metadata``.
"""

from shared.database.models import (
    archive,
    audit,
    calibrations,
    monitoring,
    operations,
    references,
    repopulation,
    science,
)

__all__ = [
    "archive",
    "audit",
    "calibrations",
    "monitoring",
    "operations",
    "references",
    "repopulation",
    "science",
]
