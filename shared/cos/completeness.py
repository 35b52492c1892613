"""Which raw files an exposure must have."""

from collections.abc import Collection

__all__ = ["missing_raw"]


def missing_raw(exposure: str, raw: Collection[str], segments: Collection[str]) -> list[str]:
    """Names of the raw files that an exposure must have and has not.

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
        ``<rootname>_<suffix>``; ``<rootname>_raw*`` where there is none at all, since only a raw file tells the mode.
    """
    if not raw:
        return [f"{exposure}_raw*"]
    kinds = sorted({suffix[:-2] for suffix in raw if suffix.endswith(("_a", "_b"))})
    wanted = (f"{kind}_{segment[-1].lower()}" for kind in kinds for segment in sorted(segments))
    return [f"{exposure}_{suffix}" for suffix in wanted if suffix not in raw]
