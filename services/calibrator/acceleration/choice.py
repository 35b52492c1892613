"""Choice of the replacements in a run."""

__all__ = ["NAMES", "left_out"]

NAMES = (
    "poisson_errors",
    "images",
    "unkept_images",
    "quality_flags",
    "alignment",
    "lamp_shift",
    "two_zone",
    "stripes",
    "reference_tables",
    "fits_tables",
    "event_files",
    "event_columns",
    "configuration",
    "card_verification",
    "resized_files",
    "parallel",
)
"""Every replacement, in the order in which they are applied."""


def left_out(acceleration: bool, without: str) -> frozenset[str]:
    """Return the names of the replacements that are switched off.

    Parameters
    ----------
    acceleration
        Whether there are to be any at all.
    without
        Names of those to leave out, comma separated.

    Raises
    ------
    ValueError
        If a name is no replacement's.
    """
    names = {name.strip() for name in without.split(",")} - {""}
    if unknown := sorted(names - set(NAMES)):
        raise ValueError(
            "COSMO_CALIBRATOR__ACCELERATION_WITHOUT: no replacement is called "
            f"{', '.join(unknown)}; "
            f"there are {', '.join(NAMES)}"
        )
    return frozenset(names if acceleration else NAMES)
