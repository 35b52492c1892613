"""Science tables: what was measured from each file. Every row points to its file, and so to its run."""

from sqlalchemy import BigInteger, Double, ForeignKey, Index
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from shared.database.base import Base

__all__ = ["SCIENCE_TABLES", "Acquisition", "Header", "Lampflash", "ScienceRow", "SpectrumSummary", "Support"]


def _double(comment: str, unit: str | None = None) -> Mapped[float | None]:
    return mapped_column(Double, comment=comment, info={"unit": unit} if unit else {})


def _integer(comment: str, unit: str | None = None) -> Mapped[int | None]:
    return mapped_column(BigInteger, comment=comment, info={"unit": unit} if unit else {})


def _text(comment: str) -> Mapped[str | None]:
    return mapped_column(comment=comment)


class ScienceRow(Base):
    """What every science table has: a key, the file that a row was measured from, and its rootname."""

    __abstract__ = True

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, comment="Key of the row")
    rootname: Mapped[str] = mapped_column(index=True, comment="Rootname of the exposure or product")

    @declared_attr
    def file_id(cls) -> Mapped[int]:  # noqa: N805 - SQLAlchemy calls it on the class
        """Key of the file in ``files``."""
        return mapped_column(
            ForeignKey("files.id", ondelete="CASCADE"), index=True, comment="File that the row was measured from"
        )


class Header(ScienceRow):
    """Header keywords of one exposure or product."""

    __tablename__ = "headers"
    __table_args__ = (Index("ix_headers_setting", "segment", "fppos", "cenwave", "opt_elem"),)

    preferred: Mapped[bool] = mapped_column(
        default=False, comment="The row of its rootname that readers see: x1d before corrtag before raw"
    )
    filetype: Mapped[str | None] = _text("FILETYPE")
    instrume: Mapped[str | None] = _text("INSTRUME")
    imagetyp: Mapped[str | None] = _text("IMAGETYP: TIME-TAG or ACCUM")
    targname: Mapped[str | None] = _text("TARGNAME")
    ra_targ: Mapped[float | None] = _double("RA_TARG: right ascension of the target, J2000", "deg")
    dec_targ: Mapped[float | None] = _double("DEC_TARG: declination of the target, J2000", "deg")
    proposid: Mapped[int | None] = _integer("PROPOSID: programme")
    linenum: Mapped[str | None] = _text("LINENUM: visit and exposure of the programme")
    qualcom1: Mapped[str | None] = _text("QUALCOM1")
    qualcom2: Mapped[str | None] = _text("QUALCOM2")
    qualcom3: Mapped[str | None] = _text("QUALCOM3")
    quality: Mapped[str | None] = _text("QUALITY")
    opus_ver: Mapped[str | None] = _text("OPUS_VER")
    postarg1: Mapped[float | None] = _double("POSTARG1", "arcsec")
    postarg2: Mapped[float | None] = _double("POSTARG2", "arcsec")
    cal_ver: Mapped[str | None] = _text("CAL_VER: CalCOS version of a product")
    proctime: Mapped[float | None] = _double("PROCTIME", "d")
    crds_ctx: Mapped[str | None] = _text("CRDS_CTX")
    obstype: Mapped[str | None] = _text("OBSTYPE: SPECTROSCOPIC or IMAGING")
    obsmode: Mapped[str | None] = _text("OBSMODE: TIME-TAG or ACCUM")
    exptype: Mapped[str | None] = _text("EXPTYPE")
    detector: Mapped[str | None] = _text("DETECTOR: FUV or NUV")
    segment: Mapped[str | None] = _text("SEGMENT: FUVA, FUVB or BOTH")
    detecthv: Mapped[str | None] = _text("DETECTHV")
    life_adj: Mapped[int | None] = mapped_column(BigInteger, comment="LIFE_ADJ: lifetime position; -1 is non-standard")
    fppos: Mapped[int | None] = _integer("FPPOS")
    fpoffset: Mapped[int | None] = mapped_column(BigInteger, comment="FPOFFSET: FPPOS - 3")
    exp_num: Mapped[int | None] = _integer("EXP_NUM")
    cenwave: Mapped[int | None] = _integer("CENWAVE", "Angstrom")
    propaper: Mapped[str | None] = _text("PROPAPER")
    apmpos: Mapped[str | None] = _text("APMPOS")
    aperxpos: Mapped[float | None] = _double("APERXPOS: motor steps")
    aperypos: Mapped[float | None] = _double("APERYPOS: motor steps")
    aperture: Mapped[str | None] = _text("APERTURE")
    opt_elem: Mapped[str | None] = _text("OPT_ELEM: grating or mirror")
    shutter: Mapped[str | None] = _text("SHUTTER")
    extended: Mapped[str | None] = _text("EXTENDED")
    obset_id: Mapped[str | None] = _text("OBSET_ID")
    asn_id: Mapped[str | None] = _text("ASN_ID")
    asn_tab: Mapped[str | None] = _text("ASN_TAB")
    randseed: Mapped[int | None] = _integer("RANDSEED")
    lamptab: Mapped[str | None] = _text("LAMPTAB: name of the lamp template table")
    asn_mtyp: Mapped[str | None] = _text("ASN_MTYP")
    overflow: Mapped[int | None] = _integer("OVERFLOW")
    nevents: Mapped[int | None] = _integer("NEVENTS", "count")
    neventsa: Mapped[int | None] = _integer("NEVENTSA", "count")
    neventsb: Mapped[int | None] = _integer("NEVENTSB", "count")
    dethvla: Mapped[float | None] = _double("DETHVLA: high voltage read back", "V")
    dethvlb: Mapped[float | None] = _double("DETHVLB: high voltage read back", "V")
    dethvl: Mapped[float | None] = _double("DETHVL: NUV high voltage read back", "V")
    deventa: Mapped[float | None] = _double("DEVENTA", "count / s")
    deventb: Mapped[float | None] = _double("DEVENTB", "count / s")
    feventa: Mapped[float | None] = _double("FEVENTA", "count / s")
    feventb: Mapped[float | None] = _double("FEVENTB", "count / s")
    hvlevela: Mapped[int | None] = _integer("HVLEVELA: commanded level")
    hvlevelb: Mapped[int | None] = _integer("HVLEVELB: commanded level")
    dpixel1a: Mapped[float | None] = _double("DPIXEL1A", "pix")
    dpixel1b: Mapped[float | None] = _double("DPIXEL1B", "pix")
    date_obs: Mapped[str | None] = _text("DATE-OBS")
    time_obs: Mapped[str | None] = _text("TIME-OBS")
    expstart: Mapped[float | None] = _double("EXPSTART: start, MJD UTC", "d")
    expend: Mapped[float | None] = _double("EXPEND: end, MJD UTC", "d")
    exptime: Mapped[float | None] = _double("EXPTIME", "s")
    numflash: Mapped[int | None] = _integer("NUMFLASH")
    ra_aper: Mapped[float | None] = _double("RA_APER", "deg")
    dec_aper: Mapped[float | None] = _double("DEC_APER", "deg")
    shift1a: Mapped[float | None] = _double("SHIFT1A: dispersion shift, time-averaged", "pix")
    shift1b: Mapped[float | None] = _double("SHIFT1B", "pix")
    shift1c: Mapped[float | None] = _double("SHIFT1C", "pix")
    shift2a: Mapped[float | None] = _double("SHIFT2A: cross-dispersion shift", "pix")
    shift2b: Mapped[float | None] = _double("SHIFT2B", "pix")
    shift2c: Mapped[float | None] = _double("SHIFT2C", "pix")
    sp_loc_a: Mapped[float | None] = _double("SP_LOC_A: row of the spectrum", "pix")
    sp_loc_b: Mapped[float | None] = _double("SP_LOC_B", "pix")
    sp_loc_c: Mapped[float | None] = _double("SP_LOC_C", "pix")
    sp_nom_a: Mapped[float | None] = _double("SP_NOM_A: nominal row", "pix")
    sp_nom_b: Mapped[float | None] = _double("SP_NOM_B", "pix")
    sp_nom_c: Mapped[float | None] = _double("SP_NOM_C", "pix")
    sp_off_a: Mapped[float | None] = _double("SP_OFF_A: offset from the nominal row", "pix")
    sp_off_b: Mapped[float | None] = _double("SP_OFF_B", "pix")
    sp_off_c: Mapped[float | None] = _double("SP_OFF_C", "pix")
    sp_err_a: Mapped[float | None] = _double("SP_ERR_A", "pix")
    sp_err_b: Mapped[float | None] = _double("SP_ERR_B", "pix")
    sp_err_c: Mapped[float | None] = _double("SP_ERR_C", "pix")


class SpectrumSummary(ScienceRow):
    """Summary of an extracted spectrum, over all segments."""

    __tablename__ = "data"

    flux_mean: Mapped[float | None] = _double("Mean flux", "erg / (s cm2 Angstrom)")
    flux_max: Mapped[float | None] = _double("Largest flux", "erg / (s cm2 Angstrom)")
    flux_std: Mapped[float | None] = _double("Standard deviation of the flux", "erg / (s cm2 Angstrom)")
    wl_min: Mapped[float | None] = _double("Shortest wavelength", "Angstrom")
    wl_max: Mapped[float | None] = _double("Longest wavelength", "Angstrom")


class Support(ScienceRow):
    """Engineering keywords of a support file, of its first telemetry snapshot."""

    __tablename__ = "spt"

    proc_typ: Mapped[str | None] = _text("PROC_TYP")
    prop_typ: Mapped[str | None] = _text("PROP_TYP")
    dominant_gs: Mapped[str | None] = _text("DGESTAR: dominant guide star; its last two letters are the FGS")
    secondary_gs: Mapped[str | None] = _text("SGESTAR: secondary guide star")
    start_time: Mapped[str | None] = _text("PSTRTIME: predicted start, yyyy.ddd:hh:mm:ss")
    search_dimensions: Mapped[int | None] = _integer("LQTASCAN")
    search_step_size: Mapped[int | None] = _integer("LQTASTEP", "marcsec")
    search_type: Mapped[str | None] = _text("LQTACENT")
    search_floor: Mapped[int | None] = _integer("LQTAFLOR")
    lqtadpos: Mapped[int | None] = mapped_column(BigInteger, comment="LQTADPOS: slew", info={"unit": "marcsec"})
    lqtaxpos: Mapped[int | None] = mapped_column(BigInteger, comment="LQTAXPOS: slew", info={"unit": "marcsec"})
    lqitime: Mapped[float | None] = _double("LQITIME", "s")
    lomfstp: Mapped[float | None] = _double("LOMFSTP: focus")
    lapxlvdt: Mapped[float | None] = _double("LAPXLVDT: aperture block")
    lapdlvdt: Mapped[float | None] = _double("LAPDLVDT: aperture block")
    lom1posc: Mapped[float | None] = _double("LOM1POSC: OSM1 coarse resolver")
    lom1posf: Mapped[float | None] = _double("LOM1POSF: OSM1 fine resolver")
    lom2posc: Mapped[float | None] = _double("LOM2POSC: OSM2 coarse resolver")
    lom2posf: Mapped[float | None] = _double("LOM2POSF: OSM2 fine resolver")
    ldcampat: Mapped[float | None] = _double("LDCAMPAT: FUV amplifier A temperature", "deg_C")
    ldcampbt: Mapped[float | None] = _double("LDCAMPBT: FUV amplifier B temperature", "deg_C")
    lmmcetmp: Mapped[float | None] = _double("LMMCETMP: NUV tube temperature", "deg_C")


class Lampflash(ScienceRow):
    """One lamp flash in one segment or stripe."""

    __tablename__ = "lampflash"

    date: Mapped[float | None] = _double("EXPSTART of the exposure, MJD UTC", "d")
    proposid: Mapped[int | None] = _integer("PROPOSID: programme")
    detector: Mapped[str | None] = _text("DETECTOR")
    segment: Mapped[str | None] = _text("Segment or stripe")
    opt_elem: Mapped[str | None] = _text("OPT_ELEM")
    cenwave: Mapped[int | None] = _integer("CENWAVE", "Angstrom")
    fppos: Mapped[int | None] = _integer("FPPOS")
    lamptab: Mapped[str | None] = _text("LAMPTAB")
    flash: Mapped[int | None] = _integer("Ordinal of the flash within its segment, from 1")
    time: Mapped[float | None] = _double("Median time of the flash's events since EXPSTART", "s")
    shift_disp: Mapped[float | None] = _double("SHIFT_DISP: with the FP-POS displacement", "pix")
    x_shift: Mapped[float | None] = mapped_column(
        Double, comment="SHIFT_DISP - FP_PIXEL_SHIFT; null where the lamp template is not at hand", info={"unit": "pix"}
    )
    y_shift: Mapped[float | None] = _double("SHIFT_XDISP", "pix")
    found: Mapped[bool | None] = mapped_column(comment="SPEC_FOUND: whether the lamp spectrum was found")
    filetype: Mapped[str | None] = _text("Kind of file that the row was read from")
    cal_date: Mapped[str | None] = _text("DATE of the file")


class Acquisition(ScienceRow):
    """One target acquisition."""

    __tablename__ = "acqs"

    obset_id: Mapped[str | None] = _text("OBSET_ID")
    linenum: Mapped[str | None] = _text("LINENUM")
    exptype: Mapped[str | None] = _text("EXPTYPE: ACQ/IMAGE, ACQ/SEARCH, ACQ/PEAKD or ACQ/PEAKXD")
    target: Mapped[str | None] = _text("TARGNAME")
    proposid: Mapped[int | None] = _integer("PROPOSID")
    expstart: Mapped[float | None] = _double("EXPSTART, MJD UTC", "d")
    aperture: Mapped[str | None] = _text("APERTURE")
    opt_elem: Mapped[str | None] = _text("OPT_ELEM")
    acqstat: Mapped[str | None] = _text("ACQSTAT")
    acqslewx: Mapped[float | None] = _double("ACQSLEWX: slew along dispersion; null where it has none", "arcsec")
    acqslewy: Mapped[float | None] = _double("ACQSLEWY: slew across dispersion; null where it has none", "arcsec")
    lampevnt: Mapped[float | None] = _double("LAMPEVNT", "count")
    nevents: Mapped[int | None] = _integer("NEVENTS", "count")


SCIENCE_TABLES: dict[str, type[ScienceRow]] = {
    model.__tablename__: model for model in (Header, SpectrumSummary, Support, Lampflash, Acquisition)
}
"""Science tables by name."""
