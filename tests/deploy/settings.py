"""Environments of containers against the settings of COSMO."""

import os
from collections.abc import Iterator
from unittest.mock import patch

from pydantic import BaseModel, ValidationError

from shared.settings import Settings, described
from tests.deploy.rendering import Object, containers, find, name, pod, title

__all__ = ["check_settings", "check_variables"]

_SECRETS = {
    "cosmo": {"COSMO_DATABASE_PASSWORD", "COSMO_REDIS_PASSWORD"},
    "cosmo-tokens": {"COSMO_API__TOKENS"},
    "cosmo-mail": {"COSMO_MONITOR__SMTP_PASSWORD"},
    "cosmo-s3": {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"},
}
"""Secrets that the documentation has people create, with their keys."""
_OTHER = {"COSMO_SECRETS_DIR"}


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for field_name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _variables(kind, f"{prefix}{field_name.upper()}__")
        else:
            yield f"{prefix}{field_name.upper()}"


def check_settings(objects: list[Object]) -> Iterator[str]:
    """Find variables that are no settings, values that are refused, and sources that are absent."""
    maps = {name(thing): thing.get("data", {}) for thing in find(objects, "ConfigMap")}
    for thing in objects:
        template = pod(thing)
        if template is None:
            continue
        faults = list(_volumes(template, maps))
        for container in containers(template):
            values, absent = _environment(container, maps)
            faults += [*absent, *check_variables(values)]
        yield from (f"{title(thing)}: {fault}" for fault in dict.fromkeys(faults))


def check_variables(environment: dict[str, str]) -> Iterator[str]:
    """Find variables of an environment that are no settings, and values that are refused."""
    known = {*_variables(Settings, "COSMO_"), *_OTHER}
    ours = {key: text for key, text in environment.items() if key.startswith("COSMO_")}
    yield from (f"{key} is no setting" for key in ours if key not in known)
    with patch.dict(os.environ, {key: ours[key] for key in ours if key not in _OTHER}, clear=True):
        try:
            Settings()
        except ValidationError as error:
            yield described(error)


def _environment(
    container: Object, maps: dict[str, dict[str, str]]
) -> tuple[dict[str, str], list[str]]:
    """Return what a container has in its environment, and what of that has no source."""
    values: dict[str, str] = {}
    absent = []
    for source in container.get("envFrom", ()):
        if (found := source.get("configMapRef")) is not None:
            if found["name"] not in maps:
                absent.append(f"there is no ConfigMap {found['name']}")
            values |= maps.get(found["name"], {})
        elif source["secretRef"]["name"] not in _SECRETS:
            absent.append(f"nobody creates the secret {source['secretRef']['name']}")
    for entry in container.get("env", ()):
        origin = entry.get("valueFrom", {})
        if (found := origin.get("configMapKeyRef")) is not None:
            if found["key"] not in maps.get(found["name"], {}):
                absent.append(f"there is no {found['key']} in the ConfigMap {found['name']}")
        elif (found := origin.get("secretKeyRef")) is not None:
            if found["key"] not in _SECRETS.get(found["name"], ()):
                absent.append(f"nobody puts {found['key']} into the secret {found['name']}")
        else:
            values[entry["name"]] = entry.get("value", "name-of-the-pod")
    return values, absent


def _volumes(template: Object, maps: dict[str, dict[str, str]]) -> Iterator[str]:
    for volume in template["spec"].get("volumes", ()):
        for source in volume.get("projected", {}).get("sources", ()):
            if (secret := source.get("secret")) and secret["name"] not in _SECRETS:
                yield f"nobody creates the secret {secret['name']}"
        if (mapped := volume.get("configMap")) and mapped["name"] not in maps:
            yield f"there is no ConfigMap {mapped['name']}"
