"""Simulated missions: their files, reports and truth."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from shared.errors import PermanentError
from shared.fits import check_fits
from simulator.mission.make import MissionSimulation, simulate, simulated_truth, spread
from simulator.mission.schedule import Mission
from simulator.mission.visits import Visit
from simulator.plan import ExposurePlan, FaultKind
from simulator.references.context import CONTEXTS


def _digests(folder: Path) -> Mapping[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def _visit(simulation: MissionSimulation, routine: str) -> Visit:
    return next(visit for visit in simulation.taken if visit.kind == routine)


def _suffixes(folder: Path, rootname: str) -> set[str]:
    return {
        path.name.partition("_")[2].removesuffix(".fits") for path in folder.rglob(f"{rootname}_*")
    }


def test_the_same_bytes_again(tmp_path: Path) -> None:
    mission = Mission(years=0.5, seed=3)
    for name in ("first", "second"):
        simulation = MissionSimulation(mission, tmp_path / name)
        simulation.write_reports()
        simulation.take(_visit(simulation, "nuv-science"))
    digests = _digests(tmp_path / "first")
    assert len(digests) > 40
    assert _digests(tmp_path / "second") == digests


def test_another_seed_other_photons(tmp_path: Path) -> None:
    rows = []
    for seed in (1, 2):
        simulation = MissionSimulation(Mission(years=0.5, seed=seed), tmp_path / str(seed))
        (record,) = simulation.take(_visit(simulation, "nuv-dark"))
        rows.append(record["detectors"]["NUV"]["events"])
    assert rows[0] != rows[1]


def test_what_a_visit_leaves(tmp_path: Path) -> None:
    simulation = MissionSimulation(Mission(years=0.5), tmp_path)
    visit = _visit(simulation, "nuv-science")
    records = simulation.take(visit)
    assert [record["rootname"] for record in records] == [plan.rootname for plan in visit.exposures]
    for plan, record in zip(visit.exposures, records, strict=True):
        raw = {"ACQ": "rawacq", "WAV": "rawtag", "EXT": "rawaccum"}[plan.exptype[:3]]
        assert _suffixes(tmp_path / "data" / str(plan.proposal), plan.rootname) == {raw, "spt"}
        assert f"{plan.rootname}_{raw}.fits" in record["files"]
        header = fits.getheader(next((tmp_path / "data").rglob(f"{plan.rootname}_{raw}.fits")))
        named = [value for keyword, value in header.items() if str(value).startswith("lref$")]
        assert header["CRDS_CTX"] == CONTEXTS[0]
        assert named or plan.is_acquisition
        assert all(
            (tmp_path / "references" / f"{name.removeprefix('lref$')}.gz").exists()
            for name in named
        )
        if plan.is_acquisition:
            assert _suffixes(tmp_path / "data", f"{plan.rootname[:8]}j") == {"jit", "jif"}
    (association,) = visit.associations
    assert _suffixes(tmp_path / "data", association.rootname) == {"asn", "jit", "jif"}
    assert not list((tmp_path / ".making").rglob("*.fits"))


def _exposure(simulation: MissionSimulation, kind: FaultKind) -> tuple[Visit, ExposurePlan]:
    return next(
        (visit, plan)
        for visit in simulation.taken
        for plan in visit.exposures
        if plan.faults_of(kind)
    )


def test_faults_that_were_asked_for(tmp_path: Path) -> None:
    kinds = (FaultKind.TRUNCATED, FaultKind.MISSING, FaultKind.NO_EVENTS, FaultKind.SEGMENT_OFF)
    routines = ("nuv-dark", "nuv-standard", "fuv-dark")
    simulation = MissionSimulation(Mission(years=0.5, faults=kinds, routines=routines), tmp_path)
    taken = {kind: _exposure(simulation, kind) for kind in kinds}
    for visit in {visit.name: visit for visit, _ in taken.values()}.values():
        simulation.take(visit)

    def raw(kind: FaultKind) -> list[Path]:
        return sorted((tmp_path / "data").rglob(f"{taken[kind][1].rootname}_raw*"))

    with pytest.raises(PermanentError, match=taken[FaultKind.TRUNCATED][1].rootname):
        check_fits(raw(FaultKind.TRUNCATED)[0])
    missing = taken[FaultKind.MISSING][1]
    assert not raw(FaultKind.MISSING)
    table = fits.getdata(next((tmp_path / "data").rglob(f"{missing.association}_asn.fits")), "ASN")
    assert missing.rootname.upper() in [name.strip() for name in table["MEMNAME"]]
    assert raw(FaultKind.NO_EVENTS)
    for path in raw(FaultKind.NO_EVENTS):
        data = fits.getdata(path, 1)
        assert (data.sum() if path.name.count("accum") else len(data)) == 0
    (alone,) = raw(FaultKind.SEGMENT_OFF)
    assert alone.name.endswith("_a.fits")
    assert (fits.getval(alone, "DETECTHV"), fits.getval(alone, "HVLEVELB", 1)) == ("NomA", 100)


def test_a_simulation_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """Visits that are there stay as they are, and their truth is known before that of the mission
    is written.
    """
    mission = Mission(years=0.5, routines=("nuv-dark", "acquisition"))
    simulation = simulate(mission, tmp_path)
    first, _, total = next(simulation)
    simulation.close()
    known = simulated_truth(mission, tmp_path)
    assert {record["visit"] for record in known} >= {first.name}
    assert len({record["visit"] for record in known}) < total
    path = next((tmp_path / "data").rglob(known[0]["files"][0]))
    path.write_bytes(b"what is there stays")
    assert not simulated_truth(Mission(years=0.5, seed=2, routines=("nuv-dark",)), tmp_path)
    assert len({visit.name for visit, _, _ in simulate(mission, tmp_path)}) == total
    assert path.read_bytes() == b"what is there stays"
    assert [record["rootname"] for record in simulated_truth(mission, tmp_path)] == [
        record["rootname"]
        for record in json.loads((tmp_path / "truth.json").read_text())["exposures"]
    ]
    assert not (tmp_path / ".visits").exists()


def test_any_first_part_covers_the_mission() -> None:
    order = spread(21)
    assert sorted(order) == list(range(21))
    for count in (4, 8, 16):
        assert max(np.diff(sorted(order[:count]))) <= 32 // count + 1


def test_a_whole_mission(tmp_path: Path) -> None:
    """Every visit that is taken, whichever process takes it.

    Reports of the whole schedule; the truth last.
    """
    mission = Mission(years=0.5, routines=("nuv-dark",))
    seen = []
    for visit, done, total in simulate(mission, tmp_path, jobs=1):
        assert all(
            list((tmp_path / "data").rglob(f"{plan.rootname}_spt.fits")) for plan in visit.exposures
        )
        assert not (tmp_path / "truth.json").exists()
        seen.append((done, total))
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert seen == [(number, len(seen)) for number in range(1, len(seen) + 1)]
    assert {path.name for path in (tmp_path / "crds").rglob("*.pmap")} == set(CONTEXTS)
    text = "".join((tmp_path / "sms" / name).read_text() for name in truth["reports"])
    assert len(truth["visits"]) > len(seen)
    assert all(f"\n{visit['name']}" in text for visit in truth["visits"])
    for record in truth["exposures"]:
        assert record["rootname"][:8] in text
        assert all(list((tmp_path / "data").rglob(name)) for name in record["files"])
        assert -28.7 < record["orbit"]["latitude"] < 28.7
        dark = record["detectors"]["NUV"]
        pixels = 1024 * 1024 * dark["dark_rate"] * record["plan"]["exptime"]
        assert dark["events"] == pytest.approx(pixels * dark["live_time"], rel=0.02)
