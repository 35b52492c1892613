"""Settings from files of secrets."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic_settings import EnvSettingsSource

from shared.errors import PermanentError

__all__ = ["SecretFiles"]


_SECRETS = "COSMO_SECRETS_DIR"


class SecretFiles(EnvSettingsSource):
    """Settings from the files of a folder, each named like the variable that it stands for."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        named = os.environ.get(_SECRETS)
        if not named:
            return {}
        try:
            files = [path for path in Path(named).iterdir() if path.is_file()]
            return {path.name.lower(): path.read_text().rstrip("\r\n") for path in files}
        except (OSError, UnicodeDecodeError) as error:
            raise PermanentError(f"{_SECRETS}={named} cannot be read: {error}") from error
