"""Which files of two runs are compared, and where the extraction boxes are drawn."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from astropy.io import fits
from calcos import ccos
from matplotlib.image import imread

from services.monitor.extraction_image import bands
from shared.database.models.operations import File, Job, Run, Stage
from shared.store import Store

API = "/api/v1"
COLUMNS = {"FUV": 16384, "NUV": 1274}
OFFSET = {"FUV": 0, "NUV": 100}


def header(side: str, **values: Any) -> fits.Header:
    """Make the header of an x1d table with the places of one segment or stripe."""
    return fits.Header({f"{name}_{side}": value for name, value in values.items()})


@pytest.mark.parametrize(("detector", "segment"), [("FUV", "FUVB"), ("NUV", "NUVC")])
def test_boxes_are_where_calcos_sums(detector: str, segment: str) -> None:
    """Let CalCOS cut bands out of an image whose values are its rows, and say in the header where, as it does."""
    columns, slope, spectrum, background = COLUMNS[detector], -0.01, 500.0, 700.0
    image = np.repeat(np.arange(1024, dtype=np.float32)[:, None], columns, axis=1)
    half = columns // 2
    # updateExtractionKeywords: the spectrum in the middle of the image, the background in that of the detector.
    detector_half = {"FUV": 16384, "NUV": 1024}[detector] / 2
    cards = header(
        segment[-1],
        SP_SLP=slope, SP_LOC=spectrum + slope * (half - OFFSET[detector]), SP_HGT=21,
        B_BKG1=background + slope * detector_half, B_HGT1=11,
    )  # fmt: skip
    found = list(bands({"SEGMENT": segment}, cards, detector, "BOXCAR"))
    assert [band.background for band in found] == [True, False]
    for band, start, height in zip(found, (background, spectrum), (11, 21), strict=True):
        cut = np.zeros((height, columns), np.float32)
        ccos.extractband(image, 1, slope, start, OFFSET[detector], cut)
        assert band.x[0] == -OFFSET[detector]
        np.testing.assert_allclose(band.lower, cut[0] - 0.5, atol=0.51)
        np.testing.assert_allclose(band.upper, cut[-1] + 0.5, atol=0.51)
        np.testing.assert_allclose((band.lower + band.upper).mean() / 2, cut.mean(), atol=0.02)


def test_zones_are_whole_rows() -> None:
    zones = {"Y_LOWER_OUTER": 440.0, "Y_LOWER_INNER": 450.0, "Y_UPPER_INNER": 470.0, "Y_UPPER_OUTER": 480.0}
    row = {"SEGMENT": "FUVA", **{name: np.full(16384, place) for name, place in zones.items()}}
    cards = header("A", SP_SLP=0.0, B_BKG1=414.0, B_HGT1=31, B_BKG2=-999.0, B_HGT2=-999.0)
    background, outer, inner = bands(row, cards, "FUV", "TWOZONE")
    assert (background.lower[0], background.upper[0], background.background) == (398.5, 429.5, True)
    assert (outer.lower[9], outer.upper[9], outer.inner) == (439.5, 480.5, False)
    assert (inner.lower[9], inner.upper[9], inner.inner) == (449.5, 470.5, True)


def spectrum(path: Path, shift: float) -> None:
    """Write an x1d file of both segments, FUVB 50 rows above FUVA."""
    columns = [fits.Column("SEGMENT", "4A", array=["FUVA", "FUVB"])]
    arrays = {"WAVELENGTH": np.tile(np.arange(1300.0, 1350.0), (2, 1))}
    arrays |= {name: np.full((2, 50), value) for name, value in {"FLUX": 2.0, "ERROR": 0.1, "DQ_WGT": 1.0}.items()}
    columns += [fits.Column(name, "50D", array=value) for name, value in arrays.items()]
    columns += [fits.Column("DQ", "50I", array=np.where(np.arange(50) < 5, [[1028], [4]], 0))]
    table = fits.BinTableHDU.from_columns(columns, name="SCI")
    for side, middle in (("A", 500.0 + shift), ("B", 550.0 + shift)):
        table.header.update(header(side, SP_SLP=0.0, SP_LOC=middle, SP_HGT=21, B_BKG1=middle - 60, B_HGT1=11))
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)


def events(path: Path, segment: str) -> None:
    """Write a corrtag file with a spectrum of a constant row."""
    middle = {"A": 500.0, "B": 550.0}[segment[-1]]
    x = np.arange(0.0, 16384.0, 4.0)
    columns = [fits.Column("XFULL", "E", array=x), fits.Column("YFULL", "E", array=np.full(x.size, middle))]
    primary = fits.PrimaryHDU(header=fits.Header({"DETECTOR": "FUV", "SEGMENT": segment}))
    fits.HDUList([primary, fits.BinTableHDU.from_columns(columns, name="EVENTS")]).writeto(path)


async def add_run(house: Any, paths: Iterable[Path], *, current: bool = False) -> int:
    """Let a run have products."""
    store = Store(house.settings.store_url)
    async with house.database.transaction() as session:
        job = Job(stage=Stage.CALIBRATE, dataset_id=1, fingerprint=f"{current} {paths}", queue="calibrate")
        session.add(job)
        await session.flush()
        run = Run(
            dataset_id=1, job_id=job.id, attempt=1, current=current, path="x", calcos_version="3.6.2", inputs={},
            references={}, switches={}, randseeds={}, accepted_missing=[], exit_status=0, wall_seconds=1.0,
            cpu_seconds=1.0, peak_rss_mb=1.0, trailer="",
        )  # fmt: skip
        session.add(run)
        await session.flush()
        for path in paths:
            stored = store.publish(path, f"products/ldfd01010/run{run.id}")
            rootname, _, suffix = path.name.removesuffix(".fits").partition("_")
            file = File(
                dataset_id=1, run_id=run.id, origin="product", path=stored.path, name=stored.name, rootname=rootname,
                suffix=suffix, size=stored.size, sha256=stored.sha256, current=False,
            )  # fmt: skip
            session.add(file)
        return int(run.id)


@pytest.fixture
async def runs(house: Any, tmp_path: Path) -> list[int]:
    """Two runs with both segments of an exposure, and a third that has FUVB only, and no spectrum."""
    made = []
    for number in range(3):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        if number < 2:
            spectrum(folder / "ldfd01vnq_x1d.fits", 5.0 * number)
            events(folder / "ldfd01vnq_corrtag_a.fits", "FUVA")
        events(folder / "ldfd01vnq_corrtag_b.fits", "FUVB")
        made.append(await add_run(house, sorted(folder.iterdir())))
    return made


@pytest.mark.integration
async def test_each_segment_is_drawn_with_its_boxes(web: httpx.AsyncClient, runs: list[int]) -> None:
    url = f"{API}/datasets/ldfd01010/comparison.png"
    answer = await web.get(url, params={"first": runs[0], "second": runs[1]})
    assert answer.headers["content-type"] == "image/png"
    picture = imread(io.BytesIO(answer.content))[..., :3]
    panels = np.array_split(picture, 4)  # each segment of each run
    for panel in panels:
        red, green, blue = np.moveaxis(panel, -1, 0)
        assert (red - blue > 0.3).sum() > 1000  # the spectrum's box is orange
        assert (green - red > 0.2).sum() > 1000  # the background's is green
    alone = await web.get(url, params={"first": runs[0], "second": runs[2]})
    assert (alone.status_code, alone.json()["error"]["type"]) == (404, "no_events")
    assert (
        await web.get(url, params={"first": runs[0], "second": runs[1], "exposure": "ldfd01xxq"})
    ).status_code == 404


@pytest.mark.integration
async def test_any_two_runs_are_compared_by_what_both_have(web: httpx.AsyncClient, runs: list[int]) -> None:
    url = f"{API}/datasets/ldfd01010/comparison"
    spectra = (await web.get(url, params={"first": runs[0], "second": runs[1]})).json()
    assert [file["name"] for file in spectra["files"]] == ["ldfd01vnq_x1d.fits"] * 2
    assert [segment["segment"] for segment in spectra["segments"]] == ["FUVA", "FUVB"]
    assert {item["keyword"] for item in spectra["headers"]} == {"SP_LOC_A", "SP_LOC_B", "B_BKG1_A", "B_BKG1_B"}
    # Without a spectrum in both there still are headers.
    bare = (await web.get(url, params={"first": runs[0], "second": runs[2]})).json()
    assert [file["name"] for file in bare["files"]] == ["ldfd01vnq_corrtag_b.fits"] * 2
    assert (bare["segments"], bare["headers"]) == ([], [])
    chosen: dict[str, int | str] = {
        "first": runs[0],
        "second": runs[1],
        "product": "corrtag_a",
        "exposure": "LDFD01VNQ",
    }
    assert (await web.get(url, params=chosen)).json()["files"][0]["name"] == "ldfd01vnq_corrtag_a.fits"
    absent = await web.get(url, params={"first": runs[0], "second": runs[2], "product": "flt_a"})
    assert absent.status_code == 404
    assert "the run" in absent.json()["error"]["message"]
    assert "ldfd01vnq_corrtag_b" in absent.json()["error"]["message"]
    # The current run has nothing but the sum, the other one only the spectrum of the exposure.
    mixed = (await web.get(url, params={"second": runs[0]})).json()
    assert [file["name"] for file in mixed["files"]] == ["ldfd01010_x1dsum.fits.gz", "ldfd01vnq_x1d.fits"]


@pytest.mark.integration
async def test_the_page_lets_readers_choose(web: httpx.AsyncClient, runs: list[int]) -> None:
    page = "/datasets/ldfd01010/comparison"
    text = (await web.get(page, params={"first": runs[1], "second": runs[0], "chosen": "ldfd01vnq_corrtag_a"})).text
    assert f'<option value="{runs[1]}" selected>' in text
    assert "<option selected>ldfd01vnq_corrtag_a</option>" in text
    assert "no spectra to be compared" in text
    assert "data-figure" not in text
    text = (await web.get(page, params={"first": runs[0], "second": runs[1], "chosen": ""})).text
    assert text.index("points with DQ 4<") < text.index("points with DQ 1024<", text.index("points with DQ 4<"))
    assert f"comparison.png?second={runs[1]}&amp;first={runs[0]}" in text
    assert f'<option value="{runs[2]}" selected>' in (await web.get("/datasets/ldfd01010")).text
