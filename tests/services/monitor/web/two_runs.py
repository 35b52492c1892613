"""Products of runs, small and made by hand."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from shared.cos.names import parse_name
from shared.database.models.operations import File, Job, Run, Stage
from shared.store import Store

__all__ = ["add_run", "events", "header", "spectrum"]


def header(side: str, **values: Any) -> fits.Header:
    """Make the header of an x1d table with the places of one segment or stripe."""
    return fits.Header({f"{name}_{side}": value for name, value in values.items()})


def spectrum(path: Path, shift: float, segments: int = 2) -> None:
    """Write an x1d file of FUVA or both segments, FUVB 50 rows above FUVA."""
    columns = [fits.Column("SEGMENT", "4A", array=["FUVA", "FUVB"])]
    arrays = {"WAVELENGTH": np.tile(np.arange(1300.0, 1350.0), (2, 1))}
    arrays |= {
        name: np.full((2, 50), value)
        for name, value in {"FLUX": 2.0, "ERROR": 0.1, "DQ_WGT": 1.0}.items()
    }
    columns += [fits.Column(name, "50D", array=value) for name, value in arrays.items()]
    columns += [fits.Column("DQ", "50I", array=np.where(np.arange(50) < 5, [[1028], [4]], 0))]
    table = fits.BinTableHDU.from_columns(columns, name="SCI", nrows=segments)
    for side, middle in (("A", 500.0 + shift), ("B", 550.0 + shift)):
        table.header.update(
            header(side, SP_SLP=0.0, SP_LOC=middle, SP_HGT=21, B_BKG1=middle - 60, B_HGT1=11)
        )
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)


def events(path: Path, segment: str) -> None:
    """Write a corrtag file with a spectrum of a constant row."""
    middle = {"A": 500.0, "B": 550.0}[segment[-1]]
    x = np.arange(0.0, 16384.0, 4.0)
    columns = [
        fits.Column("XFULL", "E", array=x),
        fits.Column("YFULL", "E", array=np.full(x.size, middle)),
    ]
    primary = fits.PrimaryHDU(header=fits.Header({"DETECTOR": "FUV", "SEGMENT": segment}))
    fits.HDUList([primary, fits.BinTableHDU.from_columns(columns, name="EVENTS")]).writeto(path)


async def add_run(seeded: Any, paths: Iterable[Path], *, current: bool = False) -> int:
    """Let a run have products, and warn of how many there are."""
    paths, store = list(paths), Store(seeded.settings.store_url)
    async with seeded.database.transaction() as session:
        job = Job(
            stage=Stage.CALIBRATE, dataset_id=1, fingerprint=f"{current} {paths}", queue="calibrate"
        )
        session.add(job)
        await session.flush()
        run = Run(
            dataset_id=1,
            job_id=job.id,
            attempt=1,
            current=current,
            path="x",
            calcos_version="3.6.2",
            inputs={},
            references={},
            switches={},
            randseeds={},
            accepted_missing=[],
            exit_status=0,
            wall_seconds=1.0,
            cpu_seconds=1.0,
            peak_rss_mb=1.0,
            trailer="",
            warnings=[f"it has {len(paths)} products"],
        )
        session.add(run)
        await session.flush()
        for path in paths:
            stored = store.publish(path, f"products/ldfd01010/run{run.id}")
            name = parse_name(path.name)
            file = File(
                dataset_id=1,
                run_id=run.id,
                origin="product",
                path=stored.path,
                name=stored.name,
                rootname=name.rootname,
                suffix=name.suffix,
                size=stored.size,
                sha256=stored.sha256,
                current=False,
            )
            session.add(file)
        return int(run.id)
