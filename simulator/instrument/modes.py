"""The optical modes: which wavelength falls where, how much of it is recorded, and how wide the
spectrum is.

Sources: COS Instrument Handbook, tables 5.1, 5.3 and 5.5 (wavelength ranges, dispersions, effective
areas), COS Data Handbook table A.1 (lifetime positions); smooth functions stand in for the measured
curves.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "APERTURES",
    "BOA_TRANSMISSION",
    "CROSS_SCALE",
    "DISPERSION_SCALE",
    "FUV_CHANNELS",
    "FUV_GRATINGS",
    "GRATINGS",
    "LIFETIME_POSITIONS",
    "NUV_CHANNELS",
    "Grating",
    "Setting",
    "setting",
    "settings_of",
]

Floats = NDArray[np.float64]

FUV_CHANNELS = ("FUVA", "FUVB")
NUV_CHANNELS = ("NUVA", "NUVB", "NUVC")

LIFETIME_POSITIONS = {1: 0.0, 2: 3.5, 3: -2.5, 4: -5.0, 5: 5.4, 6: 6.5, 7: 8.3}
"""Offset of each lifetime position from the first, arcsec along cross-dispersion."""

CROSS_SCALE = {"FUV": 11.0, "NUV": 42.0}
"""Pixels for an arcsec along cross-dispersion."""

DISPERSION_SCALE = {"FUV": 44.0, "NUV": 42.0}
"""Pixels for an arcsec along dispersion."""

APERTURES = ("PSA", "BOA")
"""Apertures that see the sky.

Either stands at the same place when in use (COS Instrument Handbook, section 13.1).
"""

BOA_TRANSMISSION = 0.005
"""Light through the neutral filter of the BOA over that through the PSA: about 1/200 (COS
Instrument Handbook, 3.1).
"""

_HC = 1.98644586e-8  # erg Angstrom
_FUV_PSA = {"FUVA": 487.0, "FUVB": 543.0}
_NUV_PSA = {"NUVA": 187.0, "NUVB": 286.0, "NUVC": 422.0}
_NUV_WCA = {"NUVA": 533.0, "NUVB": 632.0, "NUVC": 768.0}
_FUV_WCA_OFFSET = 105.0
_MIDDLE = {"FUV": 8192.0, "NUV": 512.0}


@dataclass(frozen=True)
class Grating:
    """A grating.

    Attributes
    ----------
    name
        OPT_ELEM.
    detector
        FUV or NUV.
    cenwaves
        Central wavelengths that the simulator knows, Angstrom.
    dispersion
        Angstrom/pixel.
    centres
        Wavelength at the middle of the detector over the central wavelength, by channel, Angstrom.
    step
        Pixels that one FP-POS step moves the spectrum by.
    peak, peak_wavelength, peak_width
        Effective area in cm2 at its peak; where the peak is, and its sigma, Angstrom.
    """

    name: str
    detector: str
    cenwaves: tuple[int, ...]
    dispersion: float
    centres: tuple[float, ...]
    step: float
    peak: float
    peak_wavelength: float
    peak_width: float

    @property
    def channels(self) -> tuple[str, ...]:
        """Segments or stripes."""
        return FUV_CHANNELS if self.detector == "FUV" else NUV_CHANNELS


GRATINGS = {
    grating.name: grating
    for grating in (
        Grating(
            "G130M",
            "FUV",
            (1222, 1291, 1309, 1318, 1327),
            0.00997,
            (70.0, -86.0),
            246.0,
            2200.0,
            1230.0,
            130.0,
        ),
        Grating(
            "G160M",
            "FUV",
            (1533, 1577, 1600, 1611, 1623),
            0.01223,
            (89.0, -103.0),
            259.0,
            1100.0,
            1480.0,
            170.0,
        ),
        Grating(
            "G140L", "FUV", (800, 1105, 1280), 0.0803, (585.0, -530.0), 244.0, 1500.0, 1250.0, 250.0
        ),
        Grating(
            "G185M",
            "NUV",
            (1786, 1850, 1921, 1953),
            0.0350,
            (-165.0, -66.0, 33.0),
            52.0,
            550.0,
            1900.0,
            250.0,
        ),
        Grating(
            "G225M",
            "NUV",
            (2186, 2250, 2306),
            0.0345,
            (-164.0, -65.0, 34.0),
            52.0,
            650.0,
            2250.0,
            300.0,
        ),
        Grating(
            "G285M",
            "NUV",
            (2617, 2850, 2996),
            0.0400,
            (-214.0, -99.0, 16.0),
            52.0,
            500.0,
            2500.0,
            350.0,
        ),
        Grating(
            "G230L",
            "NUV",
            (2635, 2950, 3000, 3360),
            0.3900,
            (-850.0, 0.0, -1050.0),
            52.0,
            750.0,
            2300.0,
            500.0,
        ),
    )
}
"""All gratings by name."""

FUV_GRATINGS = tuple(name for name, grating in GRATINGS.items() if grating.detector == "FUV")


@dataclass(frozen=True)
class Setting:
    """One channel of a grating at one central wavelength.

    Attributes
    ----------
    grating
        The grating.
    cenwave
        Central wavelength, Angstrom.
    channel
        FUVA, FUVB, NUVA, NUVB or NUVC.
    """

    grating: Grating
    cenwave: int
    channel: str

    @property
    def detector(self) -> str:
        """FUV or NUV."""
        return self.grating.detector

    @property
    def has_lamp_lines(self) -> bool:
        """Whether the lamp has lines there: not below 900 Angstrom."""
        return float(self.wavelength(self.middle)) > 1050.0

    @property
    def coefficients(self) -> tuple[float, float, float, float]:
        """Polynomial of the wavelength in Angstrom against the pixel of the wavecal-corrected
        frame.
        """
        middle, grating = self.middle, self.grating
        centre = self.cenwave + grating.centres[grating.channels.index(self.channel)]
        curvature = (
            -2.0e-6 * grating.dispersion if self.detector == "FUV" else -1.0e-5 * grating.dispersion
        )
        slope = grating.dispersion - 2 * curvature * middle
        return centre - slope * middle - curvature * middle**2, slope, curvature, 0.0

    def wavelength(self, pixel: Floats | float) -> Floats:
        """Return wavelength in Angstrom at pixels of the wavecal-corrected frame, same shape."""
        c0, c1, c2, c3 = self.coefficients
        x = np.asarray(pixel, dtype=np.float64)
        return c0 + x * (c1 + x * (c2 + x * c3))

    def dispersion(self, pixel: Floats | float) -> Floats:
        """Return the angstrom/pixel at pixels of the wavecal-corrected frame, same shape."""
        _, c1, c2, c3 = self.coefficients
        x = np.asarray(pixel, dtype=np.float64)
        return c1 + x * (2 * c2 + x * 3 * c3)

    def pixel(self, wavelength: Floats | float) -> Floats:
        """Return the pixel of the wavecal-corrected frame at wavelengths, same shape."""
        grid = np.linspace(-3000.0, 20000.0, 2301)
        return np.asarray(np.interp(wavelength, self.wavelength(grid), grid))

    def fp_shift(self, fpoffset: int) -> float:
        """Return the pixels that an FP-POS moves the spectrum by (FP_PIXEL_SHIFT)."""
        own = 0.7 * self.grating.channels.index(self.channel)
        return fpoffset * (self.grating.step + own)

    def effective_area(self, wavelength: Floats) -> Floats:
        """Return the effective area in cm2, same shape."""
        grating = self.grating
        shape = np.exp(-0.5 * ((wavelength - grating.peak_wavelength) / grating.peak_width) ** 2)
        order = {"NUVA": 1.0, "NUVB": 0.9, "NUVC": 0.8}.get(self.channel, 1.0)
        return (
            grating.peak
            * order
            * (0.03 + 0.97 * shape)
            * (1.0 / (1.0 + np.exp((950.0 - wavelength) / 15.0)) + 1e-4)
        )

    def sensitivity(self, wavelength: Floats) -> Floats:
        """Return the count/s/pixel for 1 erg/s/cm2/Angstrom at the reference date, same shape."""
        disp = self.dispersion(self.pixel(wavelength))
        return self.effective_area(wavelength) * wavelength / _HC * disp

    def science_row(self, life_adj: int) -> float:
        """Return the y of the target's spectrum at x = 0, pixels."""
        if self.detector == "NUV":
            return _NUV_PSA[self.channel]
        return _FUV_PSA[self.channel] + CROSS_SCALE["FUV"] * LIFETIME_POSITIONS[life_adj]

    def lamp_row(self, life_adj: int) -> float:
        """Return the y of the lamp's spectrum at x = 0, pixels."""
        if self.detector == "NUV":
            return _NUV_WCA[self.channel]
        return self.science_row(life_adj) + _FUV_WCA_OFFSET

    @property
    def science_slope(self) -> float:
        """Tilt dy/dx of the target's spectrum; the FUV has its trace instead."""
        return -0.002 if self.detector == "NUV" else 0.0

    @property
    def lamp_slope(self) -> float:
        """Tilt dy/dx of the lamp's spectrum."""
        return -0.002 if self.detector == "NUV" else -4.0e-5

    def trace(self, x: Floats) -> Floats:
        """Return the y of the FUV spectrum's centre over `science_row` at detector x, pixels, same
        shape.
        """
        u = (x - self.middle) / self.middle
        sign = 1.0 if self.channel == "FUVA" else -1.0
        return sign * 1.4 * u + 0.8 * np.sin(2.5 * u) * np.cos(1.7 * u + 0.001 * self.cenwave)

    def profile_sigma(self, x: Floats) -> Floats:
        """Return the sigma in Y of the profile's core at x, pixels.

        FUV: constant over 128 columns, as the profile table is.
        """
        if self.detector == "NUV":
            return np.full(np.shape(x), 2.2)
        block = np.floor(np.asarray(x) / 128.0) * 128.0 + 64.0
        return 2.3 + 0.7 * ((block - self.middle) / self.middle) ** 2

    @property
    def middle(self) -> float:
        """Middle of the detector, pixels."""
        return _MIDDLE[self.detector]


PROFILE_WING = (0.08, 2.2)
"""Share of light in the profile's wing, and the wing's sigma over the core's."""


@cache
def setting(opt_elem: str, cenwave: int, channel: str) -> Setting:
    """Find a setting by its names.

    Raises
    ------
    KeyError
        If the grating is unknown.
    """
    return Setting(GRATINGS[opt_elem], cenwave, channel)


def settings_of(detector: str) -> list[Setting]:
    """Return all settings of a detector."""
    return [
        setting(grating.name, cenwave, channel)
        for grating in GRATINGS.values()
        if grating.detector == detector
        for cenwave in grating.cenwaves
        for channel in grating.channels
    ]
