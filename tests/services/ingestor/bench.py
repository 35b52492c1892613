"""Rows of a file, as tests ask for them."""

from pathlib import Path
from typing import Any

from services.ingestor.datasets import DatasetFile, DatasetReader, FileContent
from services.ingestor.extractors import References, Rows
from shared.cos.names import parse_name
from shared.errors import PermanentError
from shared.store import Store

__all__ = ["extract_file", "read_file", "rows_of", "sample"]


def extract_file(path: Path, references: Path | None = None, *companions: Path) -> list[Rows]:
    """Return the rows of a file in which nothing is wrong.

    The companions are files of the same dataset.
    """
    content = read_file(path, references, *companions)
    if content.problems:
        raise PermanentError("; ".join(content.problems))
    return content.rows


def read_file(path: Path, references: Path | None = None, *companions: Path) -> FileContent:
    """Return the rows of a file and what is wrong with it."""
    files = [
        DatasetFile(key, str(found.parent), found.name, *_parts(found.name))
        for key, found in enumerate((path, *companions))
    ]
    return DatasetReader(Store("/"), files, References(references)).read(files[0])


def _parts(name: str) -> tuple[str | None, str]:
    try:
        found = parse_name(name)
    except PermanentError:
        return None, "cci" if "_cci" in name else "sms"
    return found.rootname, found.suffix


def rows_of(found: list[Rows], table: str) -> list[dict[str, Any]]:
    """Return the rows of one table."""
    return next(rows.dicts() for rows in found if rows.model.__tablename__ == table)


def sample(data_dir: Path, name: str) -> Path:
    """Return the real file by its name up to ``.fits``."""
    return next(data_dir.rglob(f"{name}.fits.gz"))
