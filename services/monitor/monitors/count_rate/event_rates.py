"""Count rates of exposures, and what the detectors are held to."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Double,
    Select,
    String,
    Subquery,
    and_,
    cast,
    func,
    literal,
    select,
    union_all,
)

from services.monitor.framework.declaration import Columns, RowQuery
from services.monitor.framework.rules import Rule, always
from services.monitor.library.exposure_values import setting_columns
from services.monitor.library.shown_rows import shown
from shared.database.models.science import (
    EventRates,
    ExposureQuality,
    Header,
    SpectrumSummary,
)

__all__ = [
    "IRREGULAR",
    "IRREGULAR_STRIPE",
    "LIMITS",
    "LOCAL_LIMITS",
    "SEGMENTS",
    "SHUT_OFF",
    "STRIPE_LIMIT",
    "of_lamps",
    "rates_query",
    "surely_local",
    "threshold_of",
]

SEGMENTS = ("FUVA", "FUVB", "NUV")

_HANDBOOK = "COS Instrument Handbook, table 10.1"


def _limits(name: str, source: str, unit: str = "counts / s", **rates: float) -> dict[str, Rule]:
    rules = {}
    for kind, rate in rates.items():
        concerned = kind.replace("_", " ")
        text = f"{name} of {concerned}: {{:,g}} {unit}"
        rules[kind] = Rule(
            name=f"{name}, {concerned}", severity=None, text=text, thresholds=always(rate, source)
        )
    return rules


LIMITS = _limits(
    "screening limit",
    _HANDBOOK,
    FUV=15_000.0,
    NUV_SPECTROSCOPIC=90_000.0,
    NUV_IMAGING=170_000.0,
    TIME_TAG=30_000.0,
)
"""What predictable sources are held to: a segment of the FUV, a whole spectrum of the NUV (30,000
counts / s in each of its three stripes), an image; and any exposure in TIME-TAG mode."""

IRREGULAR = _limits(
    "limit for irregular sources",
    _HANDBOOK,
    FUV=6_000.0,
    NUV_SPECTROSCOPIC=36_000.0,
    NUV_IMAGING=68_000.0,
)
"""What sources that vary are held to; of an NUV spectrum 12,000 counts / s in each stripe."""

LOCAL_LIMITS = _limits(
    "local limit",
    _HANDBOOK,
    "counts / s / pix",
    FUV=0.67,
    FUV_BLUE=0.2,
    NUV_IMAGING=50.0,
    NUV_SPECTROSCOPIC=70.0,
)
"""What a pixel is held to; FUV_BLUE are the central wavelengths 1055 and 1096."""

STRIPE_LIMIT = Rule(
    name="stripe limit",
    severity=None,
    text="screening limit of a stripe of an NUV spectrum: {:,.0f} counts / s",
    thresholds=always(30_000.0, _HANDBOOK),
)
IRREGULAR_STRIPE = Rule(
    name="stripe limit for irregular sources",
    severity=None,
    text="limit of a stripe for sources that vary: {:,.0f} counts / s",
    thresholds=always(12_000.0, _HANDBOOK),
)

SHUT_OFF = _limits(
    "on-board shut-off",
    f"{_HANDBOOK}; FUV: LDCCRPCA and LDCCRPCB of support files",
    FUV=60_000.0,
    NUV=770_000.0,
)
"""Rates at which the instrument switches the high voltage down; the FUV after 10 s of it."""


_BLUE = (1055.0, 1096.0)
"""Central wavelengths whose local limit is lower, Angstrom (COS Instrument Handbook, table 10.1).
"""

_LAMPS = ("WAVECAL", "FLAT")
"""EXPTYPE of exposures to the lamps of the instrument."""

_SIGMAS = 5.0
"""Of counts, that chance adds to the brightest of a million places."""


def rates_query() -> RowQuery:
    """Return the query for the rates of each exposure and segment (NUV for that detector), in order
    of time.
    """
    peaks = _peaks()
    parts = union_all(
        *(
            _segment(segment, letter, peaks)
            for segment, letter in (("FUVA", "a"), ("FUVB", "b"), ("NUV", ""))
        )
    ).subquery()
    return select(*parts.c).order_by(parts.c.mjd)


def _peaks() -> Subquery:
    """Return the peak rates of each exposure and segment.

    Of an exposure of two associations, which has two files, the larger.
    """
    row = EventRates
    query = shown(
        row,
        row.rootname,
        row.segment,
        func.max(row.second_counts).label("second"),
        func.max(row.local_rate).label("local"),
        func.max(row.local_counts).label("local_counts"),
    )
    return query.group_by(row.rootname, row.segment).subquery()


def _segment(segment: str, letter: str, peaks: Subquery) -> Select[Any]:
    def column(name: str) -> ColumnElement[Any]:
        found: ColumnElement[Any] = getattr(ExposureQuality, name)
        return found

    nothing = cast(literal(None), Double)
    level: ColumnElement[Any]
    stripe: ColumnElement[Any]
    if letter:
        rate, digital, front = (
            column(f"{name}{letter}") for name in ("globrt_", "devent", "fevent")
        )
        level, stripe = cast(getattr(Header, f"hvlevel{letter}"), Double), nothing
    else:
        rate, digital, front, level = column("globrate"), column("mevents"), nothing, nothing
        stripe = func.greatest(
            SpectrumSummary.gross_a, SpectrumSummary.gross_b, SpectrumSummary.gross_c
        )
    return (
        shown(
            ExposureQuality,
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
            Header.life_adj.label("life_adj"),
            rate.label("rate"),
            digital.label("digital"),
            front.label("front_end"),
            peaks.c.second,
            peaks.c.local,
            peaks.c.local_counts,
            stripe.label("stripe"),
        )
        .outerjoin(Header, Header.file_id == ExposureQuality.file_id)
        .outerjoin(
            peaks, and_(peaks.c.rootname == ExposureQuality.rootname, peaks.c.segment == segment)
        )
        .outerjoin(SpectrumSummary, SpectrumSummary.file_id == ExposureQuality.file_id)
        .where(
            ExposureQuality.expstart.is_not(None),
            ExposureQuality.detector == segment[:3],
            rate.is_not(None),
        )
    )


def threshold_of(limits: Mapping[str, Rule], columns: Columns) -> np.ndarray:
    """Return the least of some limits that concerns each row of `rates_query`, counts / s, shape
    (n,).

    Parameters
    ----------
    limits
        By what they concern: FUV, NUV or what of them, TIME_TAG.
    columns
        Rows of the query.
    """
    fuv, imaging = columns["segment"] != "NUV", columns["obstype"] == "IMAGING"
    concerned = {
        "FUV": fuv,
        "FUV_BLUE": fuv & np.isin(columns["cenwave"], _BLUE),
        "NUV": ~fuv,
        "NUV_IMAGING": ~fuv & imaging,
        "NUV_SPECTROSCOPIC": ~fuv & ~imaging,
        "TIME_TAG": columns["obsmode"] == "TIME-TAG",
    }
    rates = [
        np.where(concerned[kind], rule.at(columns["mjd"]), np.inf) for kind, rule in limits.items()
    ]
    least: np.ndarray = np.min(rates, axis=0)
    return least


def surely_local(columns: Columns) -> np.ndarray:
    """Return the least local rate that the counts at the brightest place are sure of, counts / s /
    pix, shape (n,).

    The brightest of a million places is by chance some sigma above what is there; in a short
    exposure one photon may be a rate above any limit. NaN where a lamp is what is looked at, whose
    lines come near the limits of sources.
    """
    counts = columns["local_counts"]
    with np.errstate(divide="ignore", invalid="ignore"):
        sure = columns["local"] * np.fmax(1.0 - _SIGMAS / np.sqrt(counts), 0.0)
    found: np.ndarray = np.where(of_lamps(columns), np.nan, sure)
    return found


def of_lamps(columns: Columns) -> np.ndarray:
    """Return which exposures are to lamps of the instrument, boolean of shape (n,)."""
    return np.array([kind in _LAMPS for kind in columns["exptype"]], dtype=bool)
