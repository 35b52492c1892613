"""All replacements."""

from services.calibrator.acceleration import (
    alignment,
    card_verification,
    configuration,
    event_columns,
    event_files,
    fits_tables,
    images,
    lamp_shift,
    parallel,
    poisson_errors,
    quality_flags,
    reference_tables,
    resized_files,
    stripes,
    two_zone,
    unkept_images,
)

__all__ = ["ALL"]

ALL = tuple(
    module.REPLACEMENT
    for module in (
        poisson_errors,
        images,
        unkept_images,
        quality_flags,
        alignment,
        lamp_shift,
        two_zone,
        stripes,
        reference_tables,
        fits_tables,
        event_files,
        event_columns,
        configuration,
        card_verification,
        resized_files,
        parallel,
    )
)
"""In the order in which they are applied."""
