"""Address of the local HTTP API, and the token with which ``cosmo`` changes state."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.errors import PermanentError

__all__ = ["Address", "read_address", "write_address"]

_NAME = "address.json"


@dataclass(frozen=True)
class Address:
    """URL of the API and a bearer token made for this start."""

    url: str
    token: str


def write_address(data_dir: Path, address: Address) -> None:
    """Leave the address where the other commands find it, readable by its owner alone."""
    path = data_dir / _NAME
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(asdict(address), stream)


def read_address(data_dir: Path) -> Address:
    """Return the address that the running ``cosmo up`` left.

    Raises
    ------
    PermanentError
        If nothing was started on this folder.
    """
    try:
        return Address(**json.loads((data_dir / _NAME).read_text()))
    except FileNotFoundError as error:
        raise PermanentError(
            f"nothing was started on {data_dir}: run `cosmo up --data-dir {data_dir}`, or name the "
            "API with --url"
        ) from error
