"""Commands about settings and the schema."""

import asyncio
import json
import os

import typer
from pydantic import BaseModel

from cosmo.cli.options import Json
from shared.database.engine import Database
from shared.database.schema import migrate as migrate_schema
from shared.masking import mask_passwords
from shared.settings import SecretFiles, Settings, get_settings

__all__ = ["COMMANDS"]


def _flat(model: BaseModel, prefix: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in type(model).model_fields:
        value, key = getattr(model, name), f"{prefix}{name.upper()}"
        if isinstance(value, BaseModel):
            found.update(_flat(value, f"{key}__"))
        else:
            found[key] = value
    return found


def config(as_json: Json = False) -> None:
    """Print the current settings, without passwords, and where each comes from."""
    settings: Settings = get_settings()
    files = {name.upper() for name in SecretFiles(Settings).env_vars}
    rows = {
        key: {
            "value": mask_passwords(str(value)),
            "from": "environment" if key in os.environ else "file" if key in files else "default",
        }
        for key, value in _flat(settings, "COSMO_").items()
    }
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for key, row in rows.items():
        typer.echo(f"{key}={row['value']}  ({row['from']})")


def migrate() -> None:
    """Bring the database schema to the newest revision."""

    async def run() -> None:
        database = Database(get_settings().session_url)
        try:
            await migrate_schema(database)
        finally:
            await database.dispose()

    asyncio.run(run())
    typer.echo("the schema is current")


COMMANDS = (config, migrate)
