"""Settings of the HTTP API that must fit together, and secrets that stay hidden."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from cosmo.cli.app import app
from shared.database.addresses import connection_arguments
from shared.database.models.operations import Stage
from shared.errors import PermanentError
from shared.jobs.queues import queues_of
from shared.settings import (
    ApiSettings,
    CalibratorSettings,
    Scope,
    Settings,
    described,
    get_settings,
)


def test_a_plain_token_has_every_scope() -> None:
    settings = ApiSettings.model_validate(
        {"tokens": {"old": "one", "new": {"token": "two", "scopes": ["recalibrate"]}}}
    )
    assert settings.tokens["old"].scopes == frozenset(Scope)
    assert settings.tokens["new"].scopes == {Scope.RECALIBRATE}
    assert settings.tokens["new"].token.get_secret_value() == "two"


@pytest.mark.parametrize(
    ("api", "said"),
    [
        ({"host": "0.0.0.0"}, "COSMO_API__HOSTS"),
        ({"host": "::"}, "COSMO_API__HOSTS"),
        ({"host": "cosmo.example.org"}, "COSMO_API__HOSTS"),
        ({"tokens": {"a": "hush", "b": {"token": "hush"}}}, "under two names"),
        ({"tokens": {"a": {"token": "hush", "scopes": ["fly"]}}}, "'operate'"),
        ({"tokens": {"a": {"token": "hush", "scope": ["operate"]}}}, "Extra inputs"),
    ],
)
def test_what_does_not_fit_is_refused_without_showing_secrets(
    api: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as error:
        Settings(api=api)
    assert said in str(error.value)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("COSMO_CALIBRATOR__REFERENCES", "COSMO_REFERENCES__FOLDER"),
        ("COSMO_CALIBRATOR__REFERENCE_CACHE", "COSMO_REFERENCES__CACHE"),
        ("COSMO_CALIBRATOR__CRDS", "COSMO_REFERENCES__CRDS"),
        ("COSMO_CALIBRATOR__CALCOS_VERSION", "the CalCOS that is installed says its version"),
        ("COSMO_REFERENCES", "COSMO_REFERENCES__FOLDER"),
        ("COSMO_REFERENCES__FOLDERS", "references.folders"),
        ("COSMO_CALIBRATOR__KEEPS", "calibrator.keeps"),
    ],
)
def test_former_and_unknown_names_are_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, said: str
) -> None:
    monkeypatch.setenv(variable, "/data/references")
    with pytest.raises(ValidationError, match=said):
        Settings()


def test_references_have_settings_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().references.folder is None
    monkeypatch.setenv("COSMO_REFERENCES__FOLDER", "/data/references")
    monkeypatch.setenv("COSMO_REFERENCES__CRDS", "/data/crds")
    references = Settings().references
    assert references.folder == Path("/data/references")
    assert references.crds == Path("/data/crds")
    monkeypatch.setenv("COSMO_REFERENCES__FOLDER", "file:///my%20references")
    assert Settings().references.folder == Path("/my references")
    monkeypatch.setenv("COSMO_REFERENCES__FOLDER", "s3://bucket/references")
    assert Settings().references.folder == "s3://bucket/references"


@pytest.mark.parametrize(
    "text", ["mast, s3://bucket/raw,./raw", '["mast", "s3://bucket/raw", "./raw"]']
)
def test_sources_are_a_list_in_their_order(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert Settings().archive.sources == []
    monkeypatch.setenv("COSMO_ARCHIVE__SOURCES", text)
    archive = Settings().archive
    assert archive.sources == ["mast", "s3://bucket/raw", "./raw"]
    assert archive.catalogues == ["mast"]
    assert archive.folders == ["s3://bucket/raw", "./raw"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "SOURCE",
            "/data",
            "there is no COSMO_ARCHIVE__SOURCE: it is called COSMO_ARCHIVE__SOURCES",
        ),
        ("SOURCES", "/data/,mast,file:///data", "/data/ and file:///data are one address"),
        ("SOURCES", "http://host/raw,http://host/raw/", "are one address; name it once"),
        ("SOURCES", "mast,cadc,mast", "mast and mast are one address"),
        ("SOURCES", '["/data"', 'it is no JSON list such as ["mast", "/data/cos"]'),
    ],
)
def test_wrong_sources_are_refused_in_a_line(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, said: str
) -> None:
    monkeypatch.setenv(f"COSMO_ARCHIVE__{name}", text)
    with pytest.raises(ValidationError) as refused:
        Settings()
    line = described(refused.value)
    assert said in line
    assert "\n" not in line


def test_references_are_not_unpacked_among_themselves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COSMO_REFERENCES__FOLDER", str(tmp_path))
    monkeypatch.setenv("COSMO_REFERENCES__CACHE", f"{tmp_path}/")
    with pytest.raises(ValidationError, match="COSMO_REFERENCES__CACHE is the folder of the"):
        Settings()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_addresses_need_no_names(host: str) -> None:
    assert host in ApiSettings(host=host).known_hosts


def test_the_command_config_shows_no_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSMO_DATABASE_URL", "postgresql+asyncpg://cosmo:hush@db/cosmo")
    monkeypatch.setenv("COSMO_REDIS_URL", "redis://:hush@broker:6379/0")
    monkeypatch.setenv("COSMO_STORE_URL", "s3://key:hush@bucket/store")
    monkeypatch.setenv("COSMO_ARCHIVE__SOURCES", "simplecache::https://user:hush@host/raw")
    monkeypatch.setenv(
        "COSMO_API__TOKENS", json.dumps({"a": "hush", "b": {"token": "hush2", "scopes": ["admin"]}})
    )
    get_settings.cache_clear()
    for options in ([], ["--json"]):
        shown = CliRunner().invoke(app, ["config", *options])
        assert shown.exit_code == 0
        assert "postgresql+asyncpg://cosmo:***@db/cosmo" in shown.output
        assert "hush" not in shown.output
    get_settings.cache_clear()


def _write_secrets(folder: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> None:
    for name, content in files.items():
        (folder / name).write_text(content)
    monkeypatch.setenv("COSMO_SECRETS_DIR", str(folder))


def test_settings_come_from_files_and_passwords_go_into_the_urls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "..data").mkdir()  # as Kubernetes leaves it
    monkeypatch.setenv("COSMO_DATABASE_URL", "postgresql://cosmo@pooler,other:6432/cosmo")
    monkeypatch.setenv("COSMO_DATABASE_DIRECT_URL", "postgresql+asyncpg://cosmo@db/cosmo")
    monkeypatch.setenv("COSMO_LOG_LEVEL", "DEBUG")
    _write_secrets(
        tmp_path,
        monkeypatch,
        COSMO_DATABASE_PASSWORD="a@b:/%\n",
        cosmo_redis_password="#1",
        COSMO_API__TOKENS='{"ops": "hush"}',
        COSMO_LOG_LEVEL="ERROR",
    )
    settings = Settings()
    assert settings.database_url == "postgresql://cosmo:a%40b%3A%2F%25@pooler,other:6432/cosmo"
    direct, _ = connection_arguments(settings.session_url)
    assert (direct.password, direct.host) == ("a@b:/%", "db")
    assert settings.redis_url == "redis://:%231@localhost:6379/0"
    assert settings.api.tokens["ops"].token.get_secret_value() == "hush"
    assert settings.log_level == "DEBUG"  # the environment comes first


def test_a_second_password_and_a_missing_folder_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSMO_DATABASE_URL", "postgresql://cosmo:hush@db/cosmo")
    _write_secrets(tmp_path, monkeypatch, COSMO_DATABASE_PASSWORD="hush")
    with pytest.raises(ValidationError, match="COSMO_DATABASE_URL: the URL has a password") as one:
        Settings()
    assert "hush" not in str(one.value)
    monkeypatch.setenv("COSMO_SECRETS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(PermanentError, match=r"COSMO_SECRETS_DIR=.*nowhere cannot be read"):
        Settings()


def test_the_command_config_names_what_is_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSMO_DATABASE_URL", "postgresql://cosmo@db/cosmo")
    _write_secrets(tmp_path, monkeypatch, COSMO_DATABASE_PASSWORD="hush")
    get_settings.cache_clear()
    shown = CliRunner().invoke(app, ["config"])
    get_settings.cache_clear()
    assert "COSMO_DATABASE_PASSWORD=**********  (file)" in shown.output
    assert "hush" not in shown.output


def test_calibrators_work_on_all_queues_of_their_stages() -> None:
    assert CalibratorSettings().served_queues == queues_of([Stage.RECALIBRATE, Stage.CALIBRATE])


@pytest.mark.parametrize("module", ["services.archive", "services.monitor", "shared.database"])
def test_a_wrong_setting_ends_a_service_with_a_line(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module],
        env={**os.environ, "COSMO_SECRETS_DIR": "/nowhere"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    line = json.loads(done.stderr)
    assert line["event"] == "invalid setting"
    assert line["error"].startswith("COSMO_SECRETS_DIR=/nowhere cannot be read")
