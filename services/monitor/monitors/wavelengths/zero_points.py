"""Zero points of wavelengths, and tables of dispersion relations that hold them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from astropy.io import fits

from services.monitor.framework.declaration import Columns, NewArtifact
from services.monitor.framework.rules import Finding
from services.monitor.library.exposure_values import recent, take
from services.monitor.library.lamp_flashes import configurations
from services.monitor.library.revised_tables import (
    Revision,
    active_table,
    revised_file,
    revision_findings,
    texts_in,
)
from services.monitor.monitors.wavelengths.residuals import Spectra
from services.monitor.monitors.wavelengths.rules import ZERO_POINT

__all__ = ["ZeroPoint", "dispersion_files", "zero_point_findings", "zero_points"]

_DAYS = 365.0
"""Days before the newest spectrum of which the median is taken."""
_LEAST_EXPOSURES = 5
"""Exposures of a setting without which its median says nothing."""
_MEDIAN_ERROR = 1.2533
"""Standard error of a median over that of a mean, for a normal distribution: sqrt(pi / 2)."""
_DIGITS = 3
"""Of a zero point, pix."""


@dataclass(frozen=True)
class ZeroPoint:
    """Median residual of a setting in an aperture, pix.

    Attributes
    ----------
    table
        DISPTAB of all its spectra.
    detector
        FUV or NUV.
    name
        Of the setting, for readers.
    segment, opt_elem, cenwave, aperture
        The setting.
    median, error
        The median and its one-sigma error, pix.
    exposures
        How many exposures it is of.
    first, last
        MJD of the first and the last of them.
    """

    table: str
    detector: str
    name: str
    segment: str
    opt_elem: str
    cenwave: int
    aperture: str
    median: float
    error: float
    exposures: int
    first: float
    last: float


def zero_points(spectra: Spectra) -> list[ZeroPoint]:
    """Return the settings whose wavelengths of the last year are off in the median.

    A setting is a segment, grating, central wavelength and aperture, and a lifetime position of the
    FUV. Of its tables the newest alone counts: residuals from one say nothing of another.
    """
    columns = spectra.columns
    chosen = (spectra.status == "") & recent(columns["mjd"], _DAYS)
    chosen &= np.array([name is not None for name in columns["disptab"].tolist()], dtype=bool)
    found = []
    for detector in ("FUV", "NUV"):
        rows = np.flatnonzero(chosen & (columns["detector"] == detector))
        year = take(columns, rows)
        for name, mine in configurations(year, positions=detector == "FUV"):
            for aperture in sorted(set(year["aperture"][mine].tolist()) - {None}):
                some = mine[year["aperture"][mine] == aperture]
                some = some[year["disptab"][some] == year["disptab"][some[-1]]]
                one = _of_rows(take(year, some), spectra.residual[rows[some]], name)
                if one is not None and abs(one.median) > ZERO_POINT.now:
                    found.append(one)
    return found


def _of_rows(columns: Columns, residual: np.ndarray, name: str) -> ZeroPoint | None:
    """Return the median of spectra of a setting; None where there are too few."""
    exposures = len(set(columns["rootname"].tolist()))
    if exposures < _LEAST_EXPOSURES:
        return None
    return ZeroPoint(
        table=str(columns["disptab"][-1]),
        detector=str(columns["detector"][-1]),
        name=f"{name} {columns['aperture'][-1]}",
        segment=str(columns["segment"][-1]),
        opt_elem=str(columns["opt_elem"][-1]),
        cenwave=int(columns["cenwave"][-1]),
        aperture=str(columns["aperture"][-1]),
        median=float(np.median(residual)),
        error=_MEDIAN_ERROR * float(np.std(residual, ddof=1) / np.sqrt(exposures)),
        exposures=exposures,
        first=float(columns["mjd"][0]),
        last=float(columns["mjd"][-1]),
    )


def zero_point_findings(points: Sequence[ZeroPoint]) -> Iterator[Finding]:
    """Apply the rule of the median."""
    for one in points:
        yield ZERO_POINT.finding(
            f"lines of {one.name} are off by {one.median:.1f} pix in the median of {one.exposures} "
            "exposures of a year",
            one.last,
            one.median,
            configuration=one.name,
        )


def dispersion_files(
    points: Sequence[ZeroPoint], tables: Columns
) -> tuple[list[NewArtifact], list[Finding]]:
    """Make the tables of dispersion relations with corrected zero points.

    Parameters
    ----------
    points
        From `zero_points`.
    tables
        Columns of `services.monitor.library.revised_tables.read_active`.

    Returns
    -------
    tuple of list of NewArtifact and list of Finding
        The tables, and what keeps one from being made or delivered.
    """
    artifacts: list[NewArtifact] = []
    findings: list[Finding] = []
    for name in sorted({one.table for one in points}):
        mine = sorted((one for one in points if one.table == name), key=lambda one: one.last)
        revision = Revision(
            keyword="DISPTAB",
            detector=mine[-1].detector,
            active=name,
            description="Zero points of dispersion relations corrected",
            history=[
                "Zero points corrected by the medians of lines of a year.",
                f"All other cells are those of {name}.",
            ],
            oldest=min(one.first for one in mine),
            newest=mine[-1].last,
            edit=partial(_move, points=mine),
            columns=frozenset({"D", "DELTA"}),
            detail={},
        )
        active = active_table(tables, name)
        made = None if active is None else revised_file(revision, active, "disp")
        if made is not None:
            artifacts.append(made)
        findings += revision_findings("DISPTAB", name, made, revision.newest)
    return artifacts, findings


def _move(
    table: fits.BinTableHDU, points: Sequence[ZeroPoint]
) -> tuple[fits.BinTableHDU, list[dict[str, Any]]]:
    """Move dispersion relations along the pixels.

    CalCOS 3.6.2 (``dispersion.py``) takes the wavelength at pixel + DELTA, or at pixel + D_TV03 - D
    where there is no DELTA.
    """
    data, names = table.data, {name.upper() for name in table.columns.names}
    column, sign = ("DELTA", -1.0) if "DELTA" in names else ("D", 1.0)
    if column not in names:
        return table, []
    changed = []
    # The lifetime position in use last has the last word where one table serves several.
    last = {(one.segment, one.opt_elem, one.cenwave, one.aperture): one for one in points}
    for key, one in sorted(last.items()):
        mine = data["CENWAVE"] == one.cenwave
        for name, value in (("SEGMENT", key[0]), ("OPT_ELEM", key[1]), ("APERTURE", key[3])):
            mine &= texts_in(data, name) == value
        for row in np.flatnonzero(mine).tolist():
            before = float(data[column][row])
            data[column][row] = before + sign * round(one.median, _DIGITS)
            changed.append(
                {
                    "segment": one.segment,
                    "opt_elem": one.opt_elem,
                    "cenwave": one.cenwave,
                    "aperture": one.aperture,
                    "column": column,
                    "before": before,
                    "after": float(data[column][row]),
                    "median": one.median,
                    "error": one.error,
                    "exposures": one.exposures,
                }
            )
    return table, changed
