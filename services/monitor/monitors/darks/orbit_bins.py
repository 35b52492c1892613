"""25-s dark rates with HST's place, as the monitor of the orbit keeps them, by the maps that they
share.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.monitor.framework.declaration import Columns, Increment, Inputs, RowQuery
from services.monitor.framework.increments import by_files, file_ranges
from services.monitor.library.exposure_values import take
from services.monitor.library.shown_rows import shown
from services.monitor.monitors.darks.rates import is_rate
from shared.database.models.science import Dark

__all__ = ["RANGES", "Bins", "bins_by_files", "groups", "whole_segments"]

_DETECTORS = ("FUVA", "FUVB", "NUV")

_REGIONS = ("inner", "all", "legacy")
"""One region of each detector, and that which another team measured, which has maps of its own:
counts of a dark that both measured are not used twice."""

_LEGACY = "legacy"

_PLAIN = (
    "hvlevel",
    "dark",
    "exposure",
    "latitude",
    "longitude",
    "sun_lat",
    "sun_lon",
    "saa_distance",
)
"""Columns of which seven digits say all: as many as the database has of most."""

RANGES = file_ranges({"darks"})
"""Ranges of the files that `bins_by_files` parts bins by."""


def _query() -> RowQuery:
    return (
        shown(
            Dark,
            Dark.rootname,
            Dark.detector.label("segment"),
            Dark.region,
            Dark.hvlevel.label("hvlevel"),
            Dark.mjd,
            Dark.dark,
            Dark.exposure,
            Dark.latitude,
            Dark.longitude,
            Dark.sun_lat,
            Dark.sun_lon,
            Dark.saa_distance,
        )
        .where(
            Dark.region.in_(_REGIONS),
            Dark.dark.is_not(None),
            Dark.latitude.between(-90.0, 90.0),
            Dark.longitude.between(0.0, 360.0),
            is_rate(),
        )
        .order_by(Dark.file_id, Dark.rootname, Dark.mjd)
    )


def bins_by_files() -> dict[str, Increment]:
    """Return the bins (table ``bins``) and names of their exposures (``exposures``), parted by the
    input ``ranges`` (`RANGES`).
    """
    return {"by_files": replace(by_files("ranges", {"rows": _query()}, Dark.file_id), find=_find)}


def _find(_: str, inputs: Inputs) -> Mapping[str, Columns]:
    """Halve the bytes of the rows.

    A mission has a million of them, and every run reads them.
    """
    rows = inputs["rows"]
    names, place = np.unique(rows["rootname"].astype(str), return_inverse=True)
    bins = {name: rows[name].astype(np.float32) for name in _PLAIN}
    bins |= {
        "mjd": rows["mjd"],
        "exposure_number": place.astype(np.int32),
        # They are in the order of the alphabet.
        "segment": np.searchsorted(_DETECTORS, rows["segment"].astype(str)).astype(np.int8),
        "others": rows["region"].astype(str) == _LEGACY,
    }
    return {"bins": bins, "exposures": {"rootname": names.astype(object)}}


@dataclass(frozen=True)
class Bins:
    """Bins of a segment that share a map: of one voltage, and of COSMO's own darks or of another
    team's.

    Attributes
    ----------
    segment
        FUVA, FUVB or NUV.
    hvlevel
        Commanded level; NaN where there is none, where the other team says none, or where it is of
        all.
    others
        Whether another team measured them.
    columns
        Columns of the table ``bins``, float64, with ``rootname``, in the order of time; shape (n,).
    """

    segment: str
    hvlevel: float
    others: bool
    columns: Columns

    @property
    def parts(self) -> list[str]:
        """What distinguishes it from the other groups."""
        level = [f"{self.hvlevel:.0f}"] if np.isfinite(self.hvlevel) else []
        return [self.segment.lower(), *level, *([_LEGACY] if self.others else [])]

    @property
    def title(self) -> str:
        """Name for readers."""
        level = f", HV {self.hvlevel:.0f}" if np.isfinite(self.hvlevel) else ""
        return f"{self.segment}{level}{', external measurements' if self.others else ''}"


def groups(inputs: Inputs) -> Iterator[Bins]:
    """Yield the bins by segment, team and voltage.

    Parameters
    ----------
    inputs
        Tables of `bins_by_files`.
    """
    bins, exposures = inputs["bins"], inputs["exposures"]
    # Numbers of exposures begin again in each part.
    begins = np.searchsorted(exposures["part"], np.arange(len(inputs["by_files"]["key"])))
    level = np.nan_to_num(bins["hvlevel"], nan=-1.0).astype(np.int64)
    key = (
        (bins["segment"].astype(np.int64) * 2 + bins["others"]) * (level.max(initial=0) + 2)
        + level
        + 1
    )
    keys, first = np.unique(key, return_index=True)
    for number, example in zip(keys.tolist(), first.tolist(), strict=True):
        mine = np.flatnonzero(key == number)
        mine = mine[np.argsort(bins["mjd"][mine], kind="stable")]
        columns = take({name: bins[name] for name in ("mjd", *_PLAIN)}, mine)
        columns = {name: values.astype(np.float64, copy=False) for name, values in columns.items()}
        columns["rootname"] = exposures["rootname"][
            begins[bins["part"][mine]] + bins["exposure_number"][mine]
        ]
        others = bool(bins["others"][example])
        columns["region"] = np.full(len(mine), _LEGACY if others else "", dtype=object)
        segment = _DETECTORS[int(bins["segment"][example])]
        yield Bins(segment, float(bins["hvlevel"][example]), others, columns)


def whole_segments(found: Sequence[Bins]) -> list[Bins]:
    """Return the bins of all voltages together; not in the order of time."""
    whole: dict[tuple[str, bool], list[Bins]] = {}
    for one in found:
        whole.setdefault((one.segment, one.others), []).append(one)
    return [
        Bins(
            segment,
            np.nan,
            others,
            {
                name: np.concatenate([one.columns[name] for one in mine])
                for name in ("mjd", *_PLAIN)
            },
        )
        for (segment, others), mine in whole.items()
    ]
