"""The compose file: rights, room and settings of its containers."""

import re
from typing import Any

import pytest
import yaml

from tests.deploy.rendering import ROOT
from tests.deploy.settings import check_variables

_FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
_SERVICES: dict[str, Any] = _FILE["services"]
_OURS = [name for name, service in _SERVICES.items() if "build" in service]
_GIVEN = {"POSTGRES_PASSWORD": "a", "REDIS_PASSWORD": "b"}


def _filled(text: str) -> str:
    """Fill in variables as compose does, with their defaults or with what one must give."""

    def value(found: re.Match[str]) -> str:
        name, mode, rest = found.groups()
        return rest if mode == ":-" else _GIVEN[name]

    return re.sub(r"\$\{(\w+)(:-|:\?)((?:[^{}]|\{\})*)\}", value, text)


@pytest.mark.parametrize("name", _SERVICES)
def test_a_container_has_no_more_rights_and_room_than_it_needs(name: str) -> None:
    service = _SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"]
    assert service["mem_limit"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


@pytest.mark.parametrize("name", _OURS)
def test_variables_are_settings(name: str) -> None:
    environment = {key: _filled(text) for key, text in _SERVICES[name]["environment"].items()}
    assert list(check_variables(environment)) == []


def test_passwords_have_no_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"\$\{(\w*PASSWORD):\?", text)) == set(_GIVEN)
    assert not re.search(r"\$\{\w*PASSWORD:-", text)


def test_only_the_pages_are_published_beyond_this_machine() -> None:
    ports = {name: service["ports"] for name, service in _SERVICES.items() if "ports" in service}
    assert ports.pop("monitor") == ["${COSMO_PORT:-8080}:8080"]
    assert all(port.startswith("127.0.0.1:") for found in ports.values() for port in found)


def test_observability_is_a_profile() -> None:
    profiles = {name: service.get("profiles") for name, service in _SERVICES.items()}
    assert {name for name, found in profiles.items() if found == ["observability"]} == {
        "grafana",
        "prometheus",
    }
    for name in ("grafana", "prometheus"):
        for volume in _SERVICES[name]["volumes"]:
            source = volume.partition(":")[0]
            assert source in _FILE["volumes"] or (ROOT / source).exists(), source
