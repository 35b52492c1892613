"""Pods: images, rights, room, probes and time to end."""

import re
from collections.abc import Iterator
from decimal import Decimal

from tests.deploy.health import answers
from tests.deploy.rendering import Object, containers, pod, title

__all__ = ["amount", "check_images", "check_pods"]

_DIGEST = re.compile(r"@sha256:(?!0{64})[0-9a-f]{64}$")
_LOWEST_USER = 10001
_UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "Mi": Decimal(1 << 20),
    "Gi": Decimal(1 << 30),
}
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_MARGIN_SECONDS = 20
"""In which a process that has given back its job, or answered its requests, ends."""


def amount(text: str) -> Decimal:
    """Return the value of a quantity, such as ``250m`` or ``2Gi``."""
    number = str(text).rstrip("mMGi")
    return Decimal(number) * _UNITS[str(text).removeprefix(number)]


def check_images(objects: list[Object]) -> Iterator[str]:
    """Find images without the digest of what was built."""
    for thing in objects:
        for container in containers(template) if (template := pod(thing)) else ():
            if not _DIGEST.search(container["image"]):
                yield f"{title(thing)}: {container['image']} has no digest; name the image built"


def check_pods(objects: list[Object]) -> Iterator[str]:
    """Find pods that have rights that they need not, or lack what they need."""
    for thing in objects:
        template = pod(thing)
        if template is None:
            continue
        faults = [*_rights(template["spec"]), *_volumes(template)]
        for container in containers(template):
            faults += _rights_of_container(container)
            faults += _room(container)
            faults += _probes(container, thing["kind"] in ("Deployment", "StatefulSet"))
        faults += _ending(template)
        yield from (f"{title(thing)}: {fault}" for fault in faults)


def _rights(spec: Object) -> Iterator[str]:
    context = spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or context.get("runAsUser", 0) < _LOWEST_USER:
        yield f"runs as root, or as a user below {_LOWEST_USER}"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile"
    if spec.get("automountServiceAccountToken") is not False:
        yield "has a token of the API server"
    if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        yield "is in a namespace of its node"


def _rights_of_container(container: Object) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("runAsUser", _LOWEST_USER) < _LOWEST_USER or context.get("privileged"):
        yield f"{container['name']} runs as root, or as a user below {_LOWEST_USER}"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{container['name']} may gain rights"
    if context.get("readOnlyRootFilesystem") is not True:
        yield f"{container['name']} may write its image"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield f"{container['name']} has capabilities"


def _volumes(template: Object) -> Iterator[str]:
    volumes = template["spec"].get("volumes", ())
    local = [volume["emptyDir"] for volume in volumes if "emptyDir" in volume]
    if any("sizeLimit" not in volume for volume in local):
        yield "has an emptyDir without a size limit"
        return
    on_disk = sum(amount(v["sizeLimit"]) for v in local if v.get("medium") != "Memory")
    limits = [container["resources"].get("limits", {}) for container in containers(template)]
    room = sum(amount(limit.get("ephemeral-storage", "0")) for limit in limits)
    if on_disk > room:
        yield f"its volumes may take {on_disk / 2**30:.1f} GiB, its limit is {room / 2**30:.1f} GiB"


def _room(container: Object) -> Iterator[str]:
    resources = container.get("resources", {})
    for kind in ("cpu", "memory", "ephemeral-storage"):
        request, limit = (resources.get(key, {}).get(kind) for key in ("requests", "limits"))
        if request is None or limit is None:
            yield f"{container['name']} has no request or limit of {kind}"
        elif amount(request) > amount(limit):
            yield f"{container['name']} requests more {kind} than its limit"


def _probes(container: Object, needed: bool) -> Iterator[str]:
    ports = {port["name"] for port in container.get("ports", ())}
    for kind in _PROBES:
        probe = container.get(kind)
        if probe is None:
            if needed:
                yield f"{container['name']} has no {kind}"
            continue
        asked = probe.get("httpGet") or probe.get("tcpSocket") or {}
        if asked and asked["port"] not in ports:
            yield f"{kind}: {container['name']} has no port {asked['port']}"
        if "httpGet" in probe and not answers(asked["path"]):
            yield f"{kind}: there is no {asked['path']}"


def _ending(template: Object) -> Iterator[str]:
    """Compare the time that pods have to end with what their process takes."""
    [container] = template["spec"]["containers"]
    given = template["spec"].get("terminationGracePeriodSeconds", 30)
    values = {entry["name"]: entry.get("value") for entry in container.get("env", ())}
    hook = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    taken = float(values.get("COSMO_JOBS__GRACE_SECONDS") or 10) + hook + _MARGIN_SECONDS
    if container["name"] == "cosmo" and "livenessProbe" in container and given < taken:
        yield f"has {given} s to end and takes up to {taken:.0f} s"
