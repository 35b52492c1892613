"""All replacements, in the order in which they are applied."""

from collections.abc import Collection

from services.calibrator.acceleration import (
    alignment,
    configuration,
    fits_tables,
    images,
    lamp_shift,
    parallel,
    poisson_errors,
    quality_flags,
    reference_tables,
    two_zone,
)
from services.calibrator.acceleration.registry import Installation, install_all

__all__ = ["ALL", "NAMES", "install"]

ALL = tuple(
    module.REPLACEMENT
    for module in (
        poisson_errors,
        images,
        quality_flags,
        alignment,
        lamp_shift,
        two_zone,
        reference_tables,
        fits_tables,
        configuration,
        parallel,
    )
)
NAMES = tuple(replacement.name for replacement in ALL)


def install(disabled: Collection[str] = ()) -> Installation:
    """Install every replacement that fits this CalCOS and is not switched off.

    Parameters
    ----------
    disabled
        Names of those to leave out.

    Raises
    ------
    ValueError
        If a name in `disabled` is no replacement's.
    """
    return install_all(ALL, disabled)
