"""Dark rates per 25 s and region, with where HST and the Sun were."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.events.declaration import Reduction
from services.ingestor.extractors.events.exposure import Exposure, in_good_time
from services.ingestor.extractors.rows import Contained, Rows, Source, finite
from services.ingestor.extractors.tables import read_columns
from shared.cos.dates import decimal_year
from shared.cos.detector import DARK_REGIONS
from shared.cos.orbit import equinox_of_2000, ground_position, subsolar_point
from shared.cos.saa import saa_distance
from shared.database.models.science import Dark
from shared.fits import Columns

__all__ = ["REDUCTION", "DarkRateAccumulator"]

Floats = NDArray[np.float64]

_SECONDS = 25.0
_LOWEST, _HIGHEST = 3, 22
"""Pulse heights that count, as in the dark monitor of spacetelescope/cosmo (2 < PHA < 23)."""

_TEMPERATURES = {"FUVA": "LDCAMPAT", "FUVB": "LDCAMPBT", "NUV": "LMMCETMP"}
_HOTTEST = 100.0
"""Temperatures from here on (129.42) stand for readings that were not taken."""


class DarkRateAccumulator:
    """Counts of every region in every 25 s; a part at the end that is shorter is left out.

    Parameters
    ----------
    source
        File.
    exposure
        What it is of.
    """

    COLUMNS: ClassVar = frozenset({"TIME", "XCORR", "YCORR", "DQ", "PHA"})

    def __init__(self, source: Source, exposure: Exposure) -> None:
        self._source = source
        self._exposure = exposure
        self._bins = int(exposure.stop // _SECONDS)
        self._regions = DARK_REGIONS[exposure.segment]
        self._counts = np.zeros((2, len(self._regions), self._bins), dtype=np.int64)

    def add(self, events: Columns) -> None:
        """Take in a part of the events."""
        number = np.floor(events["TIME"] / _SECONDS)
        inside = in_good_time(events) & (number >= 0) & (number < self._bins)
        x, y, number = (
            events["XCORR"][inside],
            events["YCORR"][inside],
            number[inside].astype(np.intp),
        )
        heights = events["PHA"][inside]
        # NUV events have no pulse heights.
        kept = (heights >= _LOWEST) & (heights <= _HIGHEST) | (self._exposure.segment == "NUV")
        for index, region in enumerate(self._regions.values()):
            here = region.contains(x, y)
            self._counts[0, index] += np.bincount(number[here & kept], minlength=self._bins)
            self._counts[1, index] += np.bincount(number[here], minlength=self._bins)

    def rows(self) -> Rows:
        """Return the rows of ``darks``, region by region."""
        regions, bins = len(self._regions), self._bins
        times = self._exposure.expstart + np.arange(bins, dtype=np.float64) * (_SECONDS / 86400.0)
        seconds = np.tile(_overlaps(self._exposure.good, bins), regions)
        npix = np.repeat([region.pixels for region in self._regions.values()], bins)
        counts, every = (table.ravel() for table in self._counts)
        where = {name: np.tile(values, regions) for name, values in self._where(times).items()}
        return Rows(
            Dark,
            common={
                "rootname": self._exposure.rootname,
                "detector": self._exposure.segment,
                "temp": self._temperature(),
                "hvlevel": self._exposure.hvlevel,
            },
            columns={
                "region": [name for name in self._regions for _ in range(bins)],
                "bin": np.tile(np.arange(bins), regions).tolist(),
                "mjd": np.tile(times, regions).tolist(),
                "date": np.tile(decimal_year(times), regions).tolist(),
                "exposure": seconds.tolist(),
                "npix": npix.tolist(),
                "counts": counts.tolist(),
                "all_counts": every.tolist(),
                "dark": _rates(counts, npix * seconds),
                "ta_dark": _rates(every, npix * seconds),
                **{name: _known(values) for name, values in where.items()},
            },
        )

    def _where(self, times: Floats) -> dict[str, Floats]:
        latitude, longitude = self._ground(times)
        sun_lat, sun_lon = subsolar_point(times)
        distance = saa_distance(latitude, longitude, self._exposure.expstart)
        return {
            "latitude": latitude,
            "longitude": longitude,
            "sun_lat": sun_lat,
            "sun_lon": sun_lon,
            "saa_distance": np.where(np.isnan(latitude), np.nan, distance),
        }

    def _ground(self, times: Floats) -> tuple[Floats, Floats]:
        """Return the positions of HST: of the support file's orbit, else as CalCOS left them in the
        file, else unknown (NaN).
        """
        support = self._source.companions(self._exposure.rootname[:8], "spt")
        if support is not None:
            with Contained(self._source, "the orbit"):
                return ground_position(support[0], times)
        with Contained(self._source, "TIMELINE"):
            return self._timeline(times)
        return np.full(len(times), np.nan), np.full(len(times), np.nan)

    def _timeline(self, times: Floats) -> tuple[Floats, Floats]:
        columns = read_columns(
            self._source, self._source.file.find("TIMELINE"), ["TIME", "LATITUDE", "LONGITUDE"]
        )
        if (
            len(columns) < 3 or not columns["LATITUDE"].any()
        ):  # CalCOS leaves zeros where it had no support file
            return np.full(len(times), np.nan), np.full(len(times), np.nan)
        seconds = (times - self._exposure.expstart) * 86400.0
        nearest = np.abs(columns["TIME"][:, None] - seconds).argmin(axis=0)
        return equinox_of_2000(columns["LATITUDE"][nearest], columns["LONGITUDE"][nearest], times)

    def _temperature(self) -> float | None:
        support = self._source.companions(self._exposure.rootname[:8], "spt")
        if support is None or len(support) < 3:
            return None
        found = finite(support[2].get(_TEMPERATURES[self._exposure.segment]))
        return found if found is not None and abs(found) < _HOTTEST else None


def _overlaps(good: Floats, bins: int) -> Floats:
    """Return the good time within each bin, in seconds."""
    starts = _SECONDS * np.arange(bins)[:, None]
    ends = starts + _SECONDS
    return np.asarray(
        np.clip(np.minimum(good[:, 1], ends) - np.maximum(good[:, 0], starts), 0.0, None).sum(
            axis=1
        )
    )


def _rates(counts: NDArray[np.int64], exposure: Floats) -> list[Any]:
    return [
        count / time if time > 0 else None
        for count, time in zip(counts.tolist(), exposure.tolist(), strict=True)
    ]


def _known(values: Floats) -> list[Any]:
    return [None if np.isnan(value) else value for value in values.tolist()]


REDUCTION = Reduction(
    table=Dark,
    accumulator=DarkRateAccumulator,
    only={"OBSMODE": "TIME-TAG", "EXPTYPE": "DARK"},
)
