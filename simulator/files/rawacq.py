"""Raw files of target acquisitions (``rawacq``), and what the flight software reports of them in
the support file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from simulator.acquisitions import (
    LAMP_SECONDS,
    PLATE_SCALE,
    SUBARRAY,
    Dwells,
    ImageAcquisition,
    LampPeakup,
    search_of,
)
from simulator.cards import Card
from simulator.files.headers import exposure_header, primary_header
from simulator.files.telemetry import aperture_steps
from simulator.plan import ExposurePlan
from simulator.state import InstrumentState, Viewing

__all__ = ["Acquired", "acquire"]

_SLEW_SECONDS = 54.0
"""From the end of the first image to the start of the second: 54 s in two real files."""
_IMAGE_SWITCHES = frozenset({"FLATCORR", "DEADCORR", "DQICORR", "TDSCORR", "PHOTCORR"})
_IMAGE_REFERENCES = frozenset({"FLATFILE", "DEADTAB", "BPIXTAB"})
_LARGEST = 2**15 - 1


@dataclass(frozen=True)
class Acquired:
    """An acquisition that was made.

    Parameters
    ----------
    file
        Content of the ``rawacq`` file.
    slew
        Slew along and across dispersion in arcsec; None along an axis that was not measured.
    success
        Whether the target was found.
    counts
        Counts of the target's exposure.
    support
        Cards of the flight software's report, for the support file.
    lamp_sets
        How many telemetry snapshots were taken with the lamp on.
    """

    file: fits.HDUList
    slew: tuple[float | None, float | None]
    success: bool
    counts: int
    support: tuple[Card, ...]
    lamp_sets: int


def acquire(
    plan: ExposurePlan,
    state: InstrumentState,
    viewing: Viewing,
    references: Mapping[str, str],
    chance: np.random.Generator,
    context: str = "",
) -> Acquired:
    """Make an acquisition.

    Parameters
    ----------
    plan
        The exposure; its EXPTYPE chooses the algorithm.
    state, viewing
        Instrument and telescope during it; ``state.target_offset`` is what the acquisition is to
        find.
    references
        Names of the reference files by keyword.
    chance
        Random numbers.
    context
        CRDS context of the references.
    """
    filename = f"{plan.rootname}_rawacq.fits"
    segment = (
        "N/A"
        if plan.detector == "NUV"
        else ("BOTH" if len(plan.segments) == 2 else plan.segments[0])
    )
    header = primary_header(plan, filename, segment, references, context)
    for keyword in ("ASN_ID", "ASN_TAB"):
        del header[keyword]
    header["SEGMENT"] = segment
    is_image = plan.exptype == "ACQ/IMAGE"
    _keep_switches(header, _IMAGE_SWITCHES if is_image else frozenset(), is_image=is_image)
    header["FILETYPE"] = "SCI" if is_image else "ACQ"
    header["IMAGETYP"] = header["OBSMODE"] = "ACCUM"
    if is_image:
        return _image(plan, state, viewing, header, ImageAcquisition.observe(plan, state, chance))
    if plan.exptype == "ACQ/PEAKXD" and search_of(plan).size == 1:
        return _lamp_peakup(plan, state, viewing, header, LampPeakup.observe(plan, state, chance))
    return _dwells(plan, state, viewing, header, Dwells.observe(plan, state, chance))


def _keep_switches(header: fits.Header, switches: frozenset[str], *, is_image: bool) -> None:
    for keyword in [key for key in header if key.endswith("CORR") and key not in switches]:
        del header[keyword]
    for keyword in switches & set(header):
        header[keyword] = "PERFORM"
    if is_image:
        del header["OBSET_ID"]
        for keyword in [
            key for key in header if key.endswith(("TAB", "FILE")) and key not in _IMAGE_REFERENCES
        ]:
            header[keyword] = "N/A"
    elif "STATFLAG" in header:
        del header["STATFLAG"]


def _lamp_cards(plan: ExposurePlan, counts: int) -> list[Card]:
    return [
        (
            "LAMPSTAT",
            "Success" if counts >= 50 else "Failure",
            "Status of wavecal lamp image (LTACAL)",
        ),
        ("LAMPTIME", LAMP_SECONDS, "Lamp exposure integration time (seconds)"),
        ("LAMPEVNT", counts, "Total events in lamp exposure"),
        (
            "APMPOS_L",
            f"WCA-{plan.detector}{plan.life_adj if plan.life_adj > 1 else 'B'}",
            "Aperture position (lamp exp)",
        ),
        ("LAMPXPOS", 22.1, "Aperture Block Position in X (lamp exp)"),
        (
            "LAMPYPOS",
            aperture_steps(replace(plan, aperture="WCA")),
            "Aperture Block Position in Y (lamp exp)",
        ),
        ("LAMPCNTR", "Median" if plan.exptype == "ACQ/IMAGE" else "Mean", "Lamp Centering Method"),
    ]


def _status(plan: ExposurePlan, *, success: bool) -> list[Card]:
    return [
        ("ACQSTAT", "Success" if success else "Failure", "Status of target exposure"),
        ("TARGTIME", plan.exptime, "Target integration time (seconds)"),
    ]


def _extend(header: fits.Header, cards: list[Card]) -> None:
    for keyword, value, comment in cards:
        header[keyword] = (value, comment)


def _image(
    plan: ExposurePlan,
    state: InstrumentState,
    viewing: Viewing,
    header: fits.Header,
    found: ImageAcquisition,
) -> Acquired:
    left, low, width, height = SUBARRAY
    header["SUBARRAY"] = True
    header["NEXTEND"] = 6
    header["PLATESC"] = 0.0235
    cards: list[Card] = [
        *_lamp_cards(plan, found.lamp_counts),
        ("LAMPMXCR", found.lamp_spot[0], "Measured centroid of lamp exposure in X"),
        ("LAMPMYCR", found.lamp_spot[1], "Measured centroid of lamp exposure in Y"),
        *_status(plan, success=found.success),
        ("ACQCENTX", found.centroid[0], "Target centroid in X (pix)"),
        ("ACQCENTY", found.centroid[1], "Target centroid in Y (pix)"),
        ("ACQPREFX", found.preferred[0], "Desired X position (pix)"),
        ("ACQPREFY", found.preferred[1], "Desired Y position (pix)"),
        ("ACQSLEWX", found.slew[0], "Slew offset in X (arcseconds)"),
        ("ACQSLEWY", found.slew[1], "Slew offset in Y (arcseconds)"),
        (
            "WCA2SCIX",
            round(found.preferred[0] - found.lamp_spot[0], 1),
            "WCA to science aperture offset in X",
        ),
        (
            "WCA2SCIY",
            round(found.preferred[1] - found.lamp_spot[1], 1),
            "WCA to science aperture offset in Y",
        ),
        ("TRGSUBX1", left, "X coord left target subarray (pix)"),
        ("TRGSUBX2", left + width - 1, "X coord right target subarray (pix)"),
        ("TRGSUBY1", low, "Y coord lower target subarray (pix)"),
        ("TRGSUBY2", low + height - 1, "Y coord upper target subarray (pix)"),
    ]
    _extend(header, cards)
    hdus: list[fits.hdu.base.ExtensionHDU | fits.PrimaryHDU] = [fits.PrimaryHDU(header=header)]
    for number, image in enumerate(found.images, 1):
        wait = (number - 1) * (plan.exptime + _SLEW_SECONDS) / 86400.0
        part = replace(plan, start=plan.start + wait)
        hdus.extend(_imset(part, state, viewing, image, number, found.centroid))
    raw = (("LQTAXCOR", 1023.0 - found.lamp_spot[1]), ("LQTAYCOR", 1023.0 - found.lamp_spot[0]))
    target = (("LQTAMXCR", 1023.0 - found.centroid[1]), ("LQTAMYCR", 1023.0 - found.centroid[0]))
    support: list[Card] = [
        ("LQTATYPE", "LTAIMAGE", "target acquisition type"),
        *(
            (keyword, round(value, 1), "centroid in raw pixels")
            for keyword, value in (*raw, *target)
        ),
        *_slew_words(found.slew),
    ]
    return Acquired(
        fits.HDUList(hdus), found.slew, found.success, int(found.images[0].sum()), tuple(support), 1
    )


def _slew_words(slew: tuple[float | None, float | None]) -> list[Card]:
    return [
        ("LQTADPOS", round(1000.0 * (slew[0] or 0.0)), "slew along dispersion in milli-arcsec"),
        ("LQTAXPOS", round(1000.0 * (slew[1] or 0.0)), "slew across dispersion in milli-arcsec"),
    ]


def _imset(
    plan: ExposurePlan,
    state: InstrumentState,
    viewing: Viewing,
    image: NDArray[np.int32],
    number: int,
    centroid: tuple[float, float],
) -> list[fits.ImageHDU]:
    """Return SCI, ERR and DQ of one image; the latter two are constants."""
    left, low, width, height = SUBARRAY
    data = np.minimum(image, 2 * _LARGEST).astype(np.uint16)
    science = fits.ImageHDU(data, name="SCI", ver=number, uint=True)
    exposure_header(plan, state, viewing, {"NUV": int(data.sum())}, science.header)
    science.header.update(
        {
            "CORNER0X": left,
            "CORNER0Y": low,
            "SIZE0X": width,
            "SIZE0Y": height,
            "BUNIT": "COUNTS",
            "DISPAXIS": 1,
        }
    )
    angle, scale = np.radians(viewing.position_angle), 1.0 / PLATE_SCALE / 3600.0
    _extend(
        science.header,
        [
            ("CRPIX1", centroid[0], "x-coordinate of reference pixel"),
            ("CRPIX2", centroid[1], "y-coordinate of reference pixel"),
            ("CRVAL1", plan.target.ra, "first axis value at reference pixel"),
            ("CRVAL2", plan.target.dec, "second axis value at reference pixel"),
            ("CTYPE1", "RA---TAN", "the coordinate type for the first axis"),
            ("CTYPE2", "DEC--TAN", "the coordinate type for the second axis"),
            ("CD1_1", scale * np.cos(angle), "partial of first axis coordinate w.r.t. x"),
            ("CD1_2", scale * np.sin(angle), "partial of first axis coordinate w.r.t. y"),
            ("CD2_1", -scale * np.sin(angle), "partial of second axis coordinate w.r.t. x"),
            ("CD2_2", scale * np.cos(angle), "partial of second axis coordinate w.r.t. y"),
        ],
    )
    rest = []
    for name in ("ERR", "DQ"):
        hdu = fits.ImageHDU(name=name, ver=number)
        _extend(
            hdu.header,
            [
                ("NPIX1", 1024, "length of constant array axis 1"),
                ("NPIX2", 1024, "length of constant array axis 2"),
                ("PIXVALUE", 0.0 if name == "ERR" else 0, "values of pixels in constant array"),
                ("ROOTNAME", plan.rootname, "rootname of the observation set"),
                ("EXPNAME", plan.rootname, "exposure identifier"),
            ],
        )
        rest.append(hdu)
    return [science, *rest]


def _lamp_peakup(
    plan: ExposurePlan,
    state: InstrumentState,
    viewing: Viewing,
    header: fits.Header,
    found: LampPeakup,
) -> Acquired:
    cards: list[Card] = [
        *_lamp_cards(plan, found.lamp_counts),
        ("LAMPMYCR", round(found.lamp_row, 1), "Measured centroid of lamp exposure in Y (XD)"),
        *_status(plan, success=found.success),
        ("ACQNPOS", 1, "Number of dwells"),
        ("ACQSLEWY", found.slew, "Slew offset in Y (XD) (arcseconds)"),
        ("STRIPE", "NUVB", "NUV Stripe used, if NUV target acquisition"),
        ("ACQMEASY", found.measured, "Measured target centroid in Y (XD) direction"),
        ("ACQPREFY", found.preferred, "Desired computed Y position"),
        ("CENTER", "N/A", "Centering method used in Peakup"),
        ("ACQFLOOR", -999, "Threshold floor value"),
        ("STEPSIZE", -999.0, "Peakup scan stepsize in arcseconds"),
        ("ENDSLEWY", -999.0, "Y (XD) slew from final dwell position (arcsec)"),
    ]
    _extend(header, cards)
    offsets = {"XDISP_OFFSET": np.zeros(1)}
    table = _table(plan, state, viewing, offsets, np.array([found.counts]))
    slew = (None, found.slew)
    support = (("LQTATYPE", "LTAPKXD", "target acquisition type"), *_slew_words(slew))
    return Acquired(_tabular(header, table), slew, found.success, found.counts, support, 1)


def _dwells(
    plan: ExposurePlan, state: InstrumentState, viewing: Viewing, header: fits.Header, found: Dwells
) -> Acquired:
    search, kind = found.search, plan.exptype.removeprefix("ACQ/")
    scanned = {"SEARCH": (True, True), "PEAKD": (True, False), "PEAKXD": (False, True)}[kind]
    offsets, slew = {}, [None, None]  # type: tuple[dict[str, NDArray[np.float64]], list[float | None]]
    cards = [
        *_status(plan, success=found.success),
        ("CENTER", search.method, "Centering method used in Peakup"),
        ("ACQFLOOR", found.floor, "Threshold floor value"),
        ("ACQNPOS", len(found.counts), "Number of dwells"),
        ("STEPSIZE", search.step, "Peakup scan stepsize in arcseconds"),
    ]
    for axis, (used, letter, name, places) in enumerate(
        zip(scanned, "XY", ("DISP_OFFSET", "XDISP_OFFSET"), (found.x, found.y), strict=True)
    ):
        if used:
            offsets[name] = places
            slew[axis] = round(found.slew[axis], 3)
            end = round(found.slew[axis] - float(places[-1]), 3)
            cards += [
                (f"ENDSLEW{letter}", end, f"{letter} slew from final dwell position (arcsec)"),
                (
                    f"ACQSLEW{letter}",
                    round(found.slew[axis], 3),
                    f"Slew offset in {letter} (arcseconds)",
                ),
            ]
    if kind == "SEARCH":
        cards.append(("SCANSIZE", search.size, "Size of the search pattern"))
    _extend(header, cards)
    words = {"SEARCH": "LTASRCH", "PEAKD": "LTAPKD", "PEAKXD": "LTAPKXD"}
    support: list[Card] = [
        ("LQTATYPE", words[kind], "target acquisition type"),
        ("LQTASCAN", search.size, "search dimension"),
        ("LQTASTEP", round(1000.0 * search.step), "search step in milli-arcsec"),
        ("LQTACENT", search.method, "centering method"),
        ("LQTAFLOR", found.floor, "floor"),
        *_slew_words((slew[0], slew[1])),
    ]
    table = _table(plan, state, viewing, offsets, found.counts)
    pair = (slew[0], slew[1])
    return Acquired(
        _tabular(header, table), pair, found.success, int(found.counts.max()), tuple(support), 0
    )


def _table(
    plan: ExposurePlan,
    state: InstrumentState,
    viewing: Viewing,
    offsets: Mapping[str, NDArray[np.float64]],
    counts: NDArray[np.int64],
) -> fits.BinTableHDU:
    columns = [fits.Column("DWELL_POINT", "1I", array=np.arange(1, len(counts) + 1))]
    columns += [fits.Column(name, "1E", array=places) for name, places in offsets.items()]
    columns.append(fits.Column("COUNTS", "1J", array=counts))
    table = fits.BinTableHDU.from_columns(columns, name="ACQ", ver=1)
    exposure_header(plan, state, viewing, dict.fromkeys(plan.segments, 0), table.header)
    del table.header["NEVENTS"]
    return table


def _tabular(header: fits.Header, table: fits.BinTableHDU) -> fits.HDUList:
    header["NEXTEND"] = 1
    return fits.HDUList([fits.PrimaryHDU(header=header), table])
