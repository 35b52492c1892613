"""Targets: flux standards and a few others, with simple spectra."""

from typing import Final

from simulator.plan import Spectrum, Target

__all__ = ["DARK", "FAINT", "FUV_STANDARD", "NUV_STANDARD", "VERY_FAINT", "WAVE"]

FUV_STANDARD: Final = Target(
    "WD0308-565",
    47.4503,
    -56.3970,
    "STAR;DB WHITE DWARF",
    Spectrum(flux=6e-14, index=-1.6, line_spacing=20.0, line_flux=1.0),
    imaging_rate=500.0,
    standard=True,
)
"""Monitors the FUV sensitivity every two months (COS Instrument Handbook, section 12.2)."""
NUV_STANDARD: Final = Target(
    "G191B2B",
    76.3776,
    52.8311,
    "STAR;DA WHITE DWARF",
    Spectrum(flux=4e-13, index=-2.0, line_spacing=10.0, line_flux=1.0),
    imaging_rate=900.0,
    standard=True,
)
FAINT: Final = Target(
    "PG1115+407",
    169.6263,
    40.4317,
    "GALAXY;QSO",
    Spectrum(
        flux=3e-14, index=-1.2, line_spacing=15.0, line_flux=2.0, line_width=60.0, velocity=0.0
    ),
    imaging_rate=60.0,
)
VERY_FAINT: Final = Target(
    "GJ-436",
    175.5462,
    26.7066,
    "STAR;M2 V DWARF",
    Spectrum(flux=4e-17, index=-1.0, line_spacing=15.0, line_flux=2.0),
    imaging_rate=20.0,
)
"""As faint as the background of the detector: most of its events are no photons."""
DARK: Final = Target("DARK", 0.0, 0.0, "CALIBRATION")
WAVE: Final = Target("WAVE", 0.0, 0.0, "CALIBRATION")
