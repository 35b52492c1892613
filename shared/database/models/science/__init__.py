"""Science tables: what was measured from each file.

Every row points to its file, and so to its run.
"""

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

SCIENCE_TABLES: dict[str, type[ScienceRow]] = {
    model.__tablename__: model
    for model in (
        Header,
        Keywords,
        ExposureQuality,
        HighVoltage,
        AperturePosition,
        SpectrumSummary,
        Support,
        Telemetry,
        Jitter,
        Lampflash,
        Acquisition,
        ScheduledExposure,
        Dark,
        DarkCounts,
        Stim,
        PulseHeights,
        EventRates,
        Gain,
    )
}
"""Tables that the ingestor fills from files, by name."""

DERIVED_TABLES: dict[str, type[Base]] = {
    model.__tablename__: model for model in (FlaggedPixel, GainTrend, DoubtfulTime)
}
"""Tables that monitors fill from other tables, by name."""
