"""Writer of the raw science files of an exposure."""

from collections.abc import Mapping
from pathlib import Path

from astropy.io import fits

from simulator.files.events import event_hdus
from simulator.files.headers import exposure_header, primary_header
from simulator.files.images import histogram_hdu, image_hdus
from simulator.forward.recording import Recording
from simulator.instrument import fuv, nuv
from simulator.plan import ExposurePlan, FaultKind
from simulator.state import InstrumentState, Viewing

__all__ = ["write_raw"]


_ODD_MJD = 1e9
"""Time that no calendar has: the year 2.7 million."""


def write_raw(
    plan: ExposurePlan,
    state: InstrumentState,
    viewing: Viewing,
    recordings: Mapping[str, Recording],
    references: Mapping[str, str],
    folder: Path,
    context: str = "",
) -> list[Path]:
    """Write the raw files of an exposure, with the faults that were asked for.

    Parameters
    ----------
    plan, state, viewing
        The exposure.
    recordings
        What each detector (FUVA, FUVB, NUV) recorded.
    references
        Name of the reference file for each keyword.
    folder
        Where to.
    context
        CRDS context that the references were chosen by.

    Returns
    -------
    list of Path
        Files written; none where the exposure shall be missing.
    """
    if plan.faults_of(FaultKind.MISSING):
        return []
    root = plan.rootname.upper() if plan.faults_of(FaultKind.UPPER_CASE) else plan.rootname
    events = {segment: len(recording.time) for segment, recording in recordings.items()}
    kinds = ("rawtag",) if plan.obsmode == "TIME-TAG" else ("rawaccum", "pha")
    paths = []
    for segment, recording in recordings.items():
        for kind in kinds if segment != "NUV" else kinds[:1]:
            ending = "" if segment == "NUV" else f"_{segment[-1].lower()}"
            path = folder / f"{root}_{kind}{ending}.fits"
            hdus = _extensions(kind, recording, plan)
            exposure_header(plan, state, viewing, events, hdus[0].header)
            if plan.faults_of(FaultKind.ODD_TIME):
                hdus[0].header.update(EXPSTART=_ODD_MJD, EXPEND=_ODD_MJD)
            primary = fits.PrimaryHDU(
                header=primary_header(plan, path.name, segment, references, context)
            )
            primary.header["NEXTEND"] = len(hdus)
            fits.HDUList([primary, *hdus]).writeto(path)
            paths.append(path)
    for fault in plan.faults_of(FaultKind.TRUNCATED):
        _truncate(plan, fault.segment, paths)
    return paths


def _extensions(
    kind: str, recording: Recording, plan: ExposurePlan
) -> tuple[fits.ImageHDU | fits.BinTableHDU, ...]:
    if kind == "rawtag":
        return event_hdus(recording, plan.exptime, plan.detector == "FUV")
    if kind == "pha":
        return (histogram_hdu(recording),)
    return image_hdus(recording, fuv.SHAPE if plan.detector == "FUV" else nuv.SHAPE)


def _truncate(plan: ExposurePlan, segment: str, paths: list[Path]) -> None:
    """Cut one file in the middle."""
    wanted = segment or plan.segments[0]
    ending = ".fits" if wanted == "NUV" else f"_{wanted[-1].lower()}.fits"
    path = next(path for path in paths if path.name.endswith(ending))
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size // 2)
