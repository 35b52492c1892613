"""Files that an exposure must have before CalCOS can calibrate it."""

from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["missing_raw", "opened_beside"]


def opened_beside(header: Mapping[str, Any]) -> list[str]:
    """Return the suffixes of the files that CalCOS opens beside a raw file, and fails without.

    The histogram of pulse heights of an FUV exposure in ACCUM mode (``timetag.doPhacorr``).

    Parameters
    ----------
    header
        Primary header of the raw file.
    """
    detector, mode, segment, switch = (
        str(header.get(keyword) or "").strip()
        for keyword in ("DETECTOR", "OBSMODE", "SEGMENT", "PHACORR")
    )
    opens = detector == "FUV" and mode == "ACCUM" and switch.upper() == "PERFORM"
    return [f"pha_{segment[-1].lower()}"] if opens and segment in ("FUVA", "FUVB") else []


def missing_raw(exposure: str, raw: Collection[str], segments: Collection[str]) -> list[str]:
    """Return the names of the raw files that an exposure must have and has not.

    Parameters
    ----------
    exposure
        Rootname.
    raw
        Suffixes of the raw files that are there.
    segments
        Segments that must be there (`shared.cos.segments.expected_segments`).

    Returns
    -------
    list of str
        ``<rootname>_<suffix>``; ``<rootname>_raw*`` where there is none at all, since only a raw
        file gives the mode.
    """
    if not raw:
        return [f"{exposure}_raw*"]
    kinds = sorted({suffix[:-2] for suffix in raw if suffix.endswith(("_a", "_b"))})
    wanted = (f"{kind}_{segment[-1].lower()}" for kind in kinds for segment in sorted(segments))
    return [f"{exposure}_{suffix}" for suffix in wanted if suffix not in raw]
