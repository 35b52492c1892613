"""Two runs of a dataset side by side: spectra and their ratio, counts and flags, headers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from astropy.io import fits

from services.monitor.products.spectra import listed, open_product
from services.monitor.queries.files import DatasetFile
from shared.store import Store

__all__ = ["Measured", "compare", "measure"]

Array = np.ndarray[Any, np.dtype[np.float64]]

_COLUMNS = ("WAVELENGTH", "FLUX", "ERROR", "DQ_WGT", "GCOUNTS", "NET", "BACKGROUND")
_UNTOLD = ("", "COMMENT", "HISTORY", "FILENAME", "DATE", "CHECKSUM", "DATASUM")
"""Cards that differ without a meaning, or are no keywords."""


@dataclass(frozen=True)
class Measured:
    """What a product has: by segment its columns and quality flags (1-D arrays), if it has spectra.

    And its headers.
    """

    columns: Mapping[str, Mapping[str, Array]]
    flags: Mapping[str, np.ndarray[Any, np.dtype[np.int64]]]
    headers: tuple[Mapping[str, Any], ...]


def measure(store: Store, file: DatasetFile) -> Measured:
    """Read a stored product; of one without spectra, only the headers.

    Parameters
    ----------
    store
        Where it is.
    file
        The file.
    """
    with open_product(store, file) as hdus:
        headers = tuple(_cards(hdu.header) for hdu in hdus)
        if "x1d" not in file.suffix:
            return Measured({}, {}, headers)
        table = hdus["SCI"].data
        names = [str(row["SEGMENT"]).strip() for row in table]
        known = [name for name in _COLUMNS if name in table.names]
        columns = {
            segment: {name: np.asarray(table[name][number], dtype=float) for name in known}
            for number, segment in enumerate(names)
        }
        flags = {
            segment: np.asarray(table["DQ"][number], dtype=np.int64)
            if "DQ" in table.names
            else np.zeros(0, np.int64)
            for number, segment in enumerate(names)
        }
        return Measured(columns, flags, headers)


def _cards(header: fits.Header) -> dict[str, Any]:
    return {
        key: value
        for key, value in header.items()
        if key not in _UNTOLD and not isinstance(value, fits.card.Undefined)
    }


def compare(first: Measured, second: Measured) -> dict[str, Any]:
    """Compare the same product of two runs.

    Parameters
    ----------
    first, second
        The products; ratios are second by first.

    Returns
    -------
    dict
        ``segments`` with wavelength (Angstrom), both fluxes and errors (erg/s/cm2/Angstrom), their
        ratio and its error (an upper limit: the photons are the same), its mean weighted by the
        sensitivity, totals of both, none where the products hold no spectra; ``only_in_one`` with
        the segments of only one of them; ``headers`` with the cards that differ.
    """
    shared = [name for name in first.columns if name in second.columns]
    return {
        "segments": [
            {
                "segment": name,
                **_ratio(first.columns[name], second.columns[name]),
                "totals": [_totals(one.columns[name], one.flags[name]) for one in (first, second)],
            }
            for name in shared
        ],
        "only_in_one": sorted(set(first.columns) ^ set(second.columns)),
        "headers": list(_differences(first, second)),
    }


def _ratio(first: Mapping[str, Array], second: Mapping[str, Array]) -> dict[str, Any]:
    """Return ratio on the first one's wavelengths; points that either run excludes have none."""
    wavelength = first["WAVELENGTH"]
    same = np.array_equal(wavelength, second["WAVELENGTH"])
    # A point between a good and a bad one is bad.
    flux, error, bad = (
        values if same else np.interp(wavelength, second["WAVELENGTH"], values, np.nan, np.nan)
        for values in (second["FLUX"], second["ERROR"], (second["DQ_WGT"] <= 0).astype(float))
    )
    finite = (
        np.isfinite(flux)
        & np.isfinite(first["FLUX"])
        & np.isfinite(error)
        & np.isfinite(first["ERROR"])
    )
    usable = finite & (first["DQ_WGT"] > 0) & (bad == 0) & (first["FLUX"] != 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(usable, flux / first["FLUX"], np.nan)
        spread = np.where(
            usable, np.hypot(error, ratio * first["ERROR"]) / np.abs(first["FLUX"]), np.nan
        )
    taken = (_sensitivity(first), first["FLUX"], first["ERROR"], flux, error)
    mean, deviation = _mean_ratio(*(values[usable] for values in taken))
    return {
        "wavelength": listed(wavelength),
        "flux": [listed(first["FLUX"]), listed(flux)],
        "error": [listed(first["ERROR"]), listed(error)],
        "ratio": listed(ratio),
        "ratio_error": listed(spread),
        "mean_ratio": mean,
        "mean_ratio_error": deviation,
        "points": int(usable.sum()),
    }


def _mean_ratio(
    weight: Array, one: Array, one_error: Array, other: Array, other_error: Array
) -> tuple[float | None, float | None]:
    """Return the ratio of the summed fluxes and its error."""
    total = float((weight * one).sum())
    if not total:
        return None, None
    mean = float((weight * other).sum()) / total
    return mean, float(
        np.sqrt((weight**2 * (other_error**2 + (mean * one_error) ** 2)).sum()) / abs(total)
    )


def _sensitivity(columns: Mapping[str, Array]) -> Array:
    """Find the rate of a unit of flux.

    Little at the ends of a spectrum, where the noise is far above the light.
    """
    flux, even = columns["FLUX"], np.ones_like(columns["FLUX"])
    return (
        np.divide(columns["NET"], flux, out=np.zeros_like(flux), where=flux != 0)
        if "NET" in columns
        else even
    )


def _totals(
    columns: Mapping[str, Array], flags: np.ndarray[Any, np.dtype[np.int64]]
) -> dict[str, Any]:
    """Sum counts and rates over the points that count, and count the points with each quality
    flag.
    """
    good = columns["DQ_WGT"] > 0
    sums = {
        name.lower(): float(np.nansum(columns[name][good]))
        for name in ("GCOUNTS", "NET", "BACKGROUND")
        if name in columns
    }
    bits = {1 << bit: int(np.count_nonzero(flags & (1 << bit))) for bit in range(15)}
    return {
        **sums,
        "good_points": int(good.sum()),
        "flags": {str(bit): count for bit, count in bits.items() if count},
    }


def _differences(first: Measured, second: Measured) -> Iterator[dict[str, Any]]:
    nothing: Mapping[str, Any] = {}
    for extension, (one, other) in enumerate(
        zip_longest(first.headers, second.headers, fillvalue=nothing)
    ):
        for keyword in sorted({*one, *other}):
            if one.get(keyword) != other.get(keyword):
                yield {
                    "extension": extension,
                    "keyword": keyword,
                    "first": one.get(keyword),
                    "second": other.get(keyword),
                }
