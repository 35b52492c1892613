"""Header keywords: the typed columns that are asked for every day, and every keyword of every
header.
"""

from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.science.base import (
    PreferredRow,
    ScienceRow,
    double,
    integer,
    moment,
    one_preferred,
    text,
)

__all__ = ["AperturePosition", "ExposureQuality", "Header", "HighVoltage", "Keywords"]


class Header(PreferredRow):
    """Header keywords of one exposure or product."""

    __tablename__ = "headers"
    __table_args__ = (
        Index(
            "ix_headers_setting",
            "segment",
            "fppos",
            "cenwave",
            "opt_elem",
            info={"purpose": "exposures of a setting"},
        ),
        one_preferred("headers", "rootname"),
        Index(
            "ix_headers_expstart",
            "expstart",
            info={"purpose": "exposures of a period; newest data"},
        ),
        Index("ix_headers_expend", "expend", info={"purpose": "end of the newest exposure"}),
        Index("ix_headers_proposid", "proposid", info={"purpose": "exposures of a proposal"}),
    )

    filetype: Mapped[str | None] = text("FILETYPE")
    instrume: Mapped[str | None] = text("INSTRUME")
    imagetyp: Mapped[str | None] = text("IMAGETYP: TIME-TAG or ACCUM")
    targname: Mapped[str | None] = text("TARGNAME")
    ra_targ: Mapped[float | None] = double("RA_TARG: right ascension of the target, J2000", "deg")
    dec_targ: Mapped[float | None] = double("DEC_TARG: declination of the target, J2000", "deg")
    proposid: Mapped[int | None] = integer("PROPOSID: proposal")
    linenum: Mapped[str | None] = text("LINENUM: visit and exposure of the proposal")
    qualcom1: Mapped[str | None] = text("QUALCOM1")
    qualcom2: Mapped[str | None] = text("QUALCOM2")
    qualcom3: Mapped[str | None] = text("QUALCOM3")
    quality: Mapped[str | None] = text("QUALITY")
    opus_ver: Mapped[str | None] = text("OPUS_VER")
    postarg1: Mapped[float | None] = double("POSTARG1", "arcsec")
    postarg2: Mapped[float | None] = double("POSTARG2", "arcsec")
    cal_ver: Mapped[str | None] = text("CAL_VER: CalCOS version of a product")
    proctime: Mapped[float | None] = double("PROCTIME", "d")
    crds_ctx: Mapped[str | None] = text("CRDS_CTX")
    obstype: Mapped[str | None] = text("OBSTYPE: SPECTROSCOPIC or IMAGING")
    obsmode: Mapped[str | None] = text("OBSMODE: TIME-TAG or ACCUM")
    exptype: Mapped[str | None] = text("EXPTYPE")
    detector: Mapped[str | None] = text("DETECTOR: FUV or NUV")
    segment: Mapped[str | None] = text("SEGMENT: FUVA, FUVB or BOTH")
    detecthv: Mapped[str | None] = text("DETECTHV")
    life_adj: Mapped[int | None] = integer(
        "LIFE_ADJ: lifetime position; -1 is non-standard", missing=(-999,)
    )
    fppos: Mapped[int | None] = integer("FPPOS")
    fpoffset: Mapped[int | None] = integer("FPOFFSET: FPPOS - 3", missing=(-999,))
    exp_num: Mapped[int | None] = integer("EXP_NUM")
    cenwave: Mapped[int | None] = integer("CENWAVE", "Angstrom")
    propaper: Mapped[str | None] = text("PROPAPER")
    apmpos: Mapped[str | None] = text("APMPOS")
    aperxpos: Mapped[float | None] = double("APERXPOS: motor steps")
    aperypos: Mapped[float | None] = double("APERYPOS: motor steps")
    aperture: Mapped[str | None] = text("APERTURE")
    opt_elem: Mapped[str | None] = text("OPT_ELEM: grating or mirror")
    shutter: Mapped[str | None] = text("SHUTTER")
    extended: Mapped[str | None] = text("EXTENDED")
    obset_id: Mapped[str | None] = text("OBSET_ID")
    asn_id: Mapped[str | None] = text("ASN_ID")
    asn_tab: Mapped[str | None] = text("ASN_TAB")
    randseed: Mapped[int | None] = integer("RANDSEED")
    lamptab: Mapped[str | None] = text("LAMPTAB: name of the lamp template table")
    asn_mtyp: Mapped[str | None] = text("ASN_MTYP")
    overflow: Mapped[int | None] = integer("OVERFLOW")
    nevents: Mapped[int | None] = integer("NEVENTS", "count")
    neventsa: Mapped[int | None] = integer("NEVENTSA", "count")
    neventsb: Mapped[int | None] = integer("NEVENTSB", "count")
    dethvla: Mapped[float | None] = double("DETHVLA: high voltage read back", "V")
    dethvlb: Mapped[float | None] = double("DETHVLB: high voltage read back", "V")
    dethvl: Mapped[float | None] = double("DETHVL: NUV high voltage read back", "V")
    deventa: Mapped[float | None] = double("DEVENTA", "count / s")
    deventb: Mapped[float | None] = double("DEVENTB", "count / s")
    feventa: Mapped[float | None] = double("FEVENTA", "count / s")
    feventb: Mapped[float | None] = double("FEVENTB", "count / s")
    hvlevela: Mapped[int | None] = integer("HVLEVELA: commanded level")
    hvlevelb: Mapped[int | None] = integer("HVLEVELB: commanded level")
    dpixel1a: Mapped[float | None] = double("DPIXEL1A", "pix")
    dpixel1b: Mapped[float | None] = double("DPIXEL1B", "pix")
    date_obs: Mapped[str | None] = text("DATE-OBS", keyword="DATE-OBS")
    time_obs: Mapped[str | None] = text("TIME-OBS", keyword="TIME-OBS")
    expstart: Mapped[float | None] = moment("EXPSTART: start, MJD UTC")
    expend: Mapped[float | None] = moment("EXPEND: end, MJD UTC")
    exptime: Mapped[float | None] = double("EXPTIME", "s")
    numflash: Mapped[int | None] = integer("NUMFLASH")
    ra_aper: Mapped[float | None] = double("RA_APER", "deg")
    dec_aper: Mapped[float | None] = double("DEC_APER", "deg")
    shift1a: Mapped[float | None] = double("SHIFT1A: dispersion shift, time-averaged", "pix")
    shift1b: Mapped[float | None] = double("SHIFT1B", "pix")
    shift1c: Mapped[float | None] = double("SHIFT1C", "pix")
    shift2a: Mapped[float | None] = double("SHIFT2A: cross-dispersion shift", "pix")
    shift2b: Mapped[float | None] = double("SHIFT2B", "pix")
    shift2c: Mapped[float | None] = double("SHIFT2C", "pix")
    sp_loc_a: Mapped[float | None] = double("SP_LOC_A: row of the spectrum", "pix")
    sp_loc_b: Mapped[float | None] = double("SP_LOC_B", "pix")
    sp_loc_c: Mapped[float | None] = double("SP_LOC_C", "pix")
    sp_nom_a: Mapped[float | None] = double("SP_NOM_A: nominal row", "pix")
    sp_nom_b: Mapped[float | None] = double("SP_NOM_B", "pix")
    sp_nom_c: Mapped[float | None] = double("SP_NOM_C", "pix")
    sp_off_a: Mapped[float | None] = double("SP_OFF_A: offset from the nominal row", "pix")
    sp_off_b: Mapped[float | None] = double("SP_OFF_B", "pix")
    sp_off_c: Mapped[float | None] = double("SP_OFF_C", "pix")
    sp_err_a: Mapped[float | None] = double("SP_ERR_A", "pix")
    sp_err_b: Mapped[float | None] = double("SP_ERR_B", "pix")
    sp_err_c: Mapped[float | None] = double("SP_ERR_C", "pix")


class Keywords(ScienceRow):
    """Every keyword of every header of a file."""

    __tablename__ = "keywords"

    hdus: Mapped[list[Any]] = mapped_column(
        comment="Headers in the order of the file: a list of objects, keyword to value; COMMENT "
        "and HISTORY as lists"
    )


class ExposureQuality(PreferredRow):
    """Keywords that tell how well an exposure went.

    Times, rates, screening tallies, stims, pointing, lamps.
    """

    __tablename__ = "quality"
    __table_args__ = (one_preferred("quality", "rootname"),)

    detector: Mapped[str | None] = text("DETECTOR: FUV or NUV")
    segment: Mapped[str | None] = text("SEGMENT: FUVA, FUVB or BOTH")
    exptype: Mapped[str | None] = text("EXPTYPE")
    expstart: Mapped[float | None] = moment("EXPSTART: start, MJD UTC")
    expend: Mapped[float | None] = moment("EXPEND: end, MJD UTC")
    exptime: Mapped[float | None] = double("EXPTIME: after the removal of bad time", "s")
    exptimea: Mapped[float | None] = double("EXPTIMEA", "s")
    exptimeb: Mapped[float | None] = double("EXPTIMEB", "s")
    rawtime: Mapped[float | None] = double("RAWTIME: before the removal of bad time", "s")
    plantime: Mapped[float | None] = double("PLANTIME: planned", "s")
    expflag: Mapped[str | None] = text("EXPFLAG: NORMAL or why not")
    ninterpt: Mapped[int | None] = integer("NINTERPT: interruptions")
    overflow: Mapped[int | None] = integer("OVERFLOW: buffer overflows")
    bufftime: Mapped[float | None] = double("BUFFTIME: time to fill the buffer", "s")
    fgslock: Mapped[str | None] = text("FGSLOCK: commanded lock of the guide stars")
    gyromode: Mapped[str | None] = text("GYROMODE")
    shutter: Mapped[str | None] = text("SHUTTER: Open or Closed")
    sun_alt: Mapped[float | None] = double(
        "SUN_ALT: altitude of the Sun above the Earth's limb", "deg"
    )
    sunangle: Mapped[float | None] = double("SUNANGLE: angle between the Sun and V1", "deg")
    moonangl: Mapped[float | None] = double("MOONANGL: angle between the Moon and V1", "deg")
    orbitper: Mapped[float | None] = double(
        "ORBITPER: orbital period", "s", missing=(-999.0, 999.0, -1.0)
    )
    doppmagv: Mapped[float | None] = double("DOPPMAGV: amplitude of the orbital velocity", "km / s")
    doppzero: Mapped[float | None] = double(
        "DOPPZERO: start of the Doppler cycle, MJD", "d", missing=(-999.0, -1.0)
    )
    nevents: Mapped[int | None] = integer("NEVENTS", "count")
    neventsa: Mapped[int | None] = integer("NEVENTSA", "count")
    neventsb: Mapped[int | None] = integer("NEVENTSB", "count")
    globrate: Mapped[float | None] = double("GLOBRATE: NUV count rate", "count / s")
    globrt_a: Mapped[float | None] = double("GLOBRT_A: count rate in the active area", "count / s")
    globrt_b: Mapped[float | None] = double("GLOBRT_B", "count / s")
    deventa: Mapped[float | None] = double("DEVENTA: digital event counter", "count / s")
    deventb: Mapped[float | None] = double("DEVENTB", "count / s")
    feventa: Mapped[float | None] = double("FEVENTA: front-end event counter", "count / s")
    feventb: Mapped[float | None] = double("FEVENTB", "count / s")
    mevents: Mapped[float | None] = double("MEVENTS: NUV event counter", "count / s")
    stimrate: Mapped[float | None] = double("STIMRATE: commanded stim rate", "Hz")
    stima_lx: Mapped[float | None] = double(
        "STIMA_LX: upper left stim, x", "pix", missing=(-999.0, -1.0)
    )
    stima_ly: Mapped[float | None] = double("STIMA_LY", "pix", missing=(-999.0, -1.0))
    stima_rx: Mapped[float | None] = double(
        "STIMA_RX: lower right stim, x", "pix", missing=(-999.0, -1.0)
    )
    stima_ry: Mapped[float | None] = double("STIMA_RY", "pix", missing=(-999.0, -1.0))
    stimb_lx: Mapped[float | None] = double("STIMB_LX", "pix", missing=(-999.0, -1.0))
    stimb_ly: Mapped[float | None] = double("STIMB_LY", "pix", missing=(-999.0, -1.0))
    stimb_rx: Mapped[float | None] = double("STIMB_RX", "pix", missing=(-999.0, -1.0))
    stimb_ry: Mapped[float | None] = double("STIMB_RY", "pix", missing=(-999.0, -1.0))
    stimaslx: Mapped[float | None] = double(
        "STIMASLX: RMS of the stim's x", "pix", missing=(-999.0, -1.0)
    )
    stimasly: Mapped[float | None] = double("STIMASLY", "pix", missing=(-999.0, -1.0))
    stimasrx: Mapped[float | None] = double("STIMASRX", "pix", missing=(-999.0, -1.0))
    stimasry: Mapped[float | None] = double("STIMASRY", "pix", missing=(-999.0, -1.0))
    stimbslx: Mapped[float | None] = double("STIMBSLX", "pix", missing=(-999.0, -1.0))
    stimbsly: Mapped[float | None] = double("STIMBSLY", "pix", missing=(-999.0, -1.0))
    stimbsrx: Mapped[float | None] = double("STIMBSRX", "pix", missing=(-999.0, -1.0))
    stimbsry: Mapped[float | None] = double("STIMBSRY", "pix", missing=(-999.0, -1.0))
    phalowra: Mapped[int | None] = integer("PHALOWRA: lowest pulse height kept")
    phalowrb: Mapped[int | None] = integer("PHALOWRB")
    phauppra: Mapped[int | None] = integer("PHAUPPRA: highest pulse height kept")
    phaupprb: Mapped[int | None] = integer("PHAUPPRB")
    npha_a: Mapped[int | None] = integer("NPHA_A: events rejected by pulse height", "count")
    npha_b: Mapped[int | None] = integer("NPHA_B", "count")
    nbrst_a: Mapped[int | None] = integer("NBRST_A: events rejected as bursts", "count")
    nbrst_b: Mapped[int | None] = integer("NBRST_B", "count")
    tbrst_a: Mapped[float | None] = double("TBRST_A: time lost to bursts", "s")
    tbrst_b: Mapped[float | None] = double("TBRST_B", "s")
    nbadt_a: Mapped[int | None] = integer("NBADT_A: events in bad time", "count")
    nbadt_b: Mapped[int | None] = integer("NBADT_B", "count")
    tbadt_a: Mapped[float | None] = double("TBADT_A: bad time", "s")
    tbadt_b: Mapped[float | None] = double("TBADT_B", "s")
    nout_a: Mapped[int | None] = integer("NOUT_A: events outside the active area", "count")
    nout_b: Mapped[int | None] = integer("NOUT_B", "count")
    nbadevta: Mapped[int | None] = integer("NBADEVTA: events rejected in all", "count")
    nbadevtb: Mapped[int | None] = integer("NBADEVTB", "count")
    deadrt_a: Mapped[float | None] = double(
        "DEADRT_A: count rate for the dead time correction", "count / s"
    )
    deadrt_b: Mapped[float | None] = double("DEADRT_B", "count / s")
    deadrt: Mapped[float | None] = double("DEADRT: NUV", "count / s")
    deadmt_a: Mapped[str | None] = text("DEADMT_A: where that rate is from")
    deadmt_b: Mapped[str | None] = text("DEADMT_B")
    livetm_a: Mapped[float | None] = double("LIVETM_A: live time over time")
    livetm_b: Mapped[float | None] = double("LIVETM_B")
    livetm: Mapped[float | None] = double("LIVETM: NUV")
    softerrs: Mapped[int | None] = integer("SOFTERRS")
    sdqflags: Mapped[int | None] = integer("SDQFLAGS: data quality bits that count as serious")
    lampplan: Mapped[str | None] = text("LAMPPLAN", missing=("", "N/A", "NONE"))
    lampused: Mapped[str | None] = text("LAMPUSED: P1, P2, D1 or D2", missing=("", "N/A", "NONE"))
    lampset: Mapped[str | None] = text("LAMPSET: current of the lamp")
    tagflash: Mapped[str | None] = text("TAGFLASH", missing=("", "N/A", "NONE"))
    numflash: Mapped[int | None] = integer("NUMFLASH: lamp flashes")
    lamp_seconds: Mapped[float | None] = double(
        "Sum of LMPDUR1 ... LMPDURn: time that the lamp was on", "s"
    )
    quality: Mapped[str | None] = text("QUALITY")


class HighVoltage(PreferredRow):
    """High voltage of one segment in one exposure, as commanded and as read back."""

    __tablename__ = "high_voltage"
    __table_args__ = (
        Index(
            "ix_high_voltage_segment_expstart",
            "segment",
            "expstart",
            info={"purpose": "history of a segment"},
        ),
        one_preferred("high_voltage", "rootname", "segment"),
    )

    expstart: Mapped[float | None] = moment("EXPSTART: start, MJD UTC")
    exptype: Mapped[str | None] = text("EXPTYPE")
    detector: Mapped[str | None] = text("DETECTOR: FUV or NUV")
    segment: Mapped[str | None] = text("FUVA or FUVB; NUV for the NUV detector")
    life_adj: Mapped[int | None] = integer(
        "LIFE_ADJ: lifetime position; -1 is non-standard", missing=(-999,)
    )
    hvlevel: Mapped[int | None] = integer(
        "HVLEVELA or HVLEVELB: level; volts are -(2500 + 15.69 level)"
    )
    dethvl: Mapped[float | None] = double("DETHVL, DETHVLA or DETHVLB: read back", "V")
    dethvc: Mapped[float | None] = double("DETHVC, DETHVCA or DETHVCB: commanded", "V")
    dethvn: Mapped[float | None] = double("DETHVNA or DETHVNB: nominal", "V")


class AperturePosition(PreferredRow):
    """Where the aperture block was in one exposure."""

    __tablename__ = "apertures"
    __table_args__ = (one_preferred("apertures", "rootname"),)

    expstart: Mapped[float | None] = moment("EXPSTART: start, MJD UTC")
    exptype: Mapped[str | None] = text("EXPTYPE")
    detector: Mapped[str | None] = text("DETECTOR: FUV or NUV")
    life_adj: Mapped[int | None] = integer(
        "LIFE_ADJ: lifetime position; -1 is non-standard", missing=(-999,)
    )
    aperture: Mapped[str | None] = text("APERTURE")
    apmpos: Mapped[str | None] = text("APMPOS: commanded position")
    extended: Mapped[str | None] = text("EXTENDED")
    aperxpos: Mapped[float | None] = double("APERXPOS: motor steps along dispersion")
    aperypos: Mapped[float | None] = double("APERYPOS: motor steps across dispersion")
