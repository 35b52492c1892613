"""Names by which objects refer to each other: selectors, ports, accounts, volumes, hosts."""

import json
from collections.abc import Iterable, Iterator

from tests.deploy.rendering import Object, containers, find, name, pod, title

__all__ = ["check_names", "selects"]


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Say whether a selector selects something with some labels."""
    wanted = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions", ())
    )


def _holds(expression: Object, labels: dict[str, str]) -> bool:
    value = labels.get(expression["key"])
    return {
        "Exists": value is not None,
        "DoesNotExist": value is None,
        "In": value in expression.get("values", ()),
        "NotIn": value not in expression.get("values", ()),
    }[str(expression["operator"])]


def check_names(objects: list[Object]) -> Iterator[str]:
    """Find what refers to something that is not there."""
    templates = [template for thing in objects if (template := pod(thing)) is not None]
    for thing in objects:
        spec, faults = thing.get("spec", {}), list[str]()
        match thing["kind"]:
            case "Deployment" | "StatefulSet":
                if not selects(spec["selector"], _labels(spec["template"])):
                    faults.append("its selector does not select its own pods")
            case "Service":
                chosen = _chosen(templates, {"matchLabels": spec["selector"]})
                faults += _ports(chosen, [port["targetPort"] for port in spec["ports"]])
            case "PodDisruptionBudget":
                faults += _ports(_chosen(templates, spec["selector"]), ())
            case "NetworkPolicy":
                faults += _policy(templates, spec)
            case "PodMonitor":
                ports = [found["port"] for found in spec["podMetricsEndpoints"]]
                faults += _ports(_chosen(templates, spec["selector"]), ports)
            case "Ingress":
                faults += _ingress(objects, spec)
        if (template := pod(thing)) is not None:
            faults += _pod(objects, template)
        yield from (f"{title(thing)}: {fault}" for fault in faults)


def _labels(template: Object) -> dict[str, str]:
    return dict(template.get("metadata", {}).get("labels", {}))


def _chosen(templates: list[Object], selector: Object) -> list[Object]:
    return [template for template in templates if selects(selector, _labels(template))]


def _ports(chosen: list[Object], ports: Iterable[object]) -> Iterator[str]:
    """Compare ports with those that each of some pods has."""
    if not chosen:
        yield "it selects no pods"
    for template in chosen:
        found = [port for one in containers(template) for port in one.get("ports", ())]
        known = {port["name"] for port in found} | {port["containerPort"] for port in found}
        for port in ports:
            if port not in known:
                yield f"no container of {_labels(template)} has a port {port}"


def _policy(templates: list[Object], spec: Object) -> Iterator[str]:
    chosen = _chosen(templates, spec["podSelector"])
    if not chosen:
        yield "it selects no pods"
    for rule in spec.get("ingress", ()):
        named = [port["port"] for port in rule["ports"]]
        yield from _ports(chosen, [port for port in named if isinstance(port, str)])
    for rule in [*spec.get("ingress", ()), *spec.get("egress", ())]:
        for peer in [*rule.get("from", ()), *rule.get("to", ())]:
            if "podSelector" in peer and not _chosen(templates, peer["podSelector"]):
                yield f"no pods are {peer['podSelector']}"


def _ingress(objects: list[Object], spec: Object) -> Iterator[str]:
    ports = {name(found): _port_names(found) for found in find(objects, "Service")}
    secured = {host for entry in spec.get("tls", ()) for host in entry["hosts"]}
    texts = [found.get("data", {}).get("COSMO_API__HOSTS") for found in find(objects, "ConfigMap")]
    known = {host for text in texts if text for host in json.loads(text)}
    for rule in spec["rules"]:
        if rule["host"] not in secured:
            yield f"{rule['host']} has no TLS"
        if rule["host"] not in known:
            yield f"{rule['host']} is not in COSMO_API__HOSTS"
        for path in rule["http"]["paths"]:
            backend = path["backend"]["service"]
            if backend["port"]["name"] not in ports.get(backend["name"], ()):
                yield f"there is no service {backend['name']} with that port"


def _port_names(service: Object) -> set[str]:
    return {port["name"] for port in service["spec"]["ports"]}


def _pod(objects: list[Object], template: Object) -> Iterator[str]:
    spec = template["spec"]
    claims = {name(found) for found in find(objects, "PersistentVolumeClaim")}
    for kind, wanted in (
        ("ServiceAccount", spec.get("serviceAccountName")),
        ("PriorityClass", spec.get("priorityClassName")),
    ):
        if wanted not in {name(found) for found in find(objects, kind)}:
            yield f"there is no {kind} {wanted}"
    for volume in spec.get("volumes", ()):
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        if claim is not None and claim not in claims:
            yield f"there is no claim {claim}"
    for constraint in spec.get("topologySpreadConstraints", ()):
        if not selects(constraint["labelSelector"], _labels(template)):
            yield "its pods are spread by a selector that does not select them"
