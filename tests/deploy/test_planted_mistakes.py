"""Mistakes that somebody could make in an overlay: each is found, and named."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.check import check, main
from tests.deploy.rendering import Object, containers, find, name, pod
from tests.deploy.schemas import check_schemas

_VERSION = "1.37"


@pytest.fixture
def objects(render_site: Callable[..., list[Object]]) -> list[Object]:
    """Objects of an overlay without a mistake."""
    return render_site("production")


def _one(objects: list[Object], kind: str, wanted: str) -> Object:
    [found] = (thing for thing in find(objects, kind) if name(thing) == wanted)
    return found


def _container(objects: list[Object], service: str) -> Object:
    template = pod(_one(objects, "Deployment", service))
    assert template is not None
    return containers(template)[0]


def _settings(objects: list[Object]) -> dict[str, str]:
    maps = find(objects, "ConfigMap")
    [data] = (found["data"] for found in maps if "COSMO_STORE_URL" in found["data"])
    settings: dict[str, str] = data
    return settings


def _misspell_a_field(objects: list[Object]) -> None:
    spec = _one(objects, "Deployment", "calibrator")["spec"]["template"]["spec"]
    spec["terminationGracePeriodSecond"] = spec.pop("terminationGracePeriodSeconds")


def _misspell_a_field_of_keda(objects: list[Object]) -> None:
    spec = _one(objects, "ScaledObject", "calibrator")["spec"]
    spec["maxReplicas"] = spec.pop("maxReplicaCount")


def _misspell_a_field_of_a_rule(objects: list[Object]) -> None:
    [rule] = find(objects, "PrometheusRule")
    first = rule["spec"]["groups"][0]["rules"][0]
    first["anotations"] = first.pop("annotations")


def _give_a_wrong_type(objects: list[Object]) -> None:
    _one(objects, "Deployment", "archive")["spec"]["replicas"] = "two"


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (_misspell_a_field, "terminationGracePeriodSecond"),
        (_misspell_a_field_of_keda, "maxReplicas"),
        (_misspell_a_field_of_a_rule, "anotations"),
        (_give_a_wrong_type, "spec.replicas: 'two' is not"),
    ],
)
def test_a_schema_refuses(
    plant: Callable[[list[Object]], None], said: str, objects: list[Object], crds: Path
) -> None:
    before = [str(thing) for thing in objects]
    plant(objects)
    changed = [thing for thing, old in zip(objects, before, strict=True) if str(thing) != old]
    [fault] = check_schemas(changed, _VERSION, crds)
    assert said in fault


def _leave_out_a_limit(objects: list[Object]) -> None:
    del _container(objects, "ingestor")["resources"]["limits"]["memory"]


def _run_as_root(objects: list[Object]) -> None:
    _container(objects, "web")["securityContext"]["runAsUser"] = 0


def _write_the_image(objects: list[Object]) -> None:
    _container(objects, "web")["securityContext"]["readOnlyRootFilesystem"] = False


def _select_nothing(objects: list[Object]) -> None:
    _one(objects, "Service", "web")["spec"]["selector"]["app.kubernetes.io/name"] = "monitor"


def _name_a_port_that_nobody_has(objects: list[Object]) -> None:
    _one(objects, "Service", "web")["spec"]["ports"][0]["targetPort"] = "https"


def _set_what_is_no_setting(objects: list[Object]) -> None:
    _settings(objects)["COSMO_STORE"] = "s3://bucket"


def _set_what_is_refused(objects: list[Object]) -> None:
    _settings(objects)["COSMO_JOBS__LEASE_SECONDS"] = "soon"


def _take_a_key_that_is_not_there(objects: list[Object]) -> None:
    source = {"configMapKeyRef": {"name": "cosmo", "key": "COSMO_INSTANCES"}}
    _container(objects, "archive")["env"].append({"name": "COSMO_INSTANCE", "valueFrom": source})


def _take_a_secret_that_nobody_creates(objects: list[Object]) -> None:
    source = {"secretKeyRef": {"name": "cosmo", "key": "PASSWORD"}}
    entry = {"name": "COSMO_REDIS_PASSWORD", "valueFrom": source}
    _container(objects, "archive")["env"].append(entry)


def _watch_a_metric_that_nothing_has(objects: list[Object]) -> None:
    [rule] = find(objects, "PrometheusRule")
    rule["spec"]["groups"][0]["rules"][0]["expr"] = "sum(cosmo_job_number) > 0"


def _scale_on_a_metric_that_nothing_has(objects: list[Object]) -> None:
    [trigger] = _one(objects, "ScaledObject", "calibrator")["spec"]["triggers"]
    trigger["metadata"]["query"] = 'sum(cosmo_job{stage="calibrate"})'


def _protect_no_pods(objects: list[Object]) -> None:
    budget = _one(objects, "PodDisruptionBudget", "archive")["spec"]
    budget["selector"]["matchLabels"] = {"app": "archive"}


def _probe_what_answers_404(objects: list[Object]) -> None:
    _container(objects, "archive")["livenessProbe"]["httpGet"]["path"] = "/healthz"


def _end_before_a_run_does(objects: list[Object]) -> None:
    spec = _one(objects, "Deployment", "calibrator")["spec"]["template"]["spec"]
    spec["terminationGracePeriodSeconds"] = 30


def _name_no_digest(objects: list[Object]) -> None:
    _container(objects, "archive")["image"] = "registry.example/cosmo/archive:latest"


def _restore_replicas(objects: list[Object]) -> None:
    _one(objects, "Deployment", "calibrator")["spec"]["replicas"] = 2


def _answer_under_an_unknown_name(objects: list[Object]) -> None:
    [rule] = _one(objects, "Ingress", "web")["spec"]["rules"]
    rule["host"] = "pages.observatory.example"


def _scale_what_is_not_there(objects: list[Object]) -> None:
    _one(objects, "ScaledObject", "ingestor")["spec"]["scaleTargetRef"]["name"] = "ingest"


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (_leave_out_a_limit, "Deployment/ingestor: cosmo has no request or limit of memory"),
        (_run_as_root, "Deployment/web: cosmo runs as root, or as a user below 10001"),
        (_write_the_image, "Deployment/web: cosmo may write its image"),
        (_select_nothing, "Service/web: it selects no pods"),
        (_name_a_port_that_nobody_has, "has a port https"),
        (_set_what_is_no_setting, "COSMO_STORE is no setting"),
        (_set_what_is_refused, "COSMO_JOBS__LEASE_SECONDS: Input should be a valid number"),
        (_take_a_key_that_is_not_there, "there is no COSMO_INSTANCES in the ConfigMap cosmo"),
        (_take_a_secret_that_nobody_creates, "nobody puts PASSWORD into the secret cosmo"),
        (_watch_a_metric_that_nothing_has, "nothing has the metric cosmo_job_number"),
        (_scale_on_a_metric_that_nothing_has, "nothing has the metric cosmo_job"),
        (_protect_no_pods, "PodDisruptionBudget/archive: it selects no pods"),
        (_probe_what_answers_404, "livenessProbe: there is no /healthz"),
        (_end_before_a_run_does, "has 30 s to end and takes up to 120 s"),
        (_name_no_digest, "registry.example/cosmo/archive:latest has no digest"),
        (_restore_replicas, "its deployment has replicas"),
        (_answer_under_an_unknown_name, "pages.observatory.example is not in COSMO_API__HOSTS"),
        (_scale_what_is_not_there, "ScaledObject/ingestor: what it scales is not there"),
    ],
)
def test_the_check_refuses(
    plant: Callable[[list[Object]], None], said: str, objects: list[Object]
) -> None:
    plant(objects)
    faults = check(objects)
    assert any(said in fault for fault in faults), faults


def test_the_check_is_a_command(
    objects: list[Object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n---\n".join(map(json.dumps, objects))))
    assert main() == 0
    assert capsys.readouterr().out == "nothing found\n"
    _run_as_root(objects)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n---\n".join(map(json.dumps, objects))))
    assert main() == 1
    assert "runs as root" in capsys.readouterr().out
