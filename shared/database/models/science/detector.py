"""The detectors: darks, stims, pulse heights, gain."""

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base
from shared.database.models.science.base import (
    ScienceRow,
    double,
    integer,
    moment,
    packed,
    single,
    small,
    text,
)

__all__ = [
    "PULSE_HEIGHTS",
    "Dark",
    "DarkCounts",
    "EventRates",
    "FlaggedPixel",
    "Gain",
    "GainTrend",
    "PulseHeights",
    "Stim",
]

PULSE_HEIGHTS = 32
"""Pulse heights of an event: 5 bits."""


class Dark(ScienceRow):
    """Dark rate of one region of a detector in 25 s of one dark exposure."""

    __tablename__ = "darks"
    __table_args__ = (
        Index(
            "ix_darks_region", "detector", "region", "mjd", info={"purpose": "history of a region"}
        ),
    )

    detector: Mapped[str | None] = text("FUVA, FUVB or NUV")
    region: Mapped[str | None] = text(
        "inner, bottom, top, left or right; all for NUV; legacy where others measured. The regions "
        "overlap"
    )
    bin: Mapped[int | None] = integer("Number of the 25 s in the exposure, from 0")
    mjd: Mapped[float | None] = moment("Start of the 25 s, MJD UTC")
    date: Mapped[float | None] = moment("The same as decimal calendar year", "yr")
    exposure: Mapped[float | None] = double("Good time within the 25 s", "s")
    npix: Mapped[int | None] = integer("Area of the region", "pix")
    counts: Mapped[int | None] = integer(
        "Events with pulse heights 3 to 22 (FUV), all events (NUV)", "count"
    )
    all_counts: Mapped[int | None] = integer("Events of any pulse height", "count")
    dark: Mapped[float | None] = double("Dark rate of counts", "count / (s pix)")
    ta_dark: Mapped[float | None] = double("Dark rate of all_counts", "count / (s pix)")
    latitude: Mapped[float | None] = double("Latitude of HST at the start of the 25 s", "deg")
    longitude: Mapped[float | None] = double("Longitude of HST, East, 0 to 360", "deg")
    sun_lat: Mapped[float | None] = double("Latitude of the sub-solar point", "deg")
    sun_lon: Mapped[float | None] = double(
        "Longitude of the sub-solar point, East, 0 to 360", "deg"
    )
    saa_distance: Mapped[float | None] = double(
        "Distance to the edge of the SAA contour; negative inside", "km"
    )
    temp: Mapped[float | None] = double(
        "LDCAMPAT, LDCAMPBT or LMMCETMP of the support file", "deg_C"
    )
    hvlevel: Mapped[int | None] = integer("HVLEVELA or HVLEVELB; null for NUV")


class DarkCounts(ScienceRow):
    """Events of one dark exposure by superpixel (8 x 2 pixels) and pulse height, of one segment or
    the NUV detector.

    One row instead of ten to thirty thousand: the cells that have any counts are packed into bytes.
    Sixteen years of five darks a week take some 200 MB so.
    """

    __tablename__ = "dark_counts"
    __table_args__ = (
        Index("ix_dark_counts_mjd", "detector", "mjd", info={"purpose": "darks of a period"}),
    )

    detector: Mapped[str | None] = text("FUVA, FUVB or NUV")
    mjd: Mapped[float | None] = moment("EXPSTART: start, MJD UTC")
    exposure: Mapped[float | None] = double("Good time", "s")
    hvlevel: Mapped[int | None] = integer("HVLEVELA or HVLEVELB; null for NUV")
    counts: Mapped[int | None] = integer(
        "Events of any pulse height, in the active area (FUV) or anywhere", "count"
    )
    content: Mapped[bytes] = packed(
        "Counts by cell: ((y / 2) * 2048 + x / 8) * 32 + pulse height; gaps between the cells that "
        "have any, then "
        "counts, each 32 bits little-endian, as byte planes, deflated"
    )


class Stim(ScienceRow):
    """Positions of the two stim pulses of a segment in one time step of an exposure."""

    __tablename__ = "stims"
    __table_args__ = (
        Index(
            "ix_stims_segment_abs_time",
            "segment",
            "abs_time",
            info={"purpose": "history of a segment"},
        ),
    )

    segment: Mapped[str | None] = text("FUVA or FUVB")
    time: Mapped[float | None] = double("Start of the step since EXPSTART", "s")
    step: Mapped[float | None] = double("Length of the step", "s")
    abs_time: Mapped[float | None] = moment("Start of the step, MJD UTC")
    stim1_x: Mapped[float | None] = double(
        "Mean RAWX of the upper left stim; null where it was not found", "pix"
    )
    stim1_y: Mapped[float | None] = double("Mean RAWY of the upper left stim", "pix")
    stim2_x: Mapped[float | None] = double("Mean RAWX of the lower right stim", "pix")
    stim2_y: Mapped[float | None] = double("Mean RAWY of the lower right stim", "pix")
    stim1_counts: Mapped[int | None] = integer("Events in the box of the upper left stim", "count")
    stim2_counts: Mapped[int | None] = integer("Events in the box of the lower right stim", "count")
    counts: Mapped[int | None] = integer("Events in both boxes", "count")


class PulseHeights(ScienceRow):
    """Pulse-height histogram of one segment in one exposure, within the active area, without
    stims.
    """

    __tablename__ = "phd"
    __table_args__ = (
        Index(
            "ix_phd_segment_expstart",
            "segment",
            "expstart",
            info={"purpose": "history of a segment"},
        ),
    )

    segment: Mapped[str | None] = text("FUVA or FUVB")
    expstart: Mapped[float | None] = moment("EXPSTART: start, MJD UTC")
    exptime: Mapped[float | None] = double("EXPTIME", "s")
    hvlevel: Mapped[int | None] = integer("HVLEVELA or HVLEVELB")
    life_adj: Mapped[int | None] = integer(
        "LIFE_ADJ: lifetime position; -1 is non-standard", missing=(-999,)
    )
    opt_elem: Mapped[str | None] = text("OPT_ELEM")
    obsmode: Mapped[str | None] = text(
        "TIME-TAG: from events; ACCUM: from the 7-bit histogram, 4 bins in one"
    )
    counts: Mapped[int | None] = integer("Sum of the histogram", "count")
    pha_0: Mapped[int | None] = integer("Events of pulse height 0", "count")
    pha_1: Mapped[int | None] = integer("Events of pulse height 1", "count")
    pha_2: Mapped[int | None] = integer("Events of pulse height 2", "count")
    pha_3: Mapped[int | None] = integer("Events of pulse height 3", "count")
    pha_4: Mapped[int | None] = integer("Events of pulse height 4", "count")
    pha_5: Mapped[int | None] = integer("Events of pulse height 5", "count")
    pha_6: Mapped[int | None] = integer("Events of pulse height 6", "count")
    pha_7: Mapped[int | None] = integer("Events of pulse height 7", "count")
    pha_8: Mapped[int | None] = integer("Events of pulse height 8", "count")
    pha_9: Mapped[int | None] = integer("Events of pulse height 9", "count")
    pha_10: Mapped[int | None] = integer("Events of pulse height 10", "count")
    pha_11: Mapped[int | None] = integer("Events of pulse height 11", "count")
    pha_12: Mapped[int | None] = integer("Events of pulse height 12", "count")
    pha_13: Mapped[int | None] = integer("Events of pulse height 13", "count")
    pha_14: Mapped[int | None] = integer("Events of pulse height 14", "count")
    pha_15: Mapped[int | None] = integer("Events of pulse height 15", "count")
    pha_16: Mapped[int | None] = integer("Events of pulse height 16", "count")
    pha_17: Mapped[int | None] = integer("Events of pulse height 17", "count")
    pha_18: Mapped[int | None] = integer("Events of pulse height 18", "count")
    pha_19: Mapped[int | None] = integer("Events of pulse height 19", "count")
    pha_20: Mapped[int | None] = integer("Events of pulse height 20", "count")
    pha_21: Mapped[int | None] = integer("Events of pulse height 21", "count")
    pha_22: Mapped[int | None] = integer("Events of pulse height 22", "count")
    pha_23: Mapped[int | None] = integer("Events of pulse height 23", "count")
    pha_24: Mapped[int | None] = integer("Events of pulse height 24", "count")
    pha_25: Mapped[int | None] = integer("Events of pulse height 25", "count")
    pha_26: Mapped[int | None] = integer("Events of pulse height 26", "count")
    pha_27: Mapped[int | None] = integer("Events of pulse height 27", "count")
    pha_28: Mapped[int | None] = integer("Events of pulse height 28", "count")
    pha_29: Mapped[int | None] = integer("Events of pulse height 29", "count")
    pha_30: Mapped[int | None] = integer("Events of pulse height 30", "count")
    pha_31: Mapped[int | None] = integer("Events of pulse height 31", "count")


class EventRates(ScienceRow):
    """What a segment, or the NUV detector, bore in an exposure: brightest second, brightest place.

    And its good time.

    Without the seconds in which a lamp flashed; in the active area of the FUV.
    """

    __tablename__ = "event_rates"

    segment: Mapped[str | None] = text("FUVA, FUVB or NUV")
    expstart: Mapped[float | None] = moment("EXPSTART: start, MJD UTC")
    exptime: Mapped[float | None] = double("EXPTIME of the segment", "s")
    good_time: Mapped[float | None] = double("Sum of the good time intervals", "s")
    intervals: Mapped[int | None] = integer("Number of the good time intervals")
    raw_time: Mapped[float | None] = double("Sum of the good time intervals of the raw file", "s")
    raw_intervals: Mapped[int | None] = integer("Number of the good time intervals of the raw file")
    second_counts: Mapped[int | None] = integer(
        "Events in the brightest second; null for ACCUM", "count"
    )
    second_start: Mapped[float | None] = double("Start of the brightest second since EXPSTART", "s")
    local_rate: Mapped[float | None] = double(
        "Largest count rate of a place in good time: 2 by 2 pixels of the FUV, a pixel of the NUV",
        "count / (s pix)",
    )
    local_counts: Mapped[int | None] = integer("Events at that place", "count")
    local_x: Mapped[float | None] = double("Centre of that place along dispersion", "pix")
    local_y: Mapped[float | None] = double("Centre of that place across dispersion", "pix")


class Gain(ScienceRow):
    """Modal gain of one superpixel (8 x 2 pixels) of the FUV detector.

    The table of most rows. It is partitioned by segment, so that what reads a whole segment reads
    half the pages (measured in ``docs/explanation/measured.rst``); it has no index by rootname;
    that by file is a block range index, a thousandth of a tree's size, since the rows of a file lie
    together.
    """

    __tablename__ = "gain"
    __table_args__ = (
        Index(
            "ix_gain_pixel",
            "dethv",
            "x",
            "y",
            info={"purpose": "history of a superpixel; sagged superpixels"},
        ),
        Index(
            "ix_gain_file_id",
            "file_id",
            postgresql_using="brin",
            info={"purpose": "rows of a file"},
        ),
        {"postgresql_partition_by": "LIST (segment)"},
    )

    id: Mapped[int] = mapped_column(
        BigInteger,
        primary_key=True,
        comment="Key of the row, made of its file's key and its number in the file",
    )
    rootname: Mapped[str] = mapped_column(
        comment="Rootname of the exposure, or name of the cumulative image"
    )
    file_id: Mapped[int] = mapped_column(
        ForeignKey("files.id", ondelete="CASCADE"), comment="File that the row was measured from"
    )
    segment: Mapped[str] = mapped_column(String, primary_key=True, comment="FUVA or FUVB")
    dethv: Mapped[int | None] = small("High voltage level")
    expstart: Mapped[float | None] = moment("Start of the exposure or cumulative image, MJD UTC")
    x: Mapped[int | None] = small("Superpixel along dispersion: pixel / 8, from 0")
    y: Mapped[int | None] = small("Superpixel across dispersion: pixel / 2, from 0")
    gain: Mapped[float | None] = single(
        "Modal gain: centre of the pulse-height peak, in bins; null of ACCUM images"
    )
    counts: Mapped[int | None] = integer("Events of any pulse height", "count")
    std: Mapped[float | None] = single("Width of the peak, which is held fixed, in bins")
    charge: Mapped[float | None] = single("Charge that the plates gave to these events", "C")


_PIXEL_KEY = "Key of the row, made of superpixel, voltage and segment"


class FlaggedPixel(Base):
    """A superpixel that has sagged; the gain monitor keeps the table."""

    __tablename__ = "flagged"
    __table_args__ = (
        Index(
            "ix_flagged_pixel",
            "segment",
            "dethv",
            "x",
            "y",
            info={"purpose": "whether a superpixel sagged"},
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, comment=_PIXEL_KEY)
    mjd: Mapped[float | None] = double("First date with a gain of 3 or less, MJD UTC", "d")
    segment: Mapped[str | None] = text("FUVA or FUVB")
    dethv: Mapped[int | None] = small("High voltage level")
    x: Mapped[int | None] = small("Superpixel along dispersion: pixel / 8, from 0")
    y: Mapped[int | None] = small("Superpixel across dispersion: pixel / 2, from 0")


class GainTrend(Base):
    """Linear trend of the gain of a superpixel at one high voltage.

    The gain monitor keeps the table.
    """

    __tablename__ = "gain_trends"
    __table_args__ = (
        Index(
            "ix_gain_trends_pixel",
            "segment",
            "dethv",
            "x",
            "y",
            info={"purpose": "trend of a superpixel"},
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, comment=_PIXEL_KEY)
    mjd: Mapped[float | None] = double(
        "Projected date of gain 3, MJD UTC; null where the gain does not surely fall", "d"
    )
    mjd_error: Mapped[float | None] = double(
        "One-sigma error of the projected date by the fit", "d"
    )
    segment: Mapped[str | None] = text("FUVA or FUVB")
    dethv: Mapped[int | None] = small("High voltage level")
    x: Mapped[int | None] = small("Superpixel along dispersion: pixel / 8, from 0")
    y: Mapped[int | None] = small("Superpixel across dispersion: pixel / 2, from 0")
    slope: Mapped[float | None] = double("Slope, in bins per day", "1 / d")
    slope_error: Mapped[float | None] = double("One-sigma error of the slope", "1 / d")
    intercept: Mapped[float | None] = double("Gain at MJD 0, in bins")
    gains: Mapped[int | None] = small("Gains that the line is fitted to")
