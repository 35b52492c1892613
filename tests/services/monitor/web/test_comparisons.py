"""Which files of two runs are compared, and where the extraction boxes are drawn."""

import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from calcos import ccos
from matplotlib.image import imread

from services.monitor.products.extraction_boxes import bands
from tests.services.monitor.conftest import SeededDatabase
from tests.services.monitor.web.two_runs import add_run, header, spectrum

API = "/api/v1"
COLUMNS = {"FUV": 16384, "NUV": 1274}
OFFSET = {"FUV": 0, "NUV": 100}


@pytest.mark.parametrize(("detector", "segment"), [("FUV", "FUVB"), ("NUV", "NUVC")])
def test_boxes_are_where_calcos_sums(detector: str, segment: str) -> None:
    """Let CalCOS cut bands out of an image whose values are its rows, and say in the header where,
    as it does.
    """
    columns, slope, spectrum, background = COLUMNS[detector], -0.01, 500.0, 700.0
    image = np.repeat(np.arange(1024, dtype=np.float32)[:, None], columns, axis=1)
    half = columns // 2
    # updateExtractionKeywords: the spectrum in the middle of the image, the background in that of
    # the detector.
    detector_half = {"FUV": 16384, "NUV": 1024}[detector] / 2
    cards = header(
        segment[-1],
        SP_SLP=slope,
        SP_LOC=spectrum + slope * (half - OFFSET[detector]),
        SP_HGT=21,
        B_BKG1=background + slope * detector_half,
        B_HGT1=11,
    )
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
    zones = {
        "Y_LOWER_OUTER": 440.0,
        "Y_LOWER_INNER": 450.0,
        "Y_UPPER_INNER": 470.0,
        "Y_UPPER_OUTER": 480.0,
    }
    row = {"SEGMENT": "FUVA", **{name: np.full(16384, place) for name, place in zones.items()}}
    cards = header("A", SP_SLP=0.0, B_BKG1=414.0, B_HGT1=31, B_BKG2=-999.0, B_HGT2=-999.0)
    background, outer, inner = bands(row, cards, "FUV", "TWOZONE")
    assert (background.lower[0], background.upper[0], background.background) == (398.5, 429.5, True)
    assert (outer.lower[9], outer.upper[9], outer.inner) == (439.5, 480.5, False)
    assert (inner.lower[9], inner.upper[9], inner.inner) == (449.5, 470.5, True)


@pytest.mark.integration
async def test_each_segment_is_drawn_with_its_boxes(
    web: httpx.AsyncClient, runs: list[int]
) -> None:
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
async def test_any_two_runs_are_compared_by_what_both_have(
    web: httpx.AsyncClient, runs: list[int]
) -> None:
    url = f"{API}/datasets/ldfd01010/comparison"
    spectra = (await web.get(url, params={"first": runs[0], "second": runs[1]})).json()
    assert [file["name"] for file in spectra["files"]] == ["ldfd01vnq_x1d.fits"] * 2
    assert [segment["segment"] for segment in spectra["segments"]] == ["FUVA", "FUVB"]
    assert {item["keyword"] for item in spectra["headers"]} == {
        "SP_LOC_A",
        "SP_LOC_B",
        "B_BKG1_A",
        "B_BKG1_B",
    }
    assert spectra["warnings"] == [["it has 3 products"]] * 2
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
    assert (await web.get(url, params=chosen)).json()["files"][0][
        "name"
    ] == "ldfd01vnq_corrtag_a.fits"
    absent = await web.get(url, params={"first": runs[0], "second": runs[2], "product": "flt_a"})
    assert absent.status_code == 404
    assert "the run" in absent.json()["error"]["message"]
    assert "ldfd01vnq_corrtag_b" in absent.json()["error"]["message"]
    # The current run has nothing but the sum, the other one only the spectrum of the exposure.
    mixed = (await web.get(url, params={"second": runs[0]})).json()
    assert [file["name"] for file in mixed["files"]] == [
        "ldfd01010_x1dsum.fits.gz",
        "ldfd01vnq_x1d.fits",
    ]


@pytest.mark.integration
async def test_the_page_lets_readers_choose(web: httpx.AsyncClient, runs: list[int]) -> None:
    page = "/datasets/ldfd01010/comparison"
    text = (
        await web.get(
            page, params={"first": runs[1], "second": runs[0], "chosen": "ldfd01vnq_corrtag_a"}
        )
    ).text
    assert f'<option value="{runs[1]}" selected>' in text
    assert "<option selected>ldfd01vnq_corrtag_a</option>" in text
    assert "They have no spectra; only their headers are compared" in text
    assert "data-figure" not in text
    text = (await web.get(page, params={"first": runs[0], "second": runs[1], "chosen": ""})).text
    assert text.index("points with DQ 4<") < text.index(
        "points with DQ 1024<", text.index("points with DQ 4<")
    )
    assert f"comparison.png?second={runs[1]}&amp;first={runs[0]}" in text
    assert f"Run {runs[1]}: it has 3 products" in text
    assert "it has 3 products" in (await web.get("/datasets/ldfd01010")).text
    assert f'<option value="{runs[3]}" selected>' in (await web.get("/datasets/ldfd01010")).text


@pytest.mark.integration
async def test_products_with_names_of_their_own_are_chosen_too(
    web: httpx.AsyncClient, seeded: SeededDatabase, tmp_path: Path
) -> None:
    page, runs = "/datasets/ldfd01010/comparison", dict[str, int]()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        spectrum(tmp_path / name / "star_all.v2_x1dsum.fits", 0.0)
        runs[name] = await add_run(seeded, (tmp_path / name).iterdir())
    text = (await web.get(page, params=runs | {"chosen": "star_all.v2_x1dsum"})).text
    assert "<option selected>star_all.v2_x1dsum</option>" in text
    assert (await web.get(page, params=runs | {"chosen": "ldfd01vnq_x1d"})).status_code == 404
