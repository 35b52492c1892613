"""What goes in must be complete, and what comes out too, whatever CalCOS returns.

CalCOS ends with status 0 when a member or a segment is missing, and stops half-way on other faults.
"""

from collections.abc import Collection, Sequence

from services.calibrator.headers import Association, Exposure
from shared.errors import PermanentError, UnsupportedError

__all__ = ["expected_products", "refuse_incomplete"]


def refuse_incomplete(
    association: Association | None, exposures: Sequence[Exposure], accepted_missing: Collection[str]
) -> None:
    """Refuse what CalCOS would only half do.

    Parameters
    ----------
    association
        Association table; None for a single exposure.
    exposures
        Raw files that are there.
    accepted_missing
        Stems of files that an operator let go.

    Raises
    ------
    PermanentError
        If a member or a segment is missing.
    UnsupportedError
        If no calibration switch is set.
    """
    have = {(exposure.rootname, exposure.suffix) for exposure in exposures}
    members = association.members if association else tuple({exposure.rootname for exposure in exposures})
    missing = [f"{member}_rawtag" for member in members if not any(root == member for root, _ in have)]
    for exposure in exposures:
        if str(exposure.header.get("SEGMENT", "")).strip() == "BOTH" and exposure.side:
            kind = exposure.suffix[:-2]
            missing += [
                f"{exposure.rootname}_{kind}_{side}"
                for side in "ab"
                if (exposure.rootname, f"{kind}_{side}") not in have
            ]
    refused = sorted(set(missing) - set(accepted_missing))
    if refused:
        raise PermanentError(f"incomplete: {', '.join(refused)} missing; fetch them, or force the dataset through")
    if not exposures:
        raise UnsupportedError("there is no raw science file; nothing to calibrate")
    if not any(value == "PERFORM" for exposure in exposures for value in exposure.switches().values()):
        raise UnsupportedError("every calibration switch is OMIT; nothing to calibrate")


def expected_products(association: Association | None, exposures: Sequence[Exposure]) -> set[str]:
    """Names of the files that a run must leave (COS Data Handbook, table 2.1).

    Parameters
    ----------
    association
        Association table; None for a single exposure.
    exposures
        Raw files that went in.
    """
    expected: set[str] = set()
    extracted = False
    for exposure in exposures:
        root, side, header = exposure.rootname, exposure.side, exposure.header
        if str(header.get("EXPTYPE", "")).startswith("ACQ"):
            continue
        expected |= {f"{root}_{kind}{side}.fits" for kind in ("corrtag", "flt", "counts")}
        spectroscopic = str(header.get("OBSTYPE", "")).strip() == "SPECTROSCOPIC"
        wavecal = str(header.get("EXPTYPE", "")).strip() == "WAVECAL"
        dark = str(header.get("EXPTYPE", "")).strip() == "DARK"
        if spectroscopic and not dark and exposure.is_set("X1DCORR"):
            expected.add(f"{root}_x1d.fits")
            extracted = extracted or not wavecal
        tagflash = str(header.get("TAGFLASH", "NONE")).strip() not in ("NONE", "N/A", "")
        if spectroscopic and tagflash and exposure.is_set("WAVECORR"):
            expected.add(f"{root}_lampflash.fits")
    if association is not None and association.product and extracted:
        expected.add(f"{association.product}_x1dsum.fits")
    return expected
