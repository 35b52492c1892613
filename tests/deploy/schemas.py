"""Strict schemas of the objects of Kubernetes, of KEDA and of the Prometheus operator."""

import importlib
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.rendering import Object, missing, title

__all__ = ["check_schemas"]


def check_schemas(objects: list[Object], version: str, crds: Path) -> list[str]:
    """Say what in some objects no schema has, or has otherwise.

    Parameters
    ----------
    objects
        The objects.
    version
        Version of Kubernetes.
    crds
        Folder of the definitions of other objects.
    """
    found = []
    for thing in objects:
        file = _definition(thing, crds)
        fault = _built_in(thing, version) if file is None else _custom(thing, file)
        if fault is not None:
            found.append(f"{title(thing)}: {fault}")
    return found


def _package(name: str) -> Any:
    """Import a package that requirements/kubernetes.txt has, and the environment need not."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return missing(f"no {name}; requirements/kubernetes.txt has it")


def _built_in(thing: Object, version: str) -> str | None:
    package = _package("kubernetes_validate")
    try:
        package.validate(thing, version, strict=True)
    except package.ValidationError as error:
        return _describe(error)
    except package.SchemaNotFoundError as error:
        return str(error.message)
    return None


def _definition(thing: Object, crds: Path) -> Path | None:
    """Return the file that defines a custom object."""
    group, _, _ = thing["apiVersion"].partition("/")
    file = crds / f"{group}_{thing['kind'].lower()}s.yaml"
    return file if file.exists() else None


def _custom(thing: Object, file: Path) -> str | None:
    _, _, version = thing["apiVersion"].partition("/")
    schema = _versions(file).get(version)
    if schema is None:
        return f"there is no version {version} of it"
    error = next(_package("jsonschema").Draft202012Validator(schema).iter_errors(thing), None)
    return None if error is None else _describe(error)


@cache
def _versions(file: Path) -> dict[str, Any]:
    definition = yaml.safe_load(file.read_text())
    return {
        found["name"]: _strict(found["schema"]["openAPIV3Schema"], top=True)
        for found in definition["spec"]["versions"]
    }


def _strict(schema: Any, *, top: bool = False) -> Any:
    """Refuse fields that a schema does not name, as the API server prunes them."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items() if key != "properties"}
    if "properties" in schema:
        strict["properties"] = {
            key: {"type": "object"} if top and key == "metadata" else _strict(value)
            for key, value in schema["properties"].items()
        }
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            strict.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        strict.pop("type", None)
    return strict


def _describe(error: Any) -> str:
    where = ".".join(map(str, error.absolute_path))
    return f"{where}: {error.message[:300]}"
