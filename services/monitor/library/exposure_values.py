"""Common parts of monitors of one value per exposure.

Values, points of figures, outliers to both sides, recent ones.
"""

from functools import partial
from typing import Any, SupportsIndex

import numpy as np
from sqlalchemy import ColumnElement, func

from services.monitor.figures.description import PointColumns
from services.monitor.framework.declaration import Columns, Values
from services.monitor.framework.rules import Finding, Rule
from services.monitor.library.groups import distinct, worded
from shared.cos.times import is_believable
from shared.database.models.science import Header

__all__ = [
    "RECENT_DAYS",
    "column",
    "finding_of",
    "notes_of",
    "points_of",
    "recent",
    "setting_columns",
    "take",
    "values_of",
    "voltage_changed",
]

RECENT_DAYS = 30.0
"""Single exposures older than this against the newest are flagged, but no longer alarming."""


def take(columns: Columns, mask: np.ndarray) -> dict[str, np.ndarray]:
    """Return the rows of columns that a mask, or an order, chooses."""
    return {name: values[mask] for name, values in columns.items()}


def column(columns: Columns, name: str) -> np.ndarray:
    """Return column by its name; NaN in every row where the query does not have it, shape (n,)."""
    return columns[name] if name in columns else np.full(len(columns["mjd"]), np.nan)


def _texts(columns: Columns, name: str) -> np.ndarray:
    """Return column of text by its name; None in every row where the query does not have it, shape
    (n,).
    """
    return columns[name] if name in columns else np.full(len(columns["mjd"]), None, dtype=object)


def recent(mjd: np.ndarray, days: float = RECENT_DAYS) -> np.ndarray:
    """Return which times are within some days of the newest believable one, boolean of shape
    (n,).
    """
    found: np.ndarray = mjd > mjd[is_believable(mjd)].max(initial=0.0) - days
    return found


def values_of(
    quantity: str,
    columns: Columns,
    value: np.ndarray,
    error: np.ndarray | None = None,
    *,
    region: str | np.ndarray | None = None,
    outlier: np.ndarray | None = None,
) -> Values:
    """Return the values of one quantity by exposure; those that are not finite are left out.

    Parameters
    ----------
    quantity
        Its name.
    columns
        Columns ``mjd``, ``rootname``, ``file_id`` and, where they apply, ``segment``, ``hvlevel``
        and ``life_adj``.
    value, error
        Values and their one-sigma errors, shape (n,); no errors are unknown ones.
    region
        Part of the detector, or the coordinate, that they are of; text of each in shape (n,), where
        they differ.
    outlier
        Which of them a rule hit, boolean of shape (n,); None for none.
    """
    count = len(value)
    keep = np.isfinite(value)
    everything = Values(
        quantity=quantity,
        mjd=columns["mjd"],
        value=value,
        error=np.full(count, np.nan) if error is None else error,
        rootname=columns["rootname"],
        segment=_texts(columns, "segment"),
        region=region if isinstance(region, np.ndarray) else np.full(count, region, dtype=object),
        hvlevel=column(columns, "hvlevel"),
        life_adj=column(columns, "life_adj"),
        file_id=columns["file_id"],
        outlier=np.zeros(count, dtype=bool) if outlier is None else outlier,
    )
    arrays = {name: array[keep] for name, array in vars(everything).items() if name != "quantity"}
    return Values(quantity=quantity, **arrays)


def setting_columns(*, grouped: bool = False) -> list[ColumnElement[Any]]:
    """Return proposal, grating and central wavelength, which `notes_of` states, for a query
    that joins `Header`.

    Parameters
    ----------
    grouped
        Whether the query groups rows of a file, which all have the same.
    """
    columns = {
        "proposid": Header.proposid,
        "opt_elem": Header.opt_elem,
        "cenwave": Header.cenwave,
    }
    return [(func.max(one) if grouped else one).label(name) for name, one in columns.items()]


_NOTED = {
    "proposid": "proposal {:.0f}",
    "opt_elem": "{}",
    "cenwave": "{:.0f} Angstrom",
    "hvlevel": "HV {:.0f}",
    "life_adj": "LP{:.0f}",
    "temperature": "{:.1f} deg C",
}
"""Formats of the notes at the point of an exposure, by column."""


def notes_of(columns: Columns, *more: str) -> np.ndarray:
    """Return the proposal and configuration of each exposure, as far as they are known.

    Text, shape (n,); each is made once, since many rows share one.

    Parameters
    ----------
    columns
        Any of `setting_columns`, ``hvlevel``, ``life_adj`` and ``temperature``, beside ``mjd``.
    more
        Names of columns of text that are stated after these.
    """
    forms = {**_NOTED, **dict.fromkeys(more, "{}")}
    known = {name: form for name, form in forms.items() if name in columns}
    if not known:
        return np.full(len(columns["mjd"]), "", dtype=object)
    first, place = distinct(*(columns[name] for name in known))
    texts = np.full(len(first), "", dtype=object)
    for name, form in known.items():
        texts += worded(columns[name][first], partial(_word, f", {form}"))
    notes: np.ndarray = np.full(len(texts), "", dtype=object)
    notes[:] = [text[2:] for text in texts]
    found: np.ndarray = notes[place]
    return found


def _word(form: str, value: float | str | None) -> str:
    """Return a value in words, nothing where a header does not say any.

    No central wavelength, and no position, is 0 or less.
    """
    known = bool(value) if isinstance(value, str) else value is not None and value > 0
    return form.format(value) if known else ""


def points_of(
    columns: Columns,
    x: np.ndarray,
    y: np.ndarray,
    error: np.ndarray | None = None,
    *,
    colour: np.ndarray | None = None,
    outlier: np.ndarray | None = None,
) -> PointColumns:
    """Return the points of a figure, one an exposure, where both coordinates are finite.

    A click leads to its dataset.

    Parameters
    ----------
    columns
        ``mjd``, ``rootname``, what `notes_of` states, or ``note`` where that is made already, and,
        where it has such, ``region``: external measurements (``legacy``) have no dataset to lead
        to.
    x, y, error, colour, outlier
        As in `services.monitor.figures.description.PointColumns`, shape (n,).
    """
    keep = np.isfinite(x) & np.isfinite(y)
    noted = ("note",) if "note" in columns else ("mjd", *_NOTED)
    mine = take(
        {name: columns[name] for name in ("rootname", "region", *noted) if name in columns}, keep
    )
    rootnames, notes = mine["rootname"], mine["note"] if "note" in mine else notes_of(mine)
    if "region" in mine:
        foreign = mine["region"] == "legacy"
        both = zip(rootnames[foreign], notes[foreign], strict=True)
        notes[foreign] = [", ".join(filter(None, texts)) for texts in both]
        rootnames = rootnames.copy()
        rootnames[foreign] = None

    def some(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[keep]

    return PointColumns(
        x=x[keep],
        y=y[keep],
        error=some(error),
        colour=some(colour),
        rootnames=rootnames,
        notes=notes,
        outliers=some(outlier),
    )


def finding_of(
    rule: Rule,
    columns: Columns,
    index: SupportsIndex,
    message: str,
    value: float | None = None,
    *,
    threshold: float | None = None,
    configuration: str | None = None,
) -> Finding:
    """Make an exposure that a rule hit an alert.

    Parameters
    ----------
    rule
        The rule.
    columns
        Columns ``mjd``, ``rootname`` and, where it applies, ``segment``.
    index
        Place of the exposure in them.
    message, value, threshold
        As in `Rule.finding`.
    configuration
        What it concerns; None for the segment, if there is one.
    """
    if configuration is None:
        configuration = str(_texts(columns, "segment")[index] or "")
    return rule.finding(
        message,
        float(columns["mjd"][index]),
        None if value is None else float(value),
        threshold=threshold,
        configuration=configuration,
        rootname=columns["rootname"][index],
    )


def voltage_changed(columns: Columns) -> float | None:
    """Return when the voltage (column ``hvlevel``) last changed, MJD; None where it never did."""
    known = np.isfinite(columns["hvlevel"])
    level, mjd = columns["hvlevel"][known], columns["mjd"][known]
    steps = np.flatnonzero(level[1:] != level[:-1])
    return float(mjd[steps[-1] + 1]) if len(steps) else None
