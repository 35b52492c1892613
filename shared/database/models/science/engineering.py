"""Engineering: support files, telemetry, pointing jitter."""

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from shared.database.models.science.base import ScienceRow, double, integer, moment, text

__all__ = ["Jitter", "Support", "Telemetry"]


class Support(ScienceRow):
    """Engineering keywords of a support file, of its first telemetry snapshot."""

    __tablename__ = "spt"

    proc_typ: Mapped[str | None] = text("PROC_TYP")
    prop_typ: Mapped[str | None] = text("PROP_TYP")
    dominant_gs: Mapped[str | None] = text(
        "DGESTAR: dominant guide star; its last two letters are the FGS", keyword="DGESTAR"
    )
    secondary_gs: Mapped[str | None] = text("SGESTAR: secondary guide star", keyword="SGESTAR")
    start_time: Mapped[str | None] = text(
        "PSTRTIME: predicted start, yyyy.ddd:hh:mm:ss", keyword="PSTRTIME"
    )
    search_dimensions: Mapped[int | None] = integer("LQTASCAN", keyword="LQTASCAN")
    search_step_size: Mapped[int | None] = integer("LQTASTEP", "marcsec", keyword="LQTASTEP")
    search_type: Mapped[str | None] = text("LQTACENT", keyword="LQTACENT")
    search_floor: Mapped[int | None] = integer("LQTAFLOR", keyword="LQTAFLOR")
    lqtadpos: Mapped[int | None] = integer(
        "LQTADPOS: slew along dispersion", "marcsec", missing=(-999,)
    )
    lqtaxpos: Mapped[int | None] = integer(
        "LQTAXPOS: slew across dispersion", "marcsec", missing=(-999,)
    )
    lqitime: Mapped[float | None] = double("LQITIME", "s")
    lomfstp: Mapped[float | None] = double("LOMFSTP: focus")
    lapxlvdt: Mapped[float | None] = double("LAPXLVDT: aperture block")
    lapdlvdt: Mapped[float | None] = double("LAPDLVDT: aperture block")
    lom1posc: Mapped[float | None] = double("LOM1POSC: OSM1 coarse resolver")
    lom1posf: Mapped[float | None] = double("LOM1POSF: OSM1 fine resolver")
    lom2posc: Mapped[float | None] = double("LOM2POSC: OSM2 coarse resolver")
    lom2posf: Mapped[float | None] = double("LOM2POSF: OSM2 fine resolver")
    ldcampat: Mapped[float | None] = double("LDCAMPAT: FUV amplifier A temperature", "deg_C")
    ldcampbt: Mapped[float | None] = double("LDCAMPBT: FUV amplifier B temperature", "deg_C")
    lmmcetmp: Mapped[float | None] = double("LMMCETMP: NUV tube temperature", "deg_C")


class Telemetry(ScienceRow):
    """One reading of one telemetry mnemonic."""

    __tablename__ = "telemetry"
    __table_args__ = (
        Index(
            "ix_telemetry_mnemonic_mjd",
            "mnemonic",
            "mjd",
            info={"purpose": "history of a mnemonic"},
        ),
    )

    mnemonic: Mapped[str | None] = text("Mnemonic, e.g. LDCAMPAT")
    mjd: Mapped[float | None] = moment(
        "Time of the reading, MJD UTC; of a support file its exposure's start"
    )
    value: Mapped[float | None] = double("Reading, in the mnemonic's unit; null where it is text")
    text: Mapped[str | None] = text("Reading that is text")


class Jitter(ScienceRow):
    """Pointing jitter of one exposure; samples with placeholders (1e30 and more) are left out."""

    __tablename__ = "jitter"
    __table_args__ = (
        Index("ix_jitter_expstart", "expstart", info={"purpose": "exposures of a period"}),
    )

    expname: Mapped[str | None] = text("EXPNAME of the extension")
    proposid: Mapped[int | None] = integer("PROPOSID: proposal")
    detector: Mapped[str | None] = text("FUV or NUV, of CONFIG")
    expstart: Mapped[float | None] = moment(
        "EXPSTART of the exposure's raw file, MJD UTC; null without it"
    )
    exptype: Mapped[str | None] = text("EXPTYPE of the exposure's raw file; null without it")
    samples: Mapped[int | None] = integer("Rows of the table")
    sampling: Mapped[float | None] = double("Median pause between two samples", "s")
    duration: Mapped[float | None] = double("Time from the first sample to the last", "s")
    v2_samples: Mapped[int | None] = integer("Samples of SI_V2_AVG that are measurements")
    v2_mean: Mapped[float | None] = double("Mean of SI_V2_AVG", "arcsec")
    v2_std: Mapped[float | None] = double(
        "Standard deviation of SI_V2_AVG (of the population)", "arcsec"
    )
    v2_max: Mapped[float | None] = double("Largest SI_V2_AVG", "arcsec")
    v2_rms: Mapped[float | None] = double("Mean of SI_V2_RMS", "arcsec")
    v3_samples: Mapped[int | None] = integer("Samples of SI_V3_AVG that are measurements")
    v3_mean: Mapped[float | None] = double("Mean of SI_V3_AVG", "arcsec")
    v3_std: Mapped[float | None] = double(
        "Standard deviation of SI_V3_AVG (of the population)", "arcsec"
    )
    v3_max: Mapped[float | None] = double("Largest SI_V3_AVG", "arcsec")
    v3_rms: Mapped[float | None] = double("Mean of SI_V3_RMS", "arcsec")
    recenters: Mapped[int | None] = integer("Samples taken (TakeData 1) with Recenter set")
    slews: Mapped[int | None] = integer("Samples taken (TakeData 1) with SlewFlag set")
    latitude: Mapped[float | None] = double("Latitude of HST at the first sample", "deg")
    longitude: Mapped[float | None] = double(
        "Longitude of HST at the first sample, East, 0 to 360", "deg"
    )
