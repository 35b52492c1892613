"""Lamp flashes as inputs of monitors: rows, what becomes of each, errors of shifts, pairs."""

from collections.abc import Iterator

import numpy as np

from services.monitor.framework.declaration import Columns, Increment, RowQuery
from services.monitor.framework.increments import by_files
from services.monitor.library.exposure_values import take
from services.monitor.library.groups import codes_of, grouped, texts_of, worded
from services.monitor.library.shown_rows import shown
from shared.cos.instrument_history import LIFETIME_POSITIONS
from shared.database.models.science import Lampflash

__all__ = [
    "LEAST_COUNTS",
    "RANGES",
    "RESOLUTION",
    "across_error",
    "along_error",
    "configurations",
    "counts_of",
    "flashes_by_files",
    "in_statistics",
    "in_time_order",
    "of_detector",
    "pairs_of",
    "position_names",
    "regions_of",
    "statuses",
]

LEAST_COUNTS = 50.0
"""Counts of a flash without which CalCOS looks for no spectrum (3.6.2, ``findshift1.py``)."""

RESOLUTION = {"FUV": 6.0, "NUV": 3.0}
"""Resolution element along dispersion, pix: RESWIDTH of every WCPTAB."""

_HEIGHT = {"FUV": 7.0, "NUV": 13.0}
"""Width of the lamp's spectrum across dispersion, pix: BOX of every WCPTAB."""

_FLOOR_ALONG = {"FUV": 0.12, "NUV": 0.03}
_FLOOR_ACROSS = {"FUV": 0.06, "NUV": 0.09}
"""Scatter of the shifts that CalCOS 3.6.2 measures about those that were put into simulated flashes
of 10,000 counts and more, pix: it interpolates between whole pixels, and rounds rows of the NUV."""

_WIDTH_TO_SIGMA = 2.3548
"""Full width at half maximum of a normal distribution over its standard deviation."""

_PAIRED = 2.0
"""Seconds by which the median times of a flash may differ between segments."""

_ENGINEERING = -1.0
"""LIFE_ADJ where the aperture is at no lifetime position."""

RANGES = "ranges"
"""Name of the input of ranges of files, which `flashes_by_files` is parted by."""

_COLUMNS = (
    "file_id",
    "rootname",
    "detector",
    "segment",
    "flash",
    "time",
    "exptime",
    "lamp_off",
    "shift_disp",
    "x_shift",
    "y_shift",
    "found",
    "has_lines",
    "rate",
    "gross",
    "template_scale",
    "template_scale_error",
    "life_adj",
    "proposid",
    "opt_elem",
    "cenwave",
    "fppos",
    "lamptab",
    "wcptab",
    "exptype",
    "lampused",
    "lampset",
)


def _flashes_query() -> RowQuery:
    """Return the query for the flashes of spectra, not those of images and acquisitions."""
    return shown(
        Lampflash,
        *(getattr(Lampflash, name) for name in _COLUMNS),
        Lampflash.has_lines.is_not(None).label("template"),
        Lampflash.date.label("mjd"),
    ).where(
        Lampflash.filetype == "lampflash",
        Lampflash.date.is_not(None),
        Lampflash.segment.is_not(None),
        Lampflash.segment != "N/A",
    )


def flashes_by_files(*detectors: str) -> Increment:
    """Return the flashes of all exposures, by ranges of files; the table is ``flashes``.

    Parameters
    ----------
    detectors
        FUV, NUV or both.
    """
    query = _flashes_query().where(Lampflash.detector.in_(detectors))
    return by_files(RANGES, {"flashes": query}, Lampflash.file_id)


def of_detector(flashes: Columns, detector: str) -> dict[str, np.ndarray]:
    """Return the flashes of a detector, in the order of time, segment and number.

    Parameters
    ----------
    flashes
        Columns of `flashes_by_files`.
    detector
        FUV or NUV.
    """
    return in_time_order(flashes, np.flatnonzero(flashes["detector"] == detector))


def in_time_order(flashes: Columns, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return some flashes in the order of time, segment and number.

    Parameters
    ----------
    flashes
        Columns of `flashes_by_files`.
    rows
        Their places.
    """
    segment, _ = codes_of(flashes["segment"][rows])
    keys = (flashes["flash"][rows], segment, flashes["file_id"][rows], flashes["mjd"][rows])
    return take(flashes, rows[np.lexsort(keys)])


def counts_of(columns: Columns) -> np.ndarray:
    """Return the counts of each flash above the background, shape (n,)."""
    counts: np.ndarray = columns["rate"] * columns["exptime"]
    return counts


def statuses(columns: Columns) -> np.ndarray:
    """Return why flashes enter no statistic, nothing where they do; text of shape (n,).

    ``copied``: the template of the segment has no lines, so that CalCOS took the shift of another
    one; ``faint``: too few counts to look for lines; ``not found``: no lines where there should be
    some; ``engineering position``: LIFE_ADJ is -1; ``no template``: not at hand for this service,
    so that FP-POS is not taken out of the shift.
    """
    found: np.ndarray = np.full(len(columns["mjd"]), "", dtype=object)
    found[~columns["template"]] = "no template"
    lost = ~columns["found"]
    found[lost] = "not found"
    found[lost & (counts_of(columns) < LEAST_COUNTS)] = "faint"
    found[lost & columns["template"] & ~columns["has_lines"]] = "copied"
    found[columns["life_adj"] == _ENGINEERING] = "engineering position"
    return found


def in_statistics(status: np.ndarray, *, templates: bool = True) -> np.ndarray:
    """Return which flashes enter statistics, boolean of shape (n,).

    Parameters
    ----------
    status
        From `statuses`.
    templates
        Whether what is derived needs the template.
    """
    found: np.ndarray = status == ""
    return found if templates else found | (status == "no template")


def regions_of(columns: Columns, status: np.ndarray) -> np.ndarray:
    """Return what tells a value from others of its exposure and segment: number and status.

    Text, shape (n,).
    """
    number = texts_of("flash {:.0f}", columns["flash"])
    found: np.ndarray = np.where(status == "", number, number + ", " + status)
    return found


def along_error(columns: Columns, detector: str) -> np.ndarray:
    """Return the one-sigma errors of shifts along dispersion, pix, shape (n,).

    That of the place of as many counts in a line one resolution element wide, and the scatter of
    what CalCOS finds in bright spectra, in quadrature.
    """
    return _error(columns, RESOLUTION[detector], _FLOOR_ALONG[detector])


def across_error(columns: Columns, detector: str) -> np.ndarray:
    """Return the one-sigma errors of shifts across dispersion, pix, shape (n,)."""
    return _error(columns, _HEIGHT[detector], _FLOOR_ACROSS[detector])


def _error(columns: Columns, width: float, floor: float) -> np.ndarray:
    counts = counts_of(columns)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_chance = np.where(counts > 0, (width / _WIDTH_TO_SIGMA) ** 2 / counts, np.nan)
    error: np.ndarray = np.sqrt(by_chance + floor**2)
    return error


def pairs_of(columns: Columns, first: str, second: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the flashes of two segments that are the same flash.

    That of the nearest time within 2 s: the segments of an exposure may have unequal numbers.

    Parameters
    ----------
    columns
        Flashes of a detector, from `of_detector`.
    first, second
        Segments or stripes.
    """
    # A number for each file and far longer than any exposure between them.
    _, file = np.unique(columns["file_id"], return_inverse=True)
    place = file * 1e7 + columns["time"]
    one, other = (
        np.flatnonzero((columns["segment"] == name) & np.isfinite(place))
        for name in (first, second)
    )
    if not len(one) or not len(other):
        return one[:0], other[:0]
    other = other[np.argsort(place[other], kind="stable")]
    after = np.clip(np.searchsorted(place[other], place[one]), 1, max(len(other) - 1, 1))
    sides = np.stack([after - 1, np.minimum(after, len(other) - 1)])
    away = np.abs(place[other][sides] - place[one])
    nearest = sides[np.argmin(away, axis=0), np.arange(len(one))]
    close = away.min(axis=0) <= _PAIRED
    return one[close], other[nearest[close]]


def position_names(life_adj: np.ndarray) -> np.ndarray:
    """Return the names of lifetime positions: LP3, engineering, or unknown where none is listed.

    Text, shape (n,).
    """
    names = {float(one.number): f"LP{one.number}" for one in LIFETIME_POSITIONS}
    names[_ENGINEERING] = "engineering"
    return worded(life_adj, lambda number: names.get(number, "LP unknown"))


def configurations(columns: Columns, *, positions: bool) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each configuration of flashes by name, with their places in the order of time.

    Parameters
    ----------
    columns
        Flashes.
    positions
        Whether lifetime positions part them, as those of the FUV do.
    """
    parts = [columns["segment"], columns["opt_elem"], texts_of("{:.0f}", columns["cenwave"])]
    if positions:
        parts.append(position_names(columns["life_adj"]))
    for words, rows in grouped(*parts):
        yield " ".join(words), rows
