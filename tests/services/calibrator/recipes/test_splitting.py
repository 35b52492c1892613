"""Parts of a corrtag file add up to the whole, to the last event."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.recipes.sub_exposures.splitting import write_part

_END = 1116.192
"""Exposure time of ldfd01vnq, second: in single precision it lies behind itself in double
precision.
"""


@pytest.fixture
def corrtag(tmp_path: Path) -> Path:
    path = tmp_path / "ldfd01vnq_corrtag_a.fits"
    seconds = np.concatenate([np.arange(0.0, _END, 0.032), [_END] * 5]).astype(np.float32)
    assert (seconds.astype(float) >= _END).sum() == 5
    events = fits.BinTableHDU.from_columns(
        [
            fits.Column("TIME", "E", array=seconds),
            fits.Column("PHA", "B", array=np.full(len(seconds), 12)),
        ],
        name="EVENTS",
    )
    events.header.update(EXPTIME=_END, EXPSTART=57934.0)
    parts: list[fits.ImageHDU | fits.BinTableHDU | fits.PrimaryHDU] = [fits.PrimaryHDU(), events]
    for version, stop in ((1, _END), (2, 1000.0)):  # the newest has the burst at the end taken out
        columns = [fits.Column("START", "D", array=[0.0]), fits.Column("STOP", "D", array=[stop])]
        parts.append(fits.BinTableHDU.from_columns(columns, name="GTI", ver=version))
    fits.HDUList(parts).writeto(path)
    return path


@pytest.mark.parametrize(
    "edges", [[0.0, 500.0, _END], [0.0, 0.032, 250.016, 999.9, _END], [0.0, _END]]
)
def test_every_event_is_in_one_part(corrtag: Path, tmp_path: Path, edges: list[float]) -> None:
    whole = fits.getheader(corrtag, 1)["NAXIS2"]
    counts = [
        write_part(corrtag, tmp_path / f"part{number}.fits", [interval], None)
        for number, interval in enumerate(pairwise(edges))
    ]
    assert sum(counts) == whole
