"""Overlays as a site applies them: rendered, strictly valid, and in agreement with the services."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.deploy.check import check
from tests.deploy.pods import amount
from tests.deploy.rendering import KUBERNETES, ROOT, Object, containers, find, name, pod, render
from tests.deploy.schemas import check_schemas

_SITES = ("single-node", "production")
_OVERLAYS = sorted(folder.name for folder in (KUBERNETES / "overlays").iterdir())
_OLDEST, _NEWEST = "1.30", "1.37"
"""Versions of Kubernetes: the first that lets pods sleep before SIGTERM, and one of today."""

Site = Callable[..., list[Object]]


@pytest.mark.parametrize("version", [_OLDEST, _NEWEST])
def test_every_field_is_one_of_kubernetes(version: str, render_site: Site, crds: Path) -> None:
    objects = render_site("single-node")
    objects += [thing for thing in render_site("production") if thing not in objects]
    assert check_schemas(objects, version, crds) == []


@pytest.mark.parametrize("site", _SITES)
def test_what_it_names_is_there(site: str, render_site: Site) -> None:
    assert check(render_site(site)) == []


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_only_digests_are_left_to_sites(overlay: str) -> None:
    faults = check(render(KUBERNETES / "overlays" / overlay))
    assert faults
    assert all("has no digest; name the image built" in fault for fault in faults)


@pytest.mark.parametrize("site", _SITES)
def test_all_pods_of_the_namespace_are_restricted(site: str, render_site: Site) -> None:
    objects = render_site(site)
    [namespace] = find(objects, "Namespace")
    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    [account] = find(objects, "ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    policies = {name(found): found["spec"] for found in find(objects, "NetworkPolicy")}
    denied = policies["deny-all"]
    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def _deployments(objects: list[Object]) -> dict[str, Object]:
    return {name(found): found["spec"] for found in find(objects, "Deployment")}


@pytest.mark.parametrize("site", _SITES)
def test_a_pool_of_its_own_serves_those_who_wait(site: str, render_site: Site) -> None:
    queues = {}
    for service, spec in _deployments(render_site(site)).items():
        [container] = spec["template"]["spec"]["containers"]
        values = {entry["name"]: entry.get("value") for entry in container["env"]}
        queues[service] = values.get("COSMO_CALIBRATOR__QUEUES")
    assert {service: names for service, names in queues.items() if names} == {
        "calibrator": "calibrate,calibrate-bulk",
        "calibrator-interactive": "recalibrate",
    }


def test_what_is_scaled_has_no_replicas_to_restore(render_site: Site) -> None:
    specs = _deployments(render_site("production"))
    fixed = {service: spec.get("replicas") for service, spec in specs.items()}
    assert fixed == {
        "archive": 2,
        "calibrator": None,
        "calibrator-interactive": 2,
        "ingestor": None,
        "monitor-worker": 2,
        "web": None,
    }


def test_one_node_has_room_for_all(render_site: Site) -> None:
    """4 cores and 16 GB, of which the system needs its own."""
    asked = {"cpu": amount("0"), "memory": amount("0")}
    for thing in find(render_site("single-node"), "Deployment", "StatefulSet"):
        template = pod(thing)
        assert template is not None
        for container in containers(template):
            for kind in asked:
                requests = container["resources"]["requests"]
                asked[kind] += thing["spec"]["replicas"] * amount(requests[kind])
    assert asked["cpu"] <= amount("3.7")
    assert asked["memory"] <= amount("12Gi")


@pytest.mark.parametrize("site", _SITES)
def test_maintenance_leaves_no_process(site: str, render_site: Site) -> None:
    objects = render_site(site, "maintenance")
    assert check(objects) == []
    assert {spec["replicas"] for spec in _deployments(objects).values()} == {0}
    for scaled in find(objects, "ScaledObject"):
        assert scaled["metadata"]["annotations"]["autoscaling.keda.sh/paused-replicas"] == "0"
    assert [name(job) for job in find(objects, "Job")] == ["migrate"]


def test_the_operator_has_the_same_alerts() -> None:
    plain = yaml.safe_load((ROOT / "deploy" / "observability" / "alerts.yml").read_text())
    folder = KUBERNETES / "components" / "observability"
    rule = yaml.safe_load((folder / "rules.yaml").read_text())
    assert rule["spec"] == plain, (
        "copy it: sed '1d; s/^/  /' deploy/observability/alerts.yml below spec of rules.yaml"
    )
