"""Segments of the FUV detector that an exposure has raw files of."""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["expected_segments"]

_SEGMENTS = ("FUVA", "FUVB")
_NOMINAL = re.compile(r"nom([ab]{1,2})", re.IGNORECASE)
"""DETECTHV of segments at nominal high voltage: NomA, NomB, NomAB. Any other value (Low, Off) tells
nothing of them.
"""


def expected_segments(header: Mapping[str, Any]) -> frozenset[str]:
    """Return the segments of which an exposure must have a raw file, by the primary header of any
    of its raw files.

    Parameters
    ----------
    header
        Primary header of a raw file, with SEGMENT and DETECTHV.

    Returns
    -------
    frozenset of str
        FUVA, FUVB or both; empty where one file holds the whole exposure (NUV, acquisitions).

    Notes
    -----
    SEGMENT names the file's own segment (FUVA or FUVB) and says nothing of the other one; an FUV
    acquisition, whose one file holds both, has BOTH there, and the NUV has N/A. DETECTHV names the
    segments at nominal high voltage. Where it is absent or has another value, the file's own
    segment is all that can be demanded.
    """
    own = str(header.get("SEGMENT") or "").strip().upper()
    if own not in _SEGMENTS:
        return frozenset()
    state = _NOMINAL.fullmatch(str(header.get("DETECTHV") or "").strip())
    return frozenset({own} | {f"FUV{side.upper()}" for side in (state[1] if state else "")})
