"""Count rates of exposures, and what the detectors are held to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Double, Select, String, cast, literal, select, union_all

from services.monitor.monitors.framework.monitor import Columns, RowQuery
from shared.database.models.operations import File
from shared.database.models.science import ExposureQuality, Header

__all__ = ["LIMITS", "Limit", "expected_limit", "rates_query"]


@dataclass(frozen=True)
class Limit:
    """A limit of a count rate, in counts per second."""

    rate: float
    text: str
    source: str


_HANDBOOK = "COS Instrument Handbook, table 10.1"
LIMITS = {
    "FUV": Limit(15_000.0, "global limit of a segment for predictable sources", _HANDBOOK),
    "NUV SPECTROSCOPIC": Limit(90_000.0, "global limit of three stripes for predictable sources", _HANDBOOK),
    "NUV IMAGING": Limit(170_000.0, "global limit of imaging for predictable sources", _HANDBOOK),
}
"""Screening limits by detector and, for NUV, OBSTYPE; of a spectrum, 30,000 counts / s in each of three stripes."""


def rates_query() -> RowQuery:
    """Query for the rates of each exposure and segment (NUV for that detector), in order of time."""
    parts = union_all(
        *(_segment(segment, letter) for segment, letter in (("FUVA", "a"), ("FUVB", "b"))), _segment("NUV", "")
    ).subquery()
    return select(*parts.c).order_by(parts.c.mjd)


def _segment(segment: str, letter: str) -> Select[Any]:
    def column(name: str) -> ColumnElement[Any]:
        found: ColumnElement[Any] = getattr(ExposureQuality, name)
        return found

    nothing = cast(literal(None), Double)
    if letter:
        rate, digital, front = (column(f"{name}{letter}") for name in ("globrt_", "devent", "fevent"))
        level: ColumnElement[Any] = cast(getattr(Header, f"hvlevel{letter}"), Double)
    else:
        rate, digital, front, level = column("globrate"), column("mevents"), nothing, nothing
    return (
        select(
            ExposureQuality.file_id,
            ExposureQuality.rootname,
            cast(literal(segment), String).label("segment"),
            ExposureQuality.expstart.label("mjd"),
            ExposureQuality.exptype,
            ExposureQuality.shutter,
            Header.obstype,
            level.label("hvlevel"),
            cast(Header.life_adj, Double).label("life_adj"),
            cast(ExposureQuality.overflow, Double).label("overflow"),
            rate.label("rate"),
            digital.label("digital"),
            front.label("front_end"),
        )
        .join(File, File.id == ExposureQuality.file_id)
        .outerjoin(Header, Header.file_id == ExposureQuality.file_id)
        .where(
            File.shown,
            ExposureQuality.preferred,
            ExposureQuality.expstart.is_not(None),
            ExposureQuality.detector == segment[:3],
            rate.is_not(None),
        )
    )


def expected_limit(columns: Columns) -> np.ndarray:
    """Limit of each row of `rates_query`, counts / s, shape (n,)."""
    imaging = columns["obstype"] == "IMAGING"
    nuv = np.where(imaging, LIMITS["NUV IMAGING"].rate, LIMITS["NUV SPECTROSCOPIC"].rate)
    return np.where(columns["segment"] == "NUV", nuv, LIMITS["FUV"].rate)
