"""Gain maps for tests of the monitors that read them from the database."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import insert

from services.ingestor.extractors.events.gains import gain_rows
from services.ingestor.extractors.rows import Rows
from services.monitor.framework.declaration import Columns, RunOutput
from services.monitor.framework.increments import join_parts
from services.monitor.library.exposure_values import take
from services.monitor.monitors import monitors
from services.monitor.monitors.gain.levels import LEVELS
from services.monitor.monitors.gain.limits import LIMITS
from services.monitor.monitors.gain.pixels import SPOTS
from shared.cos.detector import GAIN_SHAPE, X_BINNING, Y_BINNING
from shared.cos.instrument_history import Segment, lifetime_position
from shared.database.engine import Database
from shared.database.models.operations import Dataset, File
from shared.database.models.science import PULSE_HEIGHTS, Gain, row_key
from simulator.description import Instrument
from simulator.evolution import hv_level, modal_gain, spectrum_row

__all__ = ["MapTruth", "add_maps", "add_rows", "findings_of", "inputs_of"]

_FIRST_X, _FIRST_Y = 300, 210


async def add_maps(
    database: Database,
    maps: Sequence[np.ndarray],
    *,
    start: float = 58100.0,
    days: float = 10.0,
    others: Sequence[Rows] = (),
) -> None:
    """Add maps of FUVA at level 163, one every ten days.

    Gains by row and column, from superpixel (300, 210) on.
    """
    rows = []
    for number, gains in enumerate(maps):
        y, x = (index.ravel() for index in np.indices(gains.shape))
        common = {
            "rootname": f"le{number:06d}q",
            "segment": "FUVA",
            "dethv": 163,
            "expstart": start + days * number,
            "std": 1.05,
        }
        columns = {
            "x": (_FIRST_X + x).tolist(),
            "y": (_FIRST_Y + y).tolist(),
            "gain": gains.ravel().tolist(),
            "counts": [100] * gains.size,
            "charge": [1e-10] * gains.size,
        }
        rows.append(Rows(Gain, common=common, columns=columns))
    await add_rows(database, [*rows, *others])


async def add_rows(database: Database, maps: Sequence[Rows]) -> None:
    """Add rows of ``gain``, each map as a file of its own."""
    async with database.transaction() as session:
        dataset = Dataset(rootname="le0000000", kind="exposure")
        session.add(dataset)
        await session.flush()
        for number, rows in enumerate(maps):
            name = str(rows.common["rootname"])
            file = File(
                dataset_id=dataset.id,
                origin="product",
                path=f"folder{number}",
                name=f"{name}_corrtag_a.fits",
                rootname=name,
                suffix="corrtag_a",
                size=1,
                sha256="0" * 64,
                shown=True,
            )
            session.add(file)
            await session.flush()
            count = len(rows.columns["x"])
            values = [
                {"id": row_key(file.id, place), "file_id": file.id, **rows.common}
                | {column: rows.columns[column][place] for column in rows.columns}
                for place in range(count)
            ]
            await session.execute(insert(Gain), values)


@dataclass
class MapTruth:
    """Gain maps of a segment in a mission of ten years, one every ten days, with the simulated
    instrument's truth.

    Each is of the spectrum of the standard setting where it then was: five superpixels high, in
    some columns. The pulse heights are drawn about the modal gain and measured as those of
    exposures are.

    Attributes
    ----------
    segment
        FUVA or FUVB.
    start, days, maps
        First map (MJD), days between two, how many.
    columns
        Superpixels along dispersion.
    shifts
        By number of a map: bins that all its pulse heights are off.
    """

    segment: Segment
    start: float = 57062.0
    days: float = 10.0
    maps: int = 365
    columns: np.ndarray = field(default_factory=lambda: np.arange(140, 1900, 40))
    shifts: Mapping[int, float] = field(default_factory=dict)
    seed: int = 11
    instrument: Instrument = field(default_factory=Instrument)

    def mjd(self, number: int | np.ndarray) -> np.ndarray:
        """Return when a map was taken."""
        return np.asarray(self.start + self.days * np.asarray(number))

    def gain(self, mjd: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Tell the true gain at the centres of superpixels at the voltage of the time."""
        return modal_gain(
            self.instrument, self.segment, mjd, (x + 0.5) * X_BINNING, (y + 0.5) * Y_BINNING
        )

    def level(self, mjd: float) -> int:
        """Return the high-voltage level."""
        return hv_level(self.instrument, self.segment, mjd)

    def rows(self) -> Iterator[Rows]:
        """Yield the rows of ``gain`` of each map."""
        generator = np.random.default_rng(self.seed)
        for number in range(self.maps):
            mjd = float(self.mjd(number))
            centre = (
                int(spectrum_row(self.segment, lifetime_position(mjd, "G130M", 1291))) // Y_BINNING
            )
            y, x = (
                part.ravel()
                for part in np.meshgrid(
                    np.arange(centre - 2, centre + 3), self.columns, indexing="ij"
                )
            )
            counts = generator.poisson(generator.uniform(60.0, 400.0, x.size))
            place = np.repeat(np.arange(x.size), counts)
            gain = self.gain(mjd, x, y)[place] + self.shifts.get(number, 0.0)
            heights = np.clip(np.rint(generator.normal(gain, 2.3)), 0, PULSE_HEIGHTS - 1).astype(
                int
            )
            histograms = np.bincount(
                place * PULSE_HEIGHTS + heights, minlength=x.size * PULSE_HEIGHTS
            )
            pixels = y * GAIN_SHAPE[1] + x
            yield gain_rows(
                f"l{self.segment[-1].lower()}{number:06d}q",
                self.segment,
                self.level(mjd),
                mjd,
                pixels,
                histograms.reshape(-1, PULSE_HEIGHTS),
            )


def inputs_of(maps: Sequence[Rows], spots: Columns | None = None) -> dict[str, Columns]:
    """Make the columns that the gain monitor reads: files, gains, and hot spots."""
    count = np.array([len(rows.columns["x"]) for rows in maps])
    common = {
        name: [rows.common[name] for rows in maps]
        for name in ("rootname", "segment", "expstart", "dethv")
    }
    cumulative = [str(name).startswith("l_") for name in common["rootname"]]
    files = {
        "file_id": np.arange(len(maps), dtype=float),
        "rootname": np.array(common["rootname"], dtype=object),
        "segment": np.array(common["segment"], dtype=object),
        "mjd": np.array(common["expstart"], dtype=float),
        "stop": np.array(common["expstart"], dtype=float) + np.where(cumulative, 7.0, 0.01),
        "hvlevel": np.array(common["dethv"], dtype=float),
        **{
            name: np.full(len(maps), np.nan)
            for name in ("life_adj", "exptime", "proposid", "cenwave")
        },
        **{name: np.full(len(maps), None, dtype=object) for name in ("aperture", "opt_elem")},
        "written": np.zeros(len(maps)),
    }
    nothing = np.full(count.max(), np.nan)
    joined = {
        name: np.concatenate(
            [np.asarray(rows.columns.get(name, nothing[: len(rows)]), dtype=float) for rows in maps]
        )
        for name in ("x", "y", "gain", "counts", "charge")
    }
    level = np.repeat(files["hvlevel"], count)
    pixels = {
        "file_id": np.repeat(files["file_id"], count),
        "pixel": (level * GAIN_SHAPE[0] + joined["y"]) * GAIN_SHAPE[1] + joined["x"],
        **{name: joined[name] for name in ("gain", "counts", "charge")},
    }
    return {
        "files": files,
        "gains": pixels,
        "spots": spots or SPOTS.read([]),
        "limits": LIMITS.read([]),
    }


def findings_of(inputs: Mapping[str, Columns]) -> RunOutput:
    """Compute the gain monitor of what it reads (`inputs_of`)."""

    def found(key: str) -> Mapping[str, Columns]:
        segment, level = key.split()
        files = inputs["files"]
        mine = files["file_id"][(files["segment"] == segment) & (files["hvlevel"] == float(level))]
        gains = take(inputs["gains"], np.isin(inputs["gains"]["file_id"], mine))
        return LEVELS.find(key, {**inputs, "gains": gains})

    return monitors()["gain"].compute(
        {
            **inputs,
            **join_parts("levels", {key: (found(key), True) for key in LEVELS.digests(inputs)}),
        }
    )
