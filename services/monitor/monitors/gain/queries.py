"""Queries for gains: the superpixels of a segment at one voltage, and the files that they are
of.
"""

from sqlalchemy import Double, Integer, String, cast, func, or_, select, true

from services.monitor.framework.declaration import RowQuery
from services.monitor.framework.increments import written
from services.monitor.library.exposure_values import setting_columns
from services.monitor.library.shown_rows import shown
from shared.cos.detector import GAIN_SHAPE
from shared.cos.gain import LEAST_COUNTS
from shared.database.models.operations import File
from shared.database.models.science import ROWS_PER_FILE, Gain, Header, believed

__all__ = ["EARLIEST", "TABLES", "files_query", "pixels_query"]

EARLIEST = 55197.0
"""Gains before 2010-01-01, MJD, are left out (legacy gain monitor)."""

TABLES = frozenset({"gain", "headers"})
"""Tables that the queries read."""

_HIGHEST = 255
"""Highest level of the high voltage: HVLEVELA and HVLEVELB have 8 bits."""

_CUMULATIVE_DAYS = 7.0
"""Days that a cumulative image collects; it has no row in ``headers``."""


def pixels_query(segment: str, level: int) -> RowQuery:
    """Return the query for the gains of a segment.

    File, superpixel as ``(dethv * 512 + y) * 2048 + x``, gain, counts, charge.

    Images of ACCUM exposures have no gain.

    Parameters
    ----------
    segment
        FUVA or FUVB.
    level
        Commanded level of the high voltage.
    """
    # The types keep the products from overflowing that of the columns.
    row = cast(Gain.dethv, Integer) * GAIN_SHAPE[0] + Gain.y
    return shown(
        Gain,
        Gain.file_id,
        cast(row * GAIN_SHAPE[1] + Gain.x, Integer).label("pixel"),
        Gain.gain,
        Gain.counts.label("counts"),
        Gain.charge,
    ).where(
        Gain.segment == segment,
        Gain.counts >= LEAST_COUNTS,
        or_(Gain.gain > 0, Gain.gain.is_(None)),
        Gain.dethv == level,
        Gain.x.between(0, GAIN_SHAPE[1] - 1),
        Gain.y.between(0, GAIN_SHAPE[0] - 1),
        Gain.expstart > EARLIEST,
    )


def files_query() -> RowQuery:
    """Return the query for the files that gains are of, by segment and voltage.

    Exposures and cumulative images.
    """
    # Looked up file by file, by the key that their rows begin with: statistics of the table play no
    # part.
    first = File.id * ROWS_PER_FILE
    maps = (
        select(
            func.min(Gain.rootname, type_=String).label("rootname"),
            Gain.segment,
            func.min(Gain.expstart, type_=Double).label("mjd"),
            Gain.dethv.label("hvlevel"),
        )
        .where(Gain.id.between(first, first + ROWS_PER_FILE - 1))
        .where(Gain.expstart > EARLIEST, Gain.dethv.between(0, _HIGHEST), believed(Gain))
        .group_by(Gain.segment, Gain.dethv)
        .correlate(File)
        .lateral("maps")
    )
    headers = (
        select(
            func.max(Header.expend, type_=Double).label("expend"),
            func.max(Header.exptime, type_=Double).label("exptime"),
            func.max(Header.life_adj).label("life_adj"),
            func.max(Header.propaper, type_=String).label("aperture"),
            *setting_columns(grouped=True),
        )
        .where(Header.file_id == File.id, believed(Header))
        .correlate(File)
        .lateral("headers_of_file")
    )
    return (
        select(
            File.id.label("file_id"),
            maps.c.rootname,
            maps.c.segment,
            maps.c.mjd,
            func.coalesce(headers.c.expend, maps.c.mjd + _CUMULATIVE_DAYS, type_=Double).label(
                "stop"
            ),
            maps.c.hvlevel,
            cast(headers.c.life_adj, Double).label("life_adj"),
            headers.c.exptime,
            headers.c.aperture,
            headers.c.proposid,
            headers.c.opt_elem,
            headers.c.cenwave,
            written(TABLES).label("written"),
        )
        .select_from(File)
        .join(maps, true())
        .join(headers, true())
        .where(File.shown)
    )
