"""Catalogue of a folder in SQL, which every interface asks and which follows the folder.

SQLite keeps it, in a file, so that hundreds of thousands of entries take no memory.
"""

import hashlib
import math
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, Final

from shared.cos.times import FIRST_MJD, UNIX_MJD, now_mjd
from shared.errors import PermanentError
from simulator.archive.description import DESCRIPTION_NAME, Description, read_description
from simulator.archive.folder import DataFile, Dataset, FolderReader, iso

__all__ = ["Catalogue", "HeldFile", "separation"]

_PATIENCE_SECONDS: Final = 60.0
_LOOK_SHARE: Final = 10.0
"""Times as long as a look at the folder took, until the next one."""
_FIRST_START: Final = 55000.0
_LAST_START: Final = 61000.0
"""Starts of the oldest and the newest entry without files, MJD."""
_EXCLUSIVE_SHARE: Final = 50
"""One of so many entries without files is exclusive."""
_NEVER: Final = "2100-01-01T00:00:00"
_GRATINGS: Final = ("G130M", "G160M", "G185M", "G230L")
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"

_SCHEMA: Final = """
CREATE TABLE dataset (
    name TEXT PRIMARY KEY, association TEXT, proposal INTEGER, pi TEXT, target TEXT,
    target_kind TEXT, ra REAL, dec REAL, instrument TEXT, detector TEXT, obstype TEXT, obsmode TEXT,
    exptype TEXT, grating TEXT, wavelength INTEGER, aperture TEXT, start REAL, stop REAL,
    exposure REAL, flag TEXT, version TEXT, generated TEXT, archived TEXT,
    number INTEGER, uuid TEXT, released TEXT, filler INTEGER) WITHOUT ROWID;
CREATE TABLE file (
    name TEXT PRIMARY KEY, path TEXT, dataset TEXT, suffix TEXT, size INTEGER, modified INTEGER,
    archived TEXT, uuid TEXT);
CREATE INDEX file_dataset ON file (dataset);
CREATE VIEW entry AS SELECT *,
    CASE WHEN released <= strftime('%Y-%m-%dT%H:%M:%S', 'now') THEN 'PUBLIC' ELSE 'PROPRIETARY' END
        AS status,
    association IS NULL OR association = name AS is_top
    FROM dataset;
"""
_INDEXES: Final = """
CREATE INDEX dataset_association ON dataset (association);
CREATE UNIQUE INDEX dataset_number ON dataset (number);
CREATE UNIQUE INDEX dataset_uuid ON dataset (uuid);
"""


@dataclass(frozen=True)
class HeldFile:
    """A file that may be handed out.

    Attributes
    ----------
    name, path, size
        Its name, where it is, its bytes.
    modified
        Time of its last change, ns since 1970.
    dataset
        Its exposure or association.
    proposal
        Number of the proposal.
    public
        Whether everybody may have it.
    """

    name: str
    path: str
    size: int
    modified: int
    dataset: str
    proposal: int | None
    public: bool


class Catalogue:
    """What a folder has, and entries without files besides.

    Parameters
    ----------
    folder
        Folder of COS data; what changes there is seen.
    rows
        Entries without files.

    Raises
    ------
    PermanentError
        If there is no such folder, or its description is wrong.
    """

    def __init__(self, folder: Path, rows: int = 0) -> None:
        self._folder = folder
        self._rows = rows
        self._reader = FolderReader(folder)
        self._lock = Lock()
        self._seen: object = None
        self._described = 0.0
        self._next_look = 0.0
        self._checksums: dict[tuple[str, int, int], str] = {}
        self.description = read_description(folder)
        self._temporary = TemporaryDirectory(prefix="cosmo-archive-")
        self._path = Path(self._temporary.name) / "catalogue.sqlite"
        try:
            with closing(self._connect()) as connection:
                connection.executescript(_SCHEMA)
                with connection:
                    _insert(connection, "dataset", _fillers(rows))
                connection.executescript(_INDEXES)
                connection.execute("PRAGMA journal_mode = WAL")
            self._look()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove it."""
        self._temporary.cleanup()

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that reads the catalogue as the folder is now."""
        self.refresh()
        connection = self._connect()
        try:
            yield connection
        finally:
            connection.close()

    def refresh(self) -> None:
        """Look at the folder, unless that was done just before."""
        with self._lock:
            if time.monotonic() >= self._next_look:
                self._look()

    def file(self, name: str) -> HeldFile | None:
        """Return a file by its name."""
        with self.connection() as connection:
            found = connection.execute(
                "SELECT file.name, path, size, modified, dataset, proposal, status = 'PUBLIC' "
                "FROM file JOIN entry ON entry.name = file.dataset WHERE file.name = ?",
                [name],
            ).fetchone()
        if found is None:
            return None
        name, path, size, modified, dataset, proposal, public = found
        return HeldFile(name, path, size, modified, dataset, proposal, bool(public))

    def md5(self, path: str, size: int, modified: int) -> str:
        """Return the MD5 of a file, hexadecimal; it is computed once for each version."""
        key = (path, size, modified)
        if key not in self._checksums:
            with Path(path).open("rb") as stream:
                digest = hashlib.file_digest(stream, _md5)
            self._checksums[key] = digest.hexdigest()
        return self._checksums[key]

    def _connect(self) -> sqlite3.Connection:
        # A reply in parts is written by several threads, one after the other.
        connection = sqlite3.connect(self._path, timeout=_PATIENCE_SECONDS, check_same_thread=False)
        connection.execute("PRAGMA synchronous = OFF")
        functions: dict[str, tuple[int, Callable[..., Any]]] = {
            "separation": (4, separation),
            "md5": (3, self.md5),
        }
        for name, (count, function) in functions.items():
            connection.create_function(name, count, function, deterministic=True)
        return connection

    def _look(self) -> None:
        """Bring what has files, and what the description says, up to date."""
        started = time.monotonic()
        files = self._reader.files()
        description, written = self._describe()
        seen = (files, description, written)
        if seen != self._seen:
            datasets = self._reader.datasets(files)
            with closing(self._connect()) as connection, connection:
                connection.execute("DELETE FROM dataset WHERE filler IS NULL")
                connection.execute("DELETE FROM file")
                _insert(connection, "dataset", (_row(found, description) for found in datasets))
                _insert(connection, "file", map(_file_row, files.values()))
                self._redeliver(connection, description.redelivered, written)
            self.description, self._described, self._seen = description, written, seen
        self._next_look = time.monotonic() + _LOOK_SHARE * (time.monotonic() - started)

    def _describe(self) -> tuple[Description, float]:
        """Read the description, and when it was written; a new one that is wrong does not count."""
        path = self._folder / DESCRIPTION_NAME
        try:
            return read_description(self._folder), path.stat().st_mtime if path.exists() else 0.0
        except (PermanentError, OSError):
            if self._seen is None:
                raise
            return self.description, self._described

    def _redeliver(self, connection: sqlite3.Connection, count: int, moment: float) -> None:
        """Let some entries without files, spread evenly, have been generated at a moment.

        They are not the exclusive ones, which CADC has not.
        """
        if not (count and self._rows):
            return
        count = min(count, self._rows)
        connection.executemany(
            "UPDATE dataset SET generated = ?, archived = ? WHERE name = ?",
            (
                (
                    iso(moment),
                    iso(moment),
                    _filler_name((index * self._rows // count + 1) % self._rows),
                )
                for index in range(count)
            ),
        )


def _md5() -> "hashlib._Hash":
    """Return an MD5 that is no matter of security."""
    return hashlib.md5(usedforsecurity=False)


def separation(ra: float | None, dec: float | None, ra0: float, dec0: float) -> float | None:
    """Return the angle between two directions, degree (haversine formula).

    None where the first is not known.
    """
    if ra is None or dec is None:
        return None
    phi, phi0 = math.radians(dec), math.radians(dec0)
    across = math.sin(math.radians(ra - ra0) / 2.0) ** 2 * math.cos(phi) * math.cos(phi0)
    root = math.sqrt(math.sin((phi - phi0) / 2.0) ** 2 + across)
    return math.degrees(2.0 * math.asin(min(1.0, root)))


_DATASET_COLUMNS: Final = tuple(column.name for column in fields(Dataset))


def _insert(
    connection: sqlite3.Connection, table: str, rows: Iterable[Mapping[str, object]]
) -> None:
    """Insert rows of the same columns in the same order."""
    iterator = iter(rows)
    if (first := next(iterator, None)) is None:
        return
    marks = ", ".join("?" * len(first))
    statement = f"INSERT OR REPLACE INTO {table} ({', '.join(first)}) VALUES ({marks})"  # noqa: S608
    values = (tuple(row.values()) for row in chain([first], iterator))
    connection.executemany(statement, values)


def _row(dataset: Dataset, description: Description) -> dict[str, object]:
    """Return the row of a dataset that has files.

    It is public since it was taken, where nothing else is said; a simulated one of the future since
    long.
    """
    stop = dataset.stop
    taken = _iso_of_mjd(FIRST_MJD if stop is None or stop > now_mjd() - 1.0 else stop)
    released = description.public_from(dataset.name, dataset.association) or taken
    return {**dict(zip(_DATASET_COLUMNS, astuple(dataset), strict=True)), **_ids(dataset.name)} | {
        "released": released,
        "filler": None,
    }


def _ids(name: str) -> dict[str, object]:
    """Return numbers that MAST and CADC would give, the same at each start."""
    number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=6).digest())
    return {"number": number, "uuid": _uuid(name)}


def _uuid(name: str) -> str:
    found = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
    return f"{found[:8]}-{found[8:12]}-{found[12:16]}-{found[16:20]}-{found[20:]}"


def _file_row(file: DataFile) -> dict[str, object]:
    return {
        "name": file.name,
        "path": file.path,
        "dataset": file.rootname,
        "suffix": file.suffix,
        "size": file.size,
        "modified": file.modified,
        "archived": iso(file.modified / 1e9),
        "uuid": _uuid(file.name),
    }


def _fillers(count: int) -> Iterator[dict[str, object]]:
    """Yield entries without files: associations over the years, the same for the same count."""
    for index in range(count):
        start = _FIRST_START + (_LAST_START - _FIRST_START) * index / count
        name = _filler_name(index)
        nuv = index % 3 == 0
        generated = _iso_of_mjd(start + 1.0)
        yield {
            "name": name,
            "association": name,
            "proposal": 11000 + index * 6000 // count,
            "pi": "Nobody",
            "target": f"TARGET-{index % 9000}",
            "target_kind": "STAR",
            "ra": index * 137.508 % 360.0,
            "dec": math.degrees(math.asin(2.0 * (index + 0.5) / count - 1.0)),
            "instrument": "COS",
            "detector": "NUV" if nuv else "FUV",
            "obstype": "SPECTROSCOPIC",
            "obsmode": "TIME-TAG",
            "exptype": "EXTERNAL/SCI",
            "grating": _GRATINGS[2 * nuv + index % 2],
            "wavelength": 1105 + index % 9,
            "aperture": "PSA",
            "start": start,
            "stop": start + 0.02,
            "exposure": 1200.0,
            "flag": "NORMAL",
            "version": "3.6.2",
            "generated": generated,
            "archived": generated,
            **_ids(name),
            "released": generated if index % _EXCLUSIVE_SHARE else _NEVER,
            "filler": index,
        }


def _iso_of_mjd(mjd: float) -> str:
    return iso((mjd - UNIX_MJD) * 86400.0)


def _filler_name(number: int) -> str:
    """Return the name of an association whose five middle letters count."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return f"ly{digits:0>5}10"
