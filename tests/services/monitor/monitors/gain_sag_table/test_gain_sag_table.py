"""Gain sag tables of superpixels that are known to have sagged."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from calcos import ccos, cosutil
from sqlalchemy import func, select

from services.monitor.framework.declaration import Columns, NewArtifact, RunOutput
from services.monitor.framework.scheduling import Scheduler
from services.monitor.library import gain_sag_tables as sag_tables
from services.monitor.monitors import monitors
from services.monitor.monitors.gain_sag_table import checks as sag_checks
from shared.database.engine import Database
from shared.database.models.monitoring import Alert, Artifact, Severity
from shared.database.models.operations import Dataset, Job, JobState, Run, Stage
from shared.jobs.sequencer import place_events
from shared.settings import MonitorSettings
from shared.store import Store
from shared.worker.broker import Messenger
from tests.services.monitor.monitors.bench import run_monitor
from tests.services.monitor.monitors.gain_maps import add_maps

_SAGGED = (
    ("FUVA", 163.0, 1140.0, 211.0, 58000.0),
    ("FUVA", 167.0, 1140.0, 211.0, 58500.0),  # the same place, later at a higher voltage
    ("FUVA", 167.0, 1141.0, 246.0, 57500.0),  # row 492: at the boundary of the blue modes
    ("FUVB", 175.0, 900.0, 290.0, 57000.0),
)
_NEWEST = 59000.0


def _sagged(rows: tuple[tuple[str, float, float, float, float], ...] = _SAGGED) -> Columns:
    columns = list(zip(*rows, strict=True)) or [()] * 5
    names = ("segment", "hvlevel", "x", "y", "mjd")
    return {
        name: np.array(values, dtype=object if name == "segment" else float)
        for name, values in zip(names, columns, strict=True)
    }


def _compute(sagged: Columns, active: Sequence[Path] = ()) -> RunOutput:
    monitor = monitors()["gsag"]
    inputs = {
        "sagged": sagged,
        "newest": {"mjd": np.array([_NEWEST])},
        "active": monitor.references["active"].read(active),
    }
    return monitor.compute(inputs)


def _tables(artifact: NewArtifact) -> sag_tables.Rectangles:
    with fits.open(io.BytesIO(artifact.content)) as hdus:
        return sag_tables.read_table(hdus)


def test_each_level_has_what_sagged_at_it_or_above() -> None:
    standard, blue = _compute(_sagged()).artifacts
    tables = _tables(standard)
    place, boundary = (9120, 422, 8, 2), (9128, 492, 8, 2)
    assert tables["FUVA", 168] == {}
    assert tables["FUVA", 167] == tables["FUVA", 164] == {place: 58500.0, boundary: 57500.0}
    assert tables["FUVA", 163] == tables["FUVA", 0] == {place: 58000.0, boundary: 57500.0}
    assert tables["FUVB", 175] == tables["FUVB", 100] == {(7200, 580, 8, 2): 57000.0}
    assert _tables(blue)["FUVA", 163] == {place: 58000.0}
    assert _tables(blue)["FUVB", 175] == tables["FUVB", 175]
    assert standard.detail["wrong"] == blue.detail["wrong"] == []
    with fits.open(io.BytesIO(blue.content)) as hdus:
        assert hdus[0].header["CENWAVE"] == "BETWEEN 1055 1097"
        assert len(hdus) == 1 + 2 * len(sag_tables.LEVELS)


def test_calcos_finds_the_extension_of_each_level(tmp_path: Path) -> None:
    standard, _ = _compute(_sagged()).artifacts
    path = tmp_path / "new_gsag.fits"
    path.write_bytes(standard.content)
    with fits.open(path) as hdus:
        for segment in ("FUVA", "FUVB"):
            for level in (0, 100, *range(142, 179)):
                number, message = cosutil.findGSagExtn(str(path), level, segment)
                header = hdus[number].header
                assert (header["SEGMENT"], header[f"HVLEVEL{segment[-1]}"], message) == (
                    segment,
                    level,
                    "",
                )


def test_nothing_sagged_is_a_table_of_rows_that_cover_nothing() -> None:
    standard, _ = _compute(_sagged(())).artifacts
    assert standard.detail["wrong"] == []
    with fits.open(io.BytesIO(standard.content)) as hdus:
        rows = hdus[1].data
        assert [tuple(row) for row in rows] == [(0.0, 0, 0, 0, 0, 8192)]
        flags, corner = np.zeros(2, dtype=np.int16), np.array([0.0, 1.0], dtype=np.float32)
        region = [rows[name].astype(np.int32) for name in ("LX", "LY", "DX", "DY", "DQ")]
        ccos.applydq(*region, corner, corner.copy(), flags)
        assert not flags.any()


@pytest.mark.parametrize(
    ("kept", "removed"),
    [(_SAGGED, 0), (_SAGGED[:3], 2 + 34), (_SAGGED[1:], 2 + 22), (_SAGGED[2:], 2 + 26)],
    ids=["all there", "FUVB up to 175 lost", "FUVA up to 163 flagged later", "FUVA up to 167 lost"],
)
def test_what_the_active_table_flagged_is_not_lost_silently(
    tmp_path: Path, kept: tuple[tuple[str, float, float, float, float], ...], removed: int
) -> None:
    standard, blue = _compute(_sagged()).artifacts
    paths = [tmp_path / f"{name}_gsag.fits" for name in ("blue", "active", "older")]
    for path, content in zip(paths, (blue.content, standard.content, b"is not read"), strict=True):
        path.write_bytes(content)
    findings = _compute(_sagged(kept), paths[:2])
    assert [new.detail["active"] for new in findings.artifacts] == [
        "active_gsag.fits",
        "blue_gsag.fits",
    ]
    for new in findings.artifacts:
        assert new.detail["ready"] is not bool(removed)
        difference = new.detail["difference"]
        assert sum(difference["removed"].values()) == removed
        assert [difference[name] for name in ("added", "extensions_lost", "extensions_gained")] == [
            {},
            [],
            [],
        ]
    found = [(finding.rule, finding.severity, finding.value) for finding in findings.findings]
    assert {finding.text for finding in findings.findings} <= {
        rule.words for rule in monitors()["gsag"].rules
    }
    assert found == [("lost", Severity.ALERT, removed)] * 2 * bool(removed)


def test_additions_and_dates_are_told(tmp_path: Path) -> None:
    earlier = _compute(_sagged(_SAGGED[1:3])).artifacts[0]
    (tmp_path / "active_gsag.fits").write_bytes(earlier.content)
    new = _compute(_sagged(), [tmp_path / "active_gsag.fits"])
    difference = new.artifacts[0].detail["difference"]
    assert difference["added"]["FUVB 175"] == 1
    assert difference["dates_changed"]["FUVA 163"] == 1
    assert difference["added"]["FUVA 163"] == 1, "flagged earlier, so older exposures too"
    assert not difference["removed"]
    assert [artifact.detail["ready"] for artifact in new.artifacts] == [True, False]
    assert [finding.rule for finding in new.findings] == ["not-compared"]  # the blue modes


def test_a_place_is_covered_by_rectangles_that_hold_from_its_date_on() -> None:
    """Rectangles of other sizes take over, as where superpixels of the new table lie within those
    of the active one.
    """
    active = {("FUVA", 163): {(100, 200, 16, 4): 57000.0, (300, 200, 8, 2): 57000.0}}
    parts = [(100, 200, 8, 4), (108, 200, 8, 2), (108, 202, 8, 2)]
    for dates, removed in (
        ((56000.0, 57000.0, 56500.0), 0),
        ((56000.0, 57000.5, 56500.0), 1),
        ((56000.0, 57000.0), 1),
    ):
        new = {("FUVA", 163): {**dict(zip(parts, dates, strict=False)), (298, 199, 12, 4): 57000.0}}
        assert sag_checks.difference(new, active)["removed"] == (
            {"FUVA 163": removed} if removed else {}
        )


def test_a_rectangle_that_a_table_has_twice_holds_from_its_first_date() -> None:
    content = _compute(_sagged()).artifacts[0].content
    with fits.open(io.BytesIO(content)) as hdus:
        hdus[1].data = np.concatenate([hdus[1].data, hdus[1].data])
        hdus[1].data["DATE"][-len(hdus[1].data) // 2 :] += 100.0
        assert sag_tables.read_table(hdus)["FUVA", 0] == {
            (9120, 422, 8, 2): 58000.0,
            (9128, 492, 8, 2): 57500.0,
        }


def test_a_spoilt_table_is_not_to_be_delivered() -> None:
    content = _compute(_sagged()).artifacts[0].content
    with fits.open(io.BytesIO(content)) as hdus:
        hdus[0].header["USEAFTER"] = "2009-05-11"
        hdus[0].header["DETECTOR"] = "NUV"
        del hdus[0].header["VCALCOS"]
        hdus[1].data["DQ"] = 1
        hdus[2].data["LX"] = 16380
        del hdus[5]
        buffer = io.BytesIO()
        hdus.writeto(buffer)
    wrong = " / ".join(sag_checks.check(buffer.getvalue(), blue=True))
    for reason in (
        "USEAFTER",
        "DETECTOR",
        "VCALCOS",
        "CENWAVE is 'N/A'",
        "no extension of FUVA at level 144",
        "DQ other than 8192",
        "beyond the detector",
    ):
        assert reason in wrong


def test_a_table_that_lacks_what_a_higher_level_flags_is_not_to_be_delivered() -> None:
    content = _compute(_sagged()).artifacts[0].content
    with fits.open(io.BytesIO(content)) as hdus:
        (number,) = (n for n, hdu in enumerate(hdus) if hdu.header.get("HVLEVELA") == 150)
        hdus[number].data["LX"] += 8
        buffer = io.BytesIO()
        hdus.writeto(buffer)
    assert sag_checks.check(buffer.getvalue(), blue=False) == [
        "FUVA at level 149 lacks rectangles of level 150",
        "FUVA at level 150 lacks rectangles of level 151",
    ]


def test_counts_grow_with_time() -> None:
    more = (*_SAGGED, ("FUVA", 167.0, 1140.0, 212.0, 58700.0))
    findings = _compute(_sagged(more))
    found = {
        (group.quantity, group.segment[0], group.hvlevel[0]): group for group in findings.values
    }
    group, columns = found["sagged", "FUVA", 167.0], found["sagged_columns", "FUVA", 167.0]
    assert (group.mjd.tolist(), group.value.tolist()) == (
        [57500.0, 58500.0, 58700.0],
        [1.0, 2.0, 3.0],
    )
    assert (columns.mjd.tolist(), columns.value.tolist()) == ([57500.0, 58500.0], [1.0, 2.0])
    assert [panel.y_label for panel in findings.figures[0].panels] == ["Superpixels", "Columns"]


@pytest.mark.integration
async def test_what_the_gain_monitor_flags_becomes_a_table(
    database: Database, messenger: Messenger, tmp_path: Path
) -> None:
    maps = [np.full((2, 2), gain) for gain in (5.0, 4.0, 4.0)]
    maps[1][1, 0] = maps[2][1, 0] = 2.8
    await add_maps(database, maps)
    folder, store = tmp_path / "references", tmp_path / "store"
    folder.mkdir()
    (folder / "used_gsag.fits").write_bytes(_compute(_sagged(_SAGGED[:1])).artifacts[0].content)
    await _use(database, "used_gsag.fits")
    scheduler = Scheduler(
        database,
        messenger,
        MonitorSettings(quiet_seconds=0.0, longest_wait_seconds=0.0),
        [monitors()["gsag"]],
    )
    await scheduler.check_all()
    assert await _queued(database) == 0
    await run_monitor(database, messenger, Store(f"file://{store}"), "gain")
    await place_events(database)
    await scheduler.check_all()
    assert await _queued(database) == 1, "rows of a derived table are news for whoever reads it"
    await run_monitor(
        database, messenger, Store(f"file://{store}"), "gsag", occasion=1, references=folder
    )
    async with database.session() as session:
        query = select(Artifact).where(Artifact.monitor == "gsag").order_by(Artifact.name)
        artifacts = (await session.execute(query)).scalars().all()
        alerts = (
            (await session.execute(select(Alert).where(Alert.key.like("lost|%")))).scalars().all()
        )
    assert [artifact.name for artifact in artifacts] == [
        "cosmo_blue_gsag.fits",
        "cosmo_standard_gsag.fits",
    ]
    with fits.open(store / artifacts[1].path / artifacts[1].name) as hdus:
        tables = sag_tables.read_table(hdus)
    assert tables["FUVA", 163] == {(2400, 422, 8, 2): 58110.0}
    assert not tables["FUVA", 164]
    assert [artifact.detail["active"] for artifact in artifacts] == [None, "used_gsag.fits"]
    assert [alert.value for alert in alerts] == [2.0 + 22.0], (
        "levels up to 163 lack what the table in use flags"
    )


async def _use(database: Database, name: str) -> None:
    """Let CalCOS have used a GSAGTAB."""
    async with database.transaction() as session:
        dataset = Dataset(rootname="le0100010", kind="association")
        session.add(dataset)
        await session.flush()
        job = Job(
            stage=Stage.CALIBRATE,
            dataset_id=dataset.id,
            fingerprint="f",
            queue="calibrate",
            state=JobState.DONE,
        )
        session.add(job)
        await session.flush()
        session.add(
            Run(
                dataset_id=dataset.id,
                job_id=job.id,
                attempt=1,
                path="products/x",
                calcos_version="3.6.2",
                inputs={},
                references={name: {"keyword": "GSAGTAB", "sha256": "ab"}},
                switches={},
                randseeds={},
                wall_seconds=1.0,
                cpu_seconds=1.0,
                peak_rss_mb=1.0,
                trailer="",
            )
        )


async def _queued(database: Database) -> int:
    async with database.session() as session:
        query = (
            select(func.count())
            .select_from(Job)
            .where(Job.monitor == "gsag", Job.state == JobState.QUEUED)
        )
        return int((await session.execute(query)).scalar_one())
