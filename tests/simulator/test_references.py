"""The reference files: complete, the same every time, small; and the rules that choose them."""

import ast
import hashlib
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from shared.operating_system import locks_without_semaphores
from simulator.plan import ExposurePlan
from simulator.references.catalogue import Catalogue, all_keys
from simulator.references.context import CONTEXTS, REVISED, write_contexts
from simulator.references.detector import bad_time_table
from simulator.references.keys import KINDS, Key
from simulator.references.spectra import REVISED_FLUX
from simulator.verify.cases import CASES

PLANS = [case.members[0] for case in CASES.values()]


@pytest.mark.parametrize("detector", ["FUV", "NUV"])
def test_same_bytes_every_time_and_small(detector: str, tmp_path: Path) -> None:
    plan = next(
        plan for plan in PLANS if plan.detector == detector and plan.obstype == "SPECTROSCOPIC"
    )
    keys = list(Catalogue().select(plan).values())
    folders = tmp_path / "one", tmp_path / "two"
    digests = []
    for folder in folders:
        names = Catalogue().write(folder, keys)
        digests.append(
            {
                name: hashlib.sha256((folder / f"{name}.gz").read_bytes()).hexdigest()
                for name in names
            }
        )
    assert digests[0] == digests[1]
    assert sum(path.stat().st_size for path in folders[0].iterdir()) < 12_000_000
    written = {path.name: path.stat().st_mtime_ns for path in folders[0].iterdir()}
    Catalogue().write(folders[0], keys)
    assert written == {path.name: path.stat().st_mtime_ns for path in folders[0].iterdir()}
    for key in keys:
        with fits.open(folders[0] / f"{key.name}.gz") as hdus:
            assert hdus[0].header["FILETYPE"] == KINDS[key.keyword].filetype
            assert hdus[0].header["FILENAME"] == key.name


def test_names_are_unique() -> None:
    names = [key.name for key in all_keys()]
    assert len(set(names)) == len(names)
    assert {key.keyword for key in all_keys()} == set(KINDS)


def test_every_plan_is_served() -> None:
    known = set(all_keys())
    for plan in PLANS:
        assert set(Catalogue().select(plan).values()) <= known


def test_second_version_changes_the_content() -> None:
    old, new = (
        Catalogue().make(Key("FLUXTAB", "NUV", version=version))[1].data for version in (1, 2)
    )
    np.testing.assert_allclose(new["SENSITIVITY"], REVISED_FLUX * old["SENSITIVITY"], rtol=1e-6)
    for detector in ("FUV", "NUV"):
        counts = [
            len(Catalogue().make(Key("BPIXTAB", detector, version=version))[1].data)
            for version in (1, 2)
        ]
        assert counts[1] > counts[0]


def test_bad_times_have_files_of_their_own() -> None:
    key = Key("BADTTAB", "NUV")
    plain, named = Catalogue().current(key), Catalogue([(57000.0, 57000.1)]).current(key)
    assert plain.name != named.name
    rows = bad_time_table(named, [(57000.0, 57000.1)])[1].data
    assert (57000.0, 57000.1) in {(row["START"], row["STOP"]) for row in rows}


def chosen_by_rules(folder: Path, context: str, plan: ExposurePlan) -> dict[str, str]:
    """Read the rules without the package that they are for, and apply them."""

    def selector(name: str) -> Any:
        text = (folder / name).read_text().split("selector = ")[1]
        return ast.literal_eval(text.replace("Match(", "(").replace("UseAfter(", "("))

    fields = {"FUV": {"life_adj": f"{plan.life_adj}.0"}, "NUV": {"life_adj": "*"}}[plan.detector]
    fields |= {"opt_elem": plan.opt_elem, "cenwave": f"{plan.cenwave}.0"}
    found = {}
    for keyword, rule in selector(selector(context)["COS"]).items():
        if rule == "N/A":
            continue
        wanted = (plan.detector, *(fields[name] for name in KINDS[keyword.upper()].selection))
        match = selector(rule).get(wanted)
        if match is not None:
            found[keyword.upper()] = next(iter(match.values()))
    return found


@pytest.mark.parametrize("context", CONTEXTS)
def test_rules_choose_what_the_catalogue_chooses(context: str, tmp_path: Path) -> None:
    write_contexts(tmp_path, Catalogue())
    catalogue = Catalogue() if context == CONTEXTS[0] else Catalogue().revise(REVISED)
    for plan in PLANS:
        names = {keyword: key.name for keyword, key in catalogue.select(plan).items()}
        assert (
            names.items() <= chosen_by_rules(tmp_path / "mappings" / "hst", context, plan).items()
        )


def test_contexts_differ_in_what_was_revised(tmp_path: Path) -> None:
    write_contexts(tmp_path, Catalogue())
    plan = next(plan for plan in PLANS if plan.detector == "FUV")
    first, second = (
        chosen_by_rules(tmp_path / "mappings" / "hst", context, plan) for context in CONTEXTS
    )
    assert {keyword for keyword in first if first[keyword] != second[keyword]} == set(REVISED)


def test_crds_resolves_them_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRDS_PATH", str(tmp_path))
    monkeypatch.setenv("CRDS_SERVER_URL", "https://localhost:9")
    monkeypatch.setenv("CRDS_OBSERVATORY", "hst")
    with locks_without_semaphores():
        crds = import_module("crds")  # reads the environment when it is imported

    write_contexts(tmp_path, Catalogue())
    for plan in (*PLANS, replace(PLANS[0], life_adj=1)):
        header = {"INSTRUME": "COS", "DETECTOR": plan.detector, "LIFE_ADJ": str(plan.life_adj)}
        header |= {"OPT_ELEM": plan.opt_elem, "CENWAVE": str(plan.cenwave)}
        header |= {"DATE-OBS": "2015-01-01", "TIME-OBS": "00:00:00"}
        for context, catalogue in zip(
            CONTEXTS, (Catalogue(), Catalogue().revise(REVISED)), strict=True
        ):
            found = crds.getrecommendations(header, context=context, observatory="hst")
            names = {keyword.lower(): key.name for keyword, key in catalogue.select(plan).items()}
            assert {keyword: found[keyword] for keyword in names} == names
