"""Overlays of a site, made of the examples in ``deploy``, rendered once."""

import copy
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.rendering import KUBERNETES, ROOT, Object, missing, render

_SITES = KUBERNETES / "sites"
_CHECKOUT = "../checkout/"


@pytest.fixture(scope="session")
def crds(data_dir: Path) -> Path:
    """Folder of the definitions of KEDA's and the Prometheus operator's objects."""
    folder = data_dir / "k8s-crds"
    if not folder.is_dir():
        missing(f"no definitions of custom objects in {folder}")
    return folder


@pytest.fixture(scope="session")
def render_site(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Object]]:
    """Render the overlay of a site beside a checkout, with further components."""
    rendered: dict[tuple[str, ...], list[Object]] = {}

    def make(site: str, *components: str) -> list[Object]:
        key = (site, *components)
        if key not in rendered:
            folder = tmp_path_factory.mktemp("site")
            text = (_SITES / site / "kustomization.yaml").read_text()
            checkout = os.path.relpath(ROOT, folder)
            added = [f"  - {_CHECKOUT}deploy/kubernetes/components/{name}" for name in components]
            text = "\n".join([text, *(["components:", *added] if added else [])])
            text = text.replace(_CHECKOUT, f"{checkout}/")
            (folder / "kustomization.yaml").write_text(text)
            rendered[key] = render(folder)
        return copy.deepcopy(rendered[key])

    return make
