"""Count rates of exposures, and what the detectors are held to."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Double, Select, String, cast, literal, select, union_all

from services.monitor.monitors.framework.monitor import Columns, RowQuery
from services.monitor.monitors.framework.rules import Rule, always
from services.monitor.monitors.parts.exposures import setting_columns
from shared.database.models.operations import File
from shared.database.models.science import ExposureQuality, Header

__all__ = ["IRREGULAR", "LIMITS", "SHUT_OFF", "rates_query", "threshold_of"]

_HANDBOOK = "COS Instrument Handbook, table 10.1"


def _limits(name: str, source: str, **rates: float) -> dict[str, Rule]:
    rules = {}
    for kind, rate in rates.items():
        concerned = kind.replace("_", " ")
        text = f"{name} of {concerned}: {{:,.0f}} counts / s"
        rules[kind] = Rule(f"{name}, {concerned}", None, text, always(rate, source))
    return rules


LIMITS = _limits(
    "screening limit", _HANDBOOK, FUV=15_000.0, NUV_SPECTROSCOPIC=90_000.0, NUV_IMAGING=170_000.0, TIME_TAG=30_000.0
)
"""What predictable sources are held to: a segment of the FUV, a whole spectrum of the NUV (30,000 counts / s in each of
its three stripes), an image; and any exposure in TIME-TAG mode."""

IRREGULAR = _limits(
    "limit for irregular sources", _HANDBOOK, FUV=6_000.0, NUV_SPECTROSCOPIC=36_000.0, NUV_IMAGING=68_000.0
)
"""What sources that vary are held to; of an NUV spectrum 12,000 counts / s in each stripe."""

SHUT_OFF = _limits(
    "on-board shut-off", f"{_HANDBOOK}; FUV: LDCCRPCA and LDCCRPCB of support files", FUV=60_000.0, NUV=770_000.0
)
"""Rates at which the instrument switches the high voltage down; the FUV after 10 s of it."""


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
            Header.obsmode,
            *setting_columns(),
            level.label("hvlevel"),
            cast(Header.life_adj, Double).label("life_adj"),
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


def threshold_of(limits: Mapping[str, Rule], columns: Columns) -> np.ndarray:
    """Least of some limits that concerns each row of `rates_query`, counts / s, shape (n,).

    Parameters
    ----------
    limits
        By what they concern: FUV, NUV or what of it, TIME_TAG.
    columns
        Rows of the query.
    """
    fuv, imaging = columns["segment"] != "NUV", columns["obstype"] == "IMAGING"
    concerned = {
        "FUV": fuv,
        "NUV": ~fuv,
        "NUV_IMAGING": ~fuv & imaging,
        "NUV_SPECTROSCOPIC": ~fuv & ~imaging,
        "TIME_TAG": columns["obsmode"] == "TIME-TAG",
    }
    rates = [np.where(concerned[kind], rule.at(columns["mjd"]), np.inf) for kind, rule in limits.items()]
    least: np.ndarray = np.min(rates, axis=0)
    return least
