"""Science tables: what was measured from each file.

Every row points to its file, and so to its run.

A model in any module of this package is a science table: one that is filled from files where it
derives from `ScienceRow`, else one that monitors make.
"""

import importlib
import pkgutil

from shared.database.base import Base
from shared.database.models.science.base import ROWS_PER_FILE, PreferredRow, ScienceRow, row_key
from shared.database.models.science.detector import (
    PULSE_HEIGHTS,
    Dark,
    DarkCounts,
    EventRates,
    FlaggedPixel,
    Gain,
    GainTrend,
    PulseHeights,
    Stim,
)
from shared.database.models.science.doubts import DoubtfulTime
from shared.database.models.science.engineering import Jitter, Support, Telemetry
from shared.database.models.science.exposures import (
    Acquisition,
    Lampflash,
    ScheduledExposure,
    SpectrumSummary,
)
from shared.database.models.science.headers import (
    AperturePosition,
    ExposureQuality,
    Header,
    HighVoltage,
    Keywords,
)
from shared.database.models.science.lines import LinePosition
from shared.database.models.science.times import believed, believed_time, moments_of, within_mission

__all__ = [
    "DERIVED_TABLES",
    "PULSE_HEIGHTS",
    "ROWS_PER_FILE",
    "SCIENCE_TABLES",
    "Acquisition",
    "AperturePosition",
    "Dark",
    "DarkCounts",
    "DoubtfulTime",
    "EventRates",
    "ExposureQuality",
    "FlaggedPixel",
    "Gain",
    "GainTrend",
    "Header",
    "HighVoltage",
    "Jitter",
    "Keywords",
    "Lampflash",
    "LinePosition",
    "PreferredRow",
    "PulseHeights",
    "ScheduledExposure",
    "ScienceRow",
    "SpectrumSummary",
    "Stim",
    "Support",
    "Telemetry",
    "believed",
    "believed_time",
    "moments_of",
    "row_key",
    "within_mission",
]


def _by_table() -> dict[str, type[Base]]:
    """Return the models of this package by table, in the order of modules and tables."""
    package = f"{__name__}."
    for module in pkgutil.iter_modules(__path__, package):
        importlib.import_module(module.name)
    models = (mapper.class_ for mapper in Base.registry.mappers)
    own = (model for model in models if model.__module__.startswith(package))
    return {
        model.__tablename__: model
        for model in sorted(own, key=lambda one: (one.__module__, one.__tablename__))
    }


SCIENCE_TABLES: dict[str, type[ScienceRow]] = {
    name: model for name, model in _by_table().items() if issubclass(model, ScienceRow)
}
"""Tables that the ingestor fills from files, by name."""

DERIVED_TABLES: dict[str, type[Base]] = {
    name: model for name, model in _by_table().items() if name not in SCIENCE_TABLES
}
"""Tables that monitors fill from other tables, by name."""
