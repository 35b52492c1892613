"""Recalibrations over HTTP: asked for, refused, the same twice, cancelled, promoted.

And two runs compared.
"""

import asyncio
import gzip
import hashlib
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import func, select, update
from typer.testing import CliRunner

from cosmo.cli.app import app as commands
from services.monitor.products import comparison, light_curves
from shared.calcos_version import publish_calcos_version
from shared.cos.references import FILETYPES
from shared.database.models.calibrations import Calibration
from shared.database.models.operations import Dataset, Event, File, Job, JobState, Run, Stage
from shared.errors import LostClaimError
from shared.events import EventName
from shared.jobs import claims
from shared.jobs.events import NewEvent, Outbox, record_event
from shared.settings import JobSettings
from shared.store import Store
from tests.services.monitor.conftest import TOKEN

pytestmark = pytest.mark.integration
API = "/api/v1"
AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}
BOXCAR = {"keywords": {"XTRCTALG": "BOXCAR"}, "switches": {"TRCECORR": "OMIT", "ALGNCORR": "OMIT"}}


@pytest.fixture
async def fetched(seeded: Any) -> None:
    """Let the raw files of the association be in the store."""
    detail = {"accepted_missing": [], "depends_on": {"calibrate": {"inputs": {"a": "1"}}}}
    async with seeded.database.transaction() as session:
        dataset = (
            await session.execute(select(Dataset).where(Dataset.rootname == "ldfd01010"))
        ).scalar_one()
        await record_event(
            session, dataset.id, NewEvent(EventName.DATASET_FETCHED, detail), Outbox()
        )


async def ask(
    web: httpx.AsyncClient, recipe: Any, rootname: str = "ldfd01010", **more: Any
) -> httpx.Response:
    body = {"rootname": rootname, "recipe": recipe, **more}
    return await web.post(f"{API}/calibrations", json=body, headers=AUTHORISED)


async def test_changes_need_a_token(web: httpx.AsyncClient, fetched: None) -> None:
    for path in ("/calibrations", "/calibrations/1/cancel", "/calibrations/1/promote"):
        assert (await web.post(API + path, json={"rootname": "ldfd01010"})).status_code == 401


async def test_the_same_recipe_on_the_same_inputs_is_the_same_work(
    web: httpx.AsyncClient, seeded: Any, fetched: None
) -> None:
    first = await ask(web, BOXCAR)
    assert (first.status_code, first.json()["state"], first.json()["rootname"]) == (
        202,
        "queued",
        "ldfd01010",
    )
    again = await ask(
        web, {**BOXCAR, "version": 1, "options": {"verbosity": 1}}, rootname="LDFD01VNQ"
    )
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    rehearsal = await ask(web, BOXCAR, dry_run=True)
    other = await ask(web, {})
    ids = {answer.json()["id"] for answer in (first, rehearsal, other)}
    assert len(ids) == 3
    listed = (await web.get(f"{API}/calibrations?rootname=ldfd01010&limit=2")).json()["items"]
    assert [item["id"] for item in listed] == sorted(ids, reverse=True)[:2]
    async with seeded.database.session() as session:
        jobs = (
            (await session.execute(select(Job).where(Job.stage == Stage.RECALIBRATE)))
            .scalars()
            .all()
        )
        # Beside each other, in a queue of their own, to be sent by the dispatcher.
        assert {(job.state, job.queue, job.sent_at) for job in jobs} == {
            (JobState.QUEUED, "recalibrate", None)
        }
        assert len(jobs) == 3


@pytest.mark.parametrize(
    ("recipe", "status", "reason"),
    [
        ({"switches": {"NOCORR": "OMIT"}}, 422, "not among the calibration switches"),
        (
            {"keywords": {"XTRCTALG": "TWOZONE"}, "switches": {"ALGNCORR": "OMIT"}},
            422,
            "needs ALGNCORR",
        ),
        ({"members": {"drop": ["ldfd09xxq"]}}, 409, "not among the exposures, which are ldfd01vnq"),
        ({"members": {"wavecals": ["ldfd09xxq"]}}, 409, "no raw file of ldfd09xxq is in the store"),
        ({"swtiches": {}}, 422, "swtiches"),
        ({"members": {"file": "ldfd01vnq_corrtag_a.fits"}}, 409, "not among the current products"),
        ({"members": {"file": "ldfd09xxq_rawtag_a.fits"}}, 409, "not among the exposures"),
    ],
)
async def test_refused_before_anything_runs(
    web: httpx.AsyncClient, fetched: None, recipe: Any, status: int, reason: str
) -> None:
    answer = await ask(web, recipe)
    assert answer.status_code == status
    assert reason in answer.json()["error"]["message"]
    assert (await web.get(f"{API}/calibrations")).json()["items"] == []


async def test_what_cannot_be_calibrated_is_refused(web: httpx.AsyncClient) -> None:
    for rootname, status, reason in (
        ("ldfd01vlq", 409, "of the kind acquisition"),
        ("ldfd02010", 409, "not in the store yet"),
        ("nosuch123", 404, "no dataset"),
    ):
        answer = await ask(web, {}, rootname=rootname)
        assert (answer.status_code, reason in answer.json()["error"]["message"]) == (status, True)


async def test_a_token_has_a_quota(
    web: httpx.AsyncClient, app: Any, seeded: Any, fetched: None
) -> None:
    seeded.settings.api.calibrations_per_token = 2
    found = [await ask(web, {"keywords": {"RANDSEED": seed}}) for seed in range(3)]
    assert [answer.status_code for answer in found] == [202, 202, 429]
    assert "cancel a queued one" in found[2].json()["error"]["message"]
    # What is known costs nothing, and what was refused left nothing behind.
    assert (await ask(web, {"keywords": {"RANDSEED": 1}})).json()["id"] == found[1].json()["id"]
    assert len((await web.get(f"{API}/calibrations")).json()["items"]) == 2
    await web.post(f"{API}/calibrations/{found[0].json()['id']}/cancel", headers=AUTHORISED)
    assert (await ask(web, {"keywords": {"RANDSEED": 2}})).status_code == 202
    # The one that was cancelled would run again.
    assert (await ask(web, {"keywords": {"RANDSEED": 0}})).status_code == 429


async def test_the_quota_counts_what_is_requeued_or_just_cancelled(
    web: httpx.AsyncClient, seeded: Any, fetched: None
) -> None:
    seeded.settings.api.calibrations_per_token = 2
    first, second = [(await ask(web, {"keywords": {"RANDSEED": seed}})).json() for seed in range(2)]
    async with seeded.database.transaction() as session:
        claimed = await claims.claim(
            session, first["job_id"], "tester", JobSettings(lease_seconds=60)
        )
        assert claimed is not None
    for found in (first, second):
        await web.post(f"{API}/calibrations/{found['id']}/cancel", headers=AUTHORISED)
    # The worker of the first one has not noticed yet.
    assert (await ask(web, {"keywords": {"RANDSEED": 2}})).status_code == 202
    assert (await ask(web, {"keywords": {"RANDSEED": 3}})).status_code == 429
    async with seeded.database.transaction() as session:
        await session.execute(
            update(Job).where(Job.id == first["job_id"]).values(lease_until=func.now())
        )
    assert (await ask(web, {"keywords": {"RANDSEED": 3}})).status_code == 202
    # Requeued, they would be four.
    refused = await web.post(f"{API}/failures/{second['job_id']}/requeue", headers=AUTHORISED)
    assert (refused.status_code, refused.json()["error"]["type"]) == (429, "quota")
    async with seeded.database.transaction() as session:
        await session.execute(
            update(Job)
            .where(Job.id.in_([first["job_id"], second["job_id"]]))
            .values(state=JobState.FAILED)
        )
    requeued = await web.post(f"{API}/failures/requeue", headers=AUTHORISED)
    assert requeued.json() == {"requeued": 1, "beyond_quota": 2}  # the one is a fetch


async def test_a_cancelled_one_is_lost_to_its_worker_and_can_be_asked_for_again(
    web: httpx.AsyncClient, seeded: Any, fetched: None
) -> None:
    found = (await ask(web, BOXCAR)).json()
    async with seeded.database.transaction() as session:
        claimed = await claims.claim(session, found["job_id"], "tester", JobSettings())
    assert claimed is not None
    url = f"{API}/calibrations/{found['id']}"
    assert (await web.get(url)).json()["state"] == "running"
    assert (await web.post(f"{url}/cancel", headers=AUTHORISED)).json() == {
        "cancelled": found["id"]
    }
    assert (await web.get(url)).json()["state"] == "cancelled"
    assert (await web.post(f"{url}/cancel", headers=AUTHORISED)).status_code == 409
    async with seeded.database.session() as session:
        with pytest.raises(LostClaimError):
            await claims.renew(session, claimed, JobSettings())
    assert (await ask(web, BOXCAR)).json()["state"] == "queued"


async def test_a_failure_is_the_calibrations_and_not_the_datasets(
    web: httpx.AsyncClient, seeded: Any, fetched: None
) -> None:
    found = (await ask(web, BOXCAR)).json()
    async with seeded.database.transaction() as session:
        before = (await session.get(Dataset, 1)).state
        claimed = await claims.claim(session, found["job_id"], "tester", JobSettings())
        assert claimed is not None
        await claims.fail(session, claimed, "permanent", "no such file", JobSettings(), Outbox())
    described = (await web.get(f"{API}/calibrations/{found['id']}")).json()
    assert (described["state"], described["error"]) == ("failed", "no such file")
    async with seeded.database.session() as session:
        dataset = await session.get(Dataset, 1)
        assert (dataset.state, dataset.reason) == (before, None)
        names = (
            await session.execute(select(Event.name).order_by(Event.id.desc()).limit(1))
        ).scalar_one()
        assert names == "calibration.failed"


async def test_a_wrong_recipe_is_no_failure_of_the_operators(
    web: httpx.AsyncClient, seeded: Any, fetched: None
) -> None:
    before = (await web.get(f"{API}/status")).json()["failures"]
    kinds = ("refused", "permanent")
    for seed, kind in enumerate(kinds):
        found = (await ask(web, {"keywords": {"RANDSEED": seed}})).json()
        async with seeded.database.transaction() as session:
            claimed = await claims.claim(session, found["job_id"], "tester", JobSettings())
            assert claimed is not None
            await claims.fail(
                session, claimed, kind, f"nothing for a {kind} one", JobSettings(), Outbox()
            )
        described = (await web.get(f"{API}/calibrations/{found['id']}")).json()
        assert (described["state"], described["error_kind"]) == ("failed", kind)
    listed = [item["error"] for item in (await web.get(f"{API}/failures")).json()["items"]]
    assert [error for error in listed if "nothing for" in error] == ["nothing for a permanent one"]
    overview = (await web.get("/")).text.split("Failures")[1].split("Latest changes")[0]
    assert "nothing for a permanent one" in overview
    assert "nothing for a refused one" not in overview
    added = [
        item for item in (await web.get(f"{API}/status")).json()["failures"] if item not in before
    ]
    assert added == [{"stage": "recalibrate", "kind": "permanent", "count": 1}]
    async with seeded.database.session() as session:
        names = select(Event.name).where(Event.name.startswith("calibration.")).order_by(Event.id)
        found = (await session.execute(names)).scalars().all()
    assert found[1::2] == ["calibration.refused", "calibration.failed"]


async def _with_run(seeded: Any, calibration_id: int, product: Path) -> int:
    """Let a recalibration be done, with a product of its own."""
    stored = Store(seeded.settings.store_url).publish(product, "products/ldfd01010/recalibrated")
    async with seeded.database.transaction() as session:
        calibration = await session.get(Calibration, calibration_id)
        run = Run(
            dataset_id=calibration.dataset_id,
            job_id=calibration.job_id,
            attempt=1,
            current=False,
            path=stored.path,
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
        )
        session.add(run)
        await session.flush()
        calibration.run_id = run.id
        file = File(
            dataset_id=run.dataset_id,
            run_id=run.id,
            origin="product",
            path=stored.path,
            name=stored.name,
            rootname="ldfd01010",
            suffix="x1dsum",
            size=stored.size,
            sha256=stored.sha256,
            current=False,
        )
        session.add(file)
        await session.execute(
            update(Job).where(Job.id == calibration.job_id).values(state=JobState.DONE)
        )
        return int(run.id)


@pytest.fixture
def brighter(tmp_path: Path, seeded: Any) -> Path:
    """Spectrum of the seeded database with one and a half times the flux."""
    target = tmp_path / "new" / "ldfd01010_x1dsum.fits.gz"
    target.parent.mkdir()
    with fits.open(tmp_path / "ldfd01010_x1dsum.fits") as hdus:
        hdus["SCI"].data["FLUX"] *= 1.5
        hdus["SCI"].data["ERROR"] *= 1.5
        hdus[0].header["XTRCTALG"] = "BOXCAR"
        hdus.writeto(target)
    return target


async def test_runs_are_compared_and_one_is_promoted(
    web: httpx.AsyncClient, seeded: Any, fetched: None, brighter: Path
) -> None:
    found = (await ask(web, BOXCAR)).json()
    url = f"{API}/calibrations/{found['id']}"
    assert (await web.post(f"{url}/promote", headers=AUTHORISED)).status_code == 409
    run_id = await _with_run(seeded, found["id"], brighter)
    spectrum = f"{API}/datasets/ldfd01010/spectrum"
    assert (await web.get(spectrum)).json()["file"]["id"] == seeded.spectrum_file

    compared = (await web.get(f"{API}/datasets/ldfd01010/comparison?second={run_id}")).json()
    assert [file["run_id"] for file in compared["files"]] == [None, run_id]
    segment = compared["segments"][0]
    assert segment["mean_ratio"] == pytest.approx(1.5)
    assert segment["points"] == 48  # of 50, one without flux and one that may not be used
    assert segment["ratio"][0] is None
    assert segment["ratio"][1] == pytest.approx(1.5)
    assert segment["ratio_error"][1] == pytest.approx(1.5 * np.hypot(0.1, 0.1))
    assert segment["mean_ratio_error"] == pytest.approx(1.5 * np.hypot(0.1, 0.1) / np.sqrt(48))
    assert compared["headers"] == [
        {"extension": 0, "keyword": "XTRCTALG", "first": None, "second": "BOXCAR"}
    ]
    assert (await web.get(f"{API}/datasets/ldfd01010/comparison?second=999")).status_code == 404
    page = "/datasets/ldfd01010/comparison"
    text = (await web.get(f"{page}?second={run_id}")).text
    assert "1.5000 ±" in text
    assert "<td>XTRCTALG</td><td></td><td>BOXCAR</td>" in text
    lines = (await web.get(f"{page}/spectra.json?second={run_id}")).json()["data"]
    assert {line["name"].split(", ")[1] for line in lines} == {"current run", f"run {run_id}"}
    ratio = (await web.get(f"{page}/ratio.json?second={run_id}")).json()["data"][0]
    assert ratio["y"] == pytest.approx([1.5] * len(ratio["y"]))
    assert (
        await web.get(f"{API}{page}.png?second={run_id}")
    ).status_code == 404  # no events were kept
    assert "comparison.png" not in text
    assert (await web.get(f"{page}?second=999")).status_code == 404
    async with seeded.database.transaction() as session:
        (await session.get(Calibration, found["id"])).warnings = ["tallies & flags <disagree>"]
    for address in (f"/calibrations/{found['id']}", "/datasets/ldfd01010"):
        assert "tallies &amp; flags &lt;disagree&gt;" in (await web.get(address)).text

    assert (await web.get(f"{url}/export")).status_code == 404
    assert (await web.post(f"{url}/promote", headers=AUTHORISED)).json() == {
        "promoted": found["id"],
        "rootname": "ldfd01010",
    }
    assert (await web.get(spectrum)).json()["file"]["run_id"] == run_id
    async with seeded.database.session() as session:
        current = select(File.run_id).where(
            File.dataset_id == 1, File.origin == "product", File.current
        )
        assert (await session.execute(current)).scalars().all() == [run_id]
        ingest = select(Job.state).where(Job.stage == Stage.INGEST_PRODUCTS, Job.dataset_id == 1)
        assert (await session.execute(ingest)).scalars().all() == [JobState.QUEUED]
    assert (await web.get(url)).json()["promoted_by"] == "operator"


def reference(
    folder: Path,
    name: str,
    value: float,
    filetype: str = "FLAT FIELD REFERENCE IMAGE",
    **cards: Any,
) -> bytes:
    """Return the content of a reference file."""
    primary = fits.PrimaryHDU()
    primary.header.update(
        {
            "FILETYPE": FILETYPES["FLATFILE"],
            "VCALCOS": "2.0",
            "DESCRIP": "a test",
            "PEDIGREE": "GROUND",
            **cards,
        }
    )
    image = fits.ImageHDU(np.full((2, 2), value, np.float32), name="FUVA")
    fits.HDUList([primary, image]).writeto(folder / name, overwrite=True)
    return (folder / name).read_bytes()


async def test_references_are_uploaded_and_identified_by_content(
    web: httpx.AsyncClient, seeded: Any, fetched: None, tmp_path: Path
) -> None:
    async def upload(
        content: bytes, name: str, keyword: str = "FLATFILE", **options: Any
    ) -> httpx.Response:
        chosen = {"name": name, "keyword": keyword}
        return await web.post(
            f"{API}/references",
            params=chosen,
            content=content,
            **{"headers": AUTHORISED, **options},
        )

    async with seeded.database.transaction() as session:
        await publish_calcos_version(session, "3.6.2")
    flat = reference(tmp_path, "my_flat.fits", 1.0)
    assert (await upload(flat, "my_flat.fits", headers={})).status_code == 401
    first = await upload(gzip.compress(flat), "my_flat.fits")
    assert first.status_code == 201
    assert first.json()["sha256"] == hashlib.sha256(flat).hexdigest()
    assert (first.json()["uploaded_by"], first.json()["description"]) == ("operator", "a test")
    assert (await upload(flat, "my_flat.fits")).status_code == 200
    other = reference(tmp_path, "my_flat.fits", 2.0)
    newer = reference(tmp_path, "new_flat.fits", 2.0, VCALCOS="9.0")
    for content, name, keyword, status, reason in (
        (other, "my_flat.fits", "FLATFILE", 409, "another my_flat.fits"),
        (other, "../my_flat.fits", "FLATFILE", 409, "no name of a reference file"),
        (other, "my_flat.fits", "FLATFIL", 409, "no reference keyword"),
        (
            other,
            "my_geo.fits",
            "GEOFILE",
            409,
            "where a GEOMETRIC DISTORTION REFERENCE IMAGE belongs",
        ),
        (other[:-2880], "cut_flat.fits", "FLATFILE", 409, "cut_flat.fits"),
        (gzip.compress(other)[:-9], "cut_flat.fits", "FLATFILE", 409, "damaged gzip"),
        (
            newer,
            "new_flat.fits",
            "FLATFILE",
            409,
            "needs CalCOS 9.0",
        ),
    ):
        answer = await upload(content, name, keyword)
        assert (answer.status_code, reason in answer.json()["error"]["message"]) == (
            status,
            True,
        ), answer.text
    seeded.settings.api.upload_limit_mb = 1
    assert (await upload(b"0" * (1 << 21), "big_flat.fits")).status_code == 413
    listed = (await web.get(f"{API}/references?keyword=flatfile")).json()["items"]
    assert [item["name"] for item in listed] == ["my_flat.fits"]
    assert (await web.get(f"{API}/references/{listed[0]['id']}/content")).content == flat

    assert (await upload(flat, "same_flat.fits")).status_code == 201
    assert (await upload(other, "other_flat.fits")).status_code == 201
    names = ("my_flat.fits", "same_flat.fits", "other_flat.fits")
    ids = [(await ask(web, {"references": {"FLATFILE": name}})).json()["id"] for name in names]
    assert ids[0] == ids[1] != ids[2]  # the same content is the same work
    wrong = await ask(web, {"references": {"GEOFILE": "my_flat.fits"}})
    assert "uploaded as FLATFILE" in wrong.json()["error"]["message"]


async def test_another_calcos_makes_the_same_recipe_new_work(
    web: httpx.AsyncClient, seeded: Any, fetched: None
) -> None:
    ids = []
    for version in ("3.6.2", "3.6.2", "3.7.0"):
        async with seeded.database.transaction() as session:
            await publish_calcos_version(session, version)
        ids.append((await ask(web, BOXCAR)).json()["id"])
    assert ids[0] == ids[1] != ids[2]


async def test_files_of_the_folder_are_identified_by_content(
    web: httpx.AsyncClient, seeded: Any, fetched: None, tmp_path: Path
) -> None:
    seeded.settings.references.folder = tmp_path / "references"
    seeded.settings.references.folder.mkdir()
    ids = []
    for value in (1.0, 1.0, 2.0):
        reference(seeded.settings.references.folder, "a_flat.fits", value)
        ids.append((await ask(web, {"references": {"FLATFILE": "a_flat.fits"}})).json()["id"])
    assert ids[0] == ids[1] != ids[2]


async def test_a_light_curve_is_served_in_every_format(
    web: httpx.AsyncClient, address: str, seeded: Any, fetched: None, brighter: Path, tmp_path: Path
) -> None:
    found = (await ask(web, {"sub_exposures": {"every": 100}})).json()
    url = f"{API}/calibrations/{found['id']}/lightcurve"
    assert "has no light curve" in (await web.get(url)).json()["error"]["message"]
    run_id = await _with_run(seeded, found["id"], brighter)
    columns = [
        fits.Column(
            column.name,
            "14A" if column.kind is str else "1D",
            array=["x" if column.kind is str else 2.5] * 3,
        )
        for column in light_curves.COLUMNS
    ]
    table = fits.BinTableHDU.from_columns(columns, name="LIGHTCURVE")
    table.data["flux"][1] = np.nan
    table.writeto(tmp_path / "ldfd01010_lightcurve.fits.gz")
    stored = Store(seeded.settings.store_url).publish(
        tmp_path / "ldfd01010_lightcurve.fits.gz", "products/curve"
    )
    async with seeded.database.transaction() as session:
        file = File(
            dataset_id=1,
            run_id=run_id,
            origin="extra",
            path=stored.path,
            name=stored.name,
            suffix="lightcurve",
            size=stored.size,
            sha256=stored.sha256,
            current=False,
        )
        session.add(file)
    answer = (await web.get(url)).json()
    assert [row["flux"] for row in answer["items"]] == [2.5, None, 2.5]
    assert {column["name"]: column["unit"] for column in answer["columns"]}["net"] == "count / s"
    assert (
        f'data-figure="/calibrations/{found["id"]}/lightcurve.json"'
        in (await web.get(f"/calibrations/{found['id']}")).text
    )
    drawn = (await web.get(f"/calibrations/{found['id']}/lightcurve.json")).json()
    assert drawn["data"][0]["y"] == [2.5] * 3
    words = ["lightcurve", str(found["id"]), "--url", address]
    said = (await asyncio.to_thread(CliRunner().invoke, commands, words)).stdout.splitlines()
    assert said[0].split() == ["part", "segment", "MJD", "seconds", "count/s", "flux"]
    assert said[1].split() == ["x", "x", "2.500000", "2.5", "2.5", "+-", "2.5", "2.5", "+-", "2.5"]
    assert said[2].split() == said[1].split()[:7]  # without a flux
    assert (await web.get(f"{url}?format=csv")).text.startswith('"part","exposure","segment","mjd"')
    assert (await web.get(f"{url}?format=fits")).content.startswith(b"SIMPLE")


def test_spectra_on_different_wavelengths_are_interpolated() -> None:
    def made(start: float, slope: float) -> comparison.Measured:
        wavelength = start + np.arange(100.0)
        columns = {
            "WAVELENGTH": wavelength,
            "FLUX": slope * wavelength,
            "ERROR": wavelength / 10,
            "DQ_WGT": wavelength * 0 + 1,
        }
        return comparison.Measured({"FUVA": columns}, {"FUVA": np.array([0, 8, 24])}, ({}, {}))

    (segment,) = comparison.compare(made(1000.0, 1.0), made(1000.5, 2.0))["segments"]
    assert segment["points"] == 99
    assert segment["mean_ratio"] == pytest.approx(2.0)
    assert segment["totals"][0]["flags"] == {"8": 2, "16": 1}


async def test_the_schema_is_served(web: httpx.AsyncClient) -> None:
    schema = (await web.get(f"{API}/calibrations/schema")).json()
    assert {
        "switches",
        "references",
        "keywords",
        "exposures",
        "members",
        "extraction",
        "options",
    } < schema["properties"].keys()
