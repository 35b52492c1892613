"""Raw acquisition files, read back with COSMO's own extractors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from shared.fits import check_fits
from simulator.description import Instrument
from simulator.files.rawacq import Acquired, acquire
from simulator.files.support import GuideStars, support_file
from simulator.observatory import state_of, viewing_of
from simulator.plan import ExposurePlan, Spectrum, Target
from tests.services.ingestor.bench import extract_file, rows_of

INSTRUMENT = Instrument(seed=3)
STAR = Target("WD0308-565", 47.45, -56.3, spectrum=Spectrum(flux=2e-13), imaging_rate=900.0)
IMAGE = ExposurePlan(
    "ldab01a1q",
    14001,
    "01.001",
    57500.3,
    20.0,
    "NUV",
    "ACCUM",
    "ACQ/IMAGE",
    "MIRRORA",
    0,
    STAR,
    segment="N/A",
)
TABLE = replace(IMAGE, detector="FUV", opt_elem="G130M", cenwave=1291, segment="BOTH", life_adj=3)


def _acquire(plan: ExposurePlan, offset: tuple[float, float] = (0.3, 0.2)) -> Acquired:
    state = replace(state_of(INSTRUMENT, plan), target_offset=offset)
    references = {"FLATFILE": "s000000al_flat.fits", "LAMPTAB": "s000000bl_lamp.fits"}
    return acquire(plan, state, viewing_of(INSTRUMENT, plan), references, np.random.default_rng(8))


def _rows(acquired: Acquired, path: Path) -> dict[str, dict[str, object]]:
    acquired.file.writeto(path)
    check_fits(path)
    return {rows.model.__tablename__: row for rows in extract_file(path) for row in rows.dicts()}


def test_image_file_is_consistent(tmp_path: Path) -> None:
    acquired = _acquire(IMAGE)
    rows = _rows(acquired, tmp_path / "ldab01a1q_rawacq.fits")
    assert rows["acqs"]["acqstat"] == "Success"
    assert rows["acqs"]["acqslewx"] == acquired.slew[0]
    assert rows["acqs"]["obset_id"] is None
    assert rows["lampflash"]["y_shift"] == pytest.approx(812.0, abs=8.0)
    assert rows["headers"]["asn_id"] is None
    with fits.open(tmp_path / "ldab01a1q_rawacq.fits") as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["SCI", "ERR", "DQ"] * 2
        assert (
            hdus["SCI", 1].data.sum() == hdus["SCI", 1].header["NEVENTS"] == rows["acqs"]["nevents"]
        )
        assert hdus["SCI", 2].header["EXPSTART"] > hdus["SCI", 1].header["EXPEND"]
        header = hdus[0].header
        slew = (header["ACQCENTX"] - header["ACQPREFX"]) / 42.5
        assert header["ACQSLEWX"] == pytest.approx(slew, abs=6e-4)
        assert header["FLATFILE"] == "lref$s000000al_flat.fits"
        assert header["LAMPTAB"] == "N/A"
        words = {card[0]: card[1] for card in acquired.support}
        assert words["LQTAXCOR"] == 1023.0 - header["LAMPMYCR"]
        assert words["LQTAYCOR"] == 1023.0 - header["LAMPMXCR"]


@pytest.mark.parametrize(
    ("exptype", "start", "dwells", "slews"),
    [
        ("ACQ/PEAKD", 57500.3, 5, (True, False)),
        ("ACQ/PEAKXD", 57500.3, 1, (False, True)),
        ("ACQ/PEAKXD", 58500.3, 3, (False, True)),
        ("ACQ/SEARCH", 57500.3, 9, (True, True)),
    ],
)
def test_tables_are_consistent(
    tmp_path: Path, exptype: str, start: float, dwells: int, slews: tuple[bool, bool]
) -> None:
    plan = replace(TABLE, exptype=exptype, start=start, life_adj=4 if start > 58028.0 else 3)
    acquired = _acquire(plan)
    rows = _rows(acquired, tmp_path / "ldab01a1q_rawacq.fits")
    assert rows["acqs"]["exptype"] == exptype
    assert (rows["acqs"]["acqslewx"] is not None, rows["acqs"]["acqslewy"] is not None) == slews
    assert "lampflash" not in rows
    with fits.open(tmp_path / "ldab01a1q_rawacq.fits") as hdus:
        data, header = hdus["ACQ"].data, hdus[0].header
        assert len(data) == dwells
        if dwells > 1:
            for axis, column in (("X", "DISP_OFFSET"), ("Y", "XDISP_OFFSET")):
                if column in data.names:
                    mean = (
                        np.sum(data[column].astype(float) * data["COUNTS"]) / data["COUNTS"].sum()
                    )
                    assert header[f"ACQSLEW{axis}"] == pytest.approx(mean, abs=1e-3)
                    assert header[f"ENDSLEW{axis}"] == pytest.approx(
                        mean - data[column][-1], abs=2e-3
                    )
        else:
            assert header["ACQSLEWY"] == pytest.approx(
                (header["ACQMEASY"] - header["ACQPREFY"]) * 0.0909, abs=1e-3
            )


def test_the_support_file_tells_the_same_slew(tmp_path: Path) -> None:
    plan = replace(TABLE, exptype="ACQ/PEAKD")
    acquired = _acquire(plan)
    path = tmp_path / "ldab01a1q_spt.fits"
    state = state_of(INSTRUMENT, plan)
    support_file(plan, INSTRUMENT.orbit, state, GuideStars(), results=acquired.support).writeto(
        path
    )
    row = rows_of(extract_file(path), "spt")[0]
    assert row["lqtadpos"] == round(1000.0 * (acquired.slew[0] or 0.0))
    assert row["search_dimensions"] == 5
    assert row["search_step_size"] == 900
    assert row["search_type"] == "FLUXFLR"
