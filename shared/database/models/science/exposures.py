"""Tables of spectra, lamp flashes, target acquisitions and the planned schedule."""

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from shared.database.models.science.base import (
    PreferredRow,
    ScienceRow,
    double,
    flag,
    integer,
    moment,
    one_preferred,
    text,
)

__all__ = ["Acquisition", "Lampflash", "ScheduledExposure", "SpectrumSummary"]


class SpectrumSummary(ScienceRow):
    """Summary of an extracted spectrum, over all segments."""

    __tablename__ = "data"

    flux_mean: Mapped[float | None] = double("Mean flux", "erg / (s cm2 Angstrom)")
    flux_max: Mapped[float | None] = double("Largest flux", "erg / (s cm2 Angstrom)")
    flux_std: Mapped[float | None] = double(
        "Standard deviation of the flux", "erg / (s cm2 Angstrom)"
    )
    wl_min: Mapped[float | None] = double("Shortest wavelength", "Angstrom")
    wl_max: Mapped[float | None] = double("Longest wavelength", "Angstrom")
    gross_a: Mapped[float | None] = double(
        "Counts in the box of segment or stripe A: sum of GROSS", "count / s"
    )
    gross_b: Mapped[float | None] = double("Counts in the box of segment or stripe B", "count / s")
    gross_c: Mapped[float | None] = double("Counts in the box of stripe C", "count / s")


class Lampflash(ScienceRow):
    """One lamp flash in one segment or stripe."""

    __tablename__ = "lampflash"
    __table_args__ = (
        Index(
            "ix_lampflash_setting",
            "opt_elem",
            "cenwave",
            "date",
            info={"purpose": "history of a setting"},
        ),
    )

    date: Mapped[float | None] = moment("EXPSTART of the exposure, MJD UTC", keyword="EXPSTART")
    proposid: Mapped[int | None] = integer("PROPOSID: proposal")
    detector: Mapped[str | None] = text("DETECTOR")
    segment: Mapped[str | None] = text("Segment or stripe")
    opt_elem: Mapped[str | None] = text("OPT_ELEM")
    cenwave: Mapped[int | None] = integer("CENWAVE", "Angstrom")
    fppos: Mapped[int | None] = integer("FPPOS")
    lamptab: Mapped[str | None] = text("LAMPTAB")
    flash: Mapped[int | None] = integer("Ordinal of the flash within its segment, from 1")
    time: Mapped[float | None] = double("Median time of the flash's events since EXPSTART", "s")
    shift_disp: Mapped[float | None] = double("SHIFT_DISP: with the FP-POS displacement", "pix")
    x_shift: Mapped[float | None] = double(
        "SHIFT_DISP - FP_PIXEL_SHIFT; null where the lamp template is not at hand", "pix"
    )
    y_shift: Mapped[float | None] = double("SHIFT_XDISP", "pix")
    found: Mapped[bool | None] = flag("SPEC_FOUND: whether the lamp spectrum was found")
    exptime: Mapped[float | None] = double("Time that the lamp was on", "s")
    lamp_on: Mapped[float | None] = double("When it came on, since EXPSTART", "s")
    lamp_off: Mapped[float | None] = double("When it went off, since EXPSTART", "s")
    rate: Mapped[float | None] = double("Sum of NET over the spectrum", "count / s")
    gross: Mapped[float | None] = double("Sum of GROSS over the spectrum", "count / s")
    template_scale: Mapped[float | None] = double(
        "Factor of the template's INTENSITY that fits NET best; null where the template has no "
        "lines or is not at hand",
        "1 / s",
    )
    template_scale_error: Mapped[float | None] = double(
        "One-sigma error of template_scale by the counts", "1 / s"
    )
    chi_square: Mapped[float | None] = double("Chi square of the match with the template")
    n_deg_freedom: Mapped[int | None] = integer("Degrees of freedom of that match")
    life_adj: Mapped[int | None] = integer(
        "LIFE_ADJ: lifetime position; -1 is non-standard", missing=(-999,)
    )
    fpoffset: Mapped[int | None] = integer("FPOFFSET: FPPOS - 3", missing=(-999,))
    filetype: Mapped[str | None] = text("Kind of file that the row was read from")
    cal_date: Mapped[str | None] = text("DATE of the file", keyword="DATE")
    exptype: Mapped[str | None] = text("EXPTYPE: WAVECAL where the lamp was all that was seen")
    obset_id: Mapped[str | None] = text("OBSET_ID: observation set of the proposal")
    lampused: Mapped[str | None] = text("LAMPUSED: P1 or P2", missing=("", "N/A", "NONE"))
    lampset: Mapped[str | None] = text(
        "LAMPSET: current of the lamp", missing=("", "N/A", "NONE", "Off")
    )
    wcptab: Mapped[str | None] = text("WCPTAB: where the spectrum is looked for")
    has_lines: Mapped[bool | None] = flag(
        "Whether the template has lines in the segment; null where it is not at hand"
    )


class Acquisition(ScienceRow):
    """One target acquisition."""

    __tablename__ = "acqs"
    __table_args__ = (
        Index("ix_acqs_expstart", "expstart", info={"purpose": "acquisitions of a period"}),
    )

    obset_id: Mapped[str | None] = text("OBSET_ID")
    linenum: Mapped[str | None] = text("LINENUM")
    exptype: Mapped[str | None] = text("EXPTYPE: ACQ/IMAGE, ACQ/SEARCH, ACQ/PEAKD or ACQ/PEAKXD")
    target: Mapped[str | None] = text("TARGNAME", keyword="TARGNAME")
    proposid: Mapped[int | None] = integer("PROPOSID")
    expstart: Mapped[float | None] = moment("EXPSTART, MJD UTC")
    aperture: Mapped[str | None] = text("APERTURE")
    opt_elem: Mapped[str | None] = text("OPT_ELEM")
    acqstat: Mapped[str | None] = text("ACQSTAT")
    acqslewx: Mapped[float | None] = double(
        "ACQSLEWX: slew along dispersion; null where it has none", "arcsec"
    )
    acqslewy: Mapped[float | None] = double(
        "ACQSLEWY: slew across dispersion; null where it has none", "arcsec"
    )
    lampevnt: Mapped[float | None] = double("LAMPEVNT", "count")
    nevents: Mapped[int | None] = integer("NEVENTS", "count")
    obstype: Mapped[str | None] = text("OBSTYPE: SPECTROSCOPIC or IMAGING")
    detector: Mapped[str | None] = text("DETECTOR: FUV or NUV")
    cenwave: Mapped[int | None] = integer("CENWAVE; 0 for mirrors", "Angstrom")
    life_adj: Mapped[int | None] = integer(
        "LIFE_ADJ: lifetime position; -1 is non-standard", missing=(-999,)
    )
    shutter: Mapped[str | None] = text("SHUTTER: Open or Closed")
    extended: Mapped[str | None] = text("EXTENDED: YES or NO")
    acqcentx: Mapped[float | None] = double("ACQCENTX: measured position", "pix")
    acqcenty: Mapped[float | None] = double("ACQCENTY", "pix")
    acqprefx: Mapped[float | None] = double("ACQPREFX: wanted position", "pix")
    acqprefy: Mapped[float | None] = double("ACQPREFY", "pix")
    acqmeasy: Mapped[float | None] = double("ACQMEASY: measured row", "pix")
    endslewx: Mapped[float | None] = double(
        "ENDSLEWX: slew back from the last dwell point", "arcsec"
    )
    endslewy: Mapped[float | None] = double("ENDSLEWY", "arcsec")
    center: Mapped[str | None] = text("CENTER: how the slew is made of the counts")
    acqfloor: Mapped[int | None] = integer(
        "ACQFLOOR: floor that is subtracted from the counts", "count"
    )
    acqnpos: Mapped[int | None] = integer("ACQNPOS: dwell points")
    stepsize: Mapped[float | None] = double(
        "STEPSIZE: pause between dwell points on the sky", "arcsec"
    )
    targtime: Mapped[float | None] = double("TARGTIME", "s")
    dwell_slewx: Mapped[float | None] = double(
        "Count-weighted mean of the dwell points along dispersion", "arcsec"
    )
    dwell_slewy: Mapped[float | None] = double(
        "Count-weighted mean of the dwell points across dispersion", "arcsec"
    )
    dwell_counts: Mapped[int | None] = integer("Sum of the dwell points' counts", "count")
    brightest: Mapped[int | None] = integer("Largest count of a dwell point", "count")


class ScheduledExposure(PreferredRow):
    """One exposure of a Science Mission Schedule (SMS) report; readers see the newest report's."""

    __tablename__ = "sms"
    preferred_by = "exposure"
    __table_args__ = (
        Index("ix_sms_exposure", "exposure", info={"purpose": "newest report of an exposure"}),
        Index(
            "ix_sms_sms_id_version",
            "sms_id",
            "version",
            info={"purpose": "newest version of a report"},
        ),
        Index("ix_sms_expstart", "expstart", info={"purpose": "exposures of a period"}),
        one_preferred("sms", "exposure"),
    )

    report: Mapped[str | None] = text("Report: id and version, e.g. 181137b4")
    sms_id: Mapped[str | None] = text("Id of the report without its version: yyddd and a number")
    version: Mapped[str | None] = text("Version of the report: a letter and a character")
    exposure: Mapped[str | None] = text(
        "Exposure key: proposal, observation set, alignment and exposure"
    )
    proposid: Mapped[int | None] = integer("Proposal")
    target: Mapped[str | None] = text("Target, its first 10 characters")
    detector: Mapped[str | None] = text("FUV or NUV")
    opmode: Mapped[str | None] = text(
        "TIME-TAG, ACCUM, ACQ/IMAGE, ACQ/SEARCH, ACQ/PEAKD or ACQ/PEAKXD"
    )
    exptime: Mapped[float | None] = double("Exposure time", "s")
    expstart: Mapped[float | None] = moment("Planned start, MJD UTC", planned=True)
    fuvhvstate: Mapped[str | None] = text(
        "FUV high voltage: levels A/B, or a state before 2012; null for NUV"
    )
    aperture: Mapped[str | None] = text("Aperture")
    aperture_position: Mapped[str | None] = text(
        "Position code of the aperture; null in the first layout"
    )
    osm1pos: Mapped[str | None] = text("OSM1: grating or mirror")
    osm2pos: Mapped[str | None] = text("OSM2: grating or mirror; null where it is not used")
    cenwave: Mapped[int | None] = integer("Central wavelength; 0 where it has none", "Angstrom")
    fppos: Mapped[int | None] = integer("FP-POS, 1 to 4: the report's offset + 3")
    tsinceosm1: Mapped[float | None] = double("Time since OSM1 moved", "s")
    tsinceosm2: Mapped[float | None] = double("Time since OSM2 moved", "s")
    flashes: Mapped[int | None] = integer("Lamp flashes")
    flash_duration: Mapped[float | None] = double("Duration of a flash", "s")
