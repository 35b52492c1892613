"""Content of a folder as an archive catalogues it: datasets from headers, files by their names."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from shared.cos.association import read_association
from shared.cos.names import JITTER, STANDALONE, parse_name
from shared.cos.times import from_mjd
from shared.errors import CosmoError, PermanentError
from shared.fits import FitsFile, Header, open_fits
from shared.fits.cards import BLOCK, parse_header
from shared.fits.hdus import MAX_HEADER_BLOCKS, data_size, read_cards
from shared.fits.streams import reading

__all__ = ["DataFile", "Dataset", "FolderReader", "iso"]

_ASIDE: Final = ("crds", "references")
"""Folders that `simulator.mission.make` writes beside the data."""
_BEST_HEADERS: Final = ("raw", "asn", "corrtag", "x1d", "spt")
"""Starts of suffixes, the file whose header says most first."""
_OF_MEMBERS: Final = (
    *("detector", "obstype", "obsmode", "exptype", "grating", "wavelength", "aperture", "flag"),
    *("version", "target_kind", "ra", "dec"),
)
"""What an association has of its first member."""
_SHARED_ROOT: Final = 8
"""Characters of a rootname that an exposure and its jitter files have in common."""


@dataclass(frozen=True)
class DataFile:
    """A file that the archive hands out.

    Attributes
    ----------
    name
        Its name.
    path
        Where it is.
    rootname
        Exposure or association that it is called after; a jitter file is the exposure's.
    suffix
        Kind of file, lower case.
    size
        Bytes.
    modified
        Time of its last change, ns since 1970.
    """

    name: str
    path: str
    rootname: str
    suffix: str
    size: int
    modified: int


@dataclass(frozen=True)
class Dataset:
    """What an archive's catalogue says of a dataset; None is what its header does not say.

    Attributes
    ----------
    name
        Rootname of an exposure or association, lower case.
    association
        Association that lists it, or that it is.
    proposal, pi
        Number of the proposal, last name of its investigator.
    target, target_kind
        Name and description of the target.
    ra, dec
        Position of the target, degree.
    instrument, detector, obstype, obsmode, exptype, grating, wavelength, aperture
        Keywords of the same meaning.
    start, stop
        MJD.
    exposure
        Exposure time, second.
    flag
        EXPFLAG.
    version
        CAL_VER of its products.
    generated, archived
        When its products were made and its files last changed, ISO 8601.
    """

    name: str
    association: str | None = None
    proposal: int | None = None
    pi: str | None = None
    target: str | None = None
    target_kind: str | None = None
    ra: float | None = None
    dec: float | None = None
    instrument: str = "COS"
    detector: str | None = None
    obstype: str | None = None
    obsmode: str | None = None
    exptype: str | None = None
    grating: str | None = None
    wavelength: int | None = None
    aperture: str | None = None
    start: float | None = None
    stop: float | None = None
    exposure: float | None = None
    flag: str | None = None
    version: str | None = None
    generated: str = ""
    archived: str = ""


@dataclass(frozen=True)
class _Facts:
    """What a file's headers say; empty where it cannot be read."""

    header: Mapping[str, object] = field(default_factory=dict)
    members: tuple[str, ...] = ()


class FolderReader:
    """A folder that is looked at again and again; headers of unchanged files are read once.

    Parameters
    ----------
    folder
        The folder; hidden files, reference files and what is not called as COS data are passed
        over.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._facts: dict[tuple[str, int, int], _Facts] = {}

    def files(self) -> dict[str, DataFile]:
        """Return the files that are there now, by their names.

        Raises
        ------
        PermanentError
            If there is no such folder.
        """
        found = {file.name: file for file in self._walk(str(self._folder), top=True)}
        exposures = {
            file.rootname[:_SHARED_ROOT]: file.rootname
            for file in found.values()
            if file.suffix.startswith("raw")
        }
        roots = {file.rootname for file in found.values() if file.suffix not in JITTER}
        return {
            name: _renamed(file, exposures)
            if file.suffix in JITTER and file.rootname not in roots
            else file
            for name, file in found.items()
        }

    def datasets(self, files: Mapping[str, DataFile]) -> list[Dataset]:
        """Return the datasets that files belong to, associations and exposures alike."""
        grouped: dict[str, list[DataFile]] = defaultdict(list)
        for file in files.values():
            grouped[file.rootname].append(file)
        best = {root: self._read(min(held, key=_rank)) for root, held in grouped.items()}
        owners = {
            member: root
            for root, facts in best.items()
            for member in facts.members
            if member in grouped
        }
        datasets = {
            root: _dataset(root, facts.header, grouped[root], owners.get(root))
            for root, facts in best.items()
        }
        for root, facts in best.items():
            members = [datasets[member] for member in facts.members if member in datasets]
            if facts.members:
                datasets[root] = _association(datasets[root], members)
        self._facts = {
            _key(file): found
            for file in files.values()
            if (found := self._facts.get(_key(file))) is not None
        }
        return list(datasets.values())

    def _walk(self, folder: str, *, top: bool = False) -> Iterator[DataFile]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            if not top:
                return
            raise PermanentError(
                f"{folder} is not a folder that can be read: {error.strerror}"
            ) from error
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_dir():
                    if not (top and entry.name in _ASIDE):
                        yield from self._walk(entry.path)
                    continue
                name = parse_name(entry.name)
                status = entry.stat()
            except (PermanentError, OSError):  # not data, or just removed
                continue
            if name.suffix not in STANDALONE:
                yield DataFile(
                    entry.name,
                    entry.path,
                    name.rootname,
                    name.suffix,
                    status.st_size,
                    status.st_mtime_ns,
                )

    def _read(self, file: DataFile) -> _Facts:
        key = _key(file)
        if key not in self._facts:
            try:
                self._facts[key] = _read_facts(file)
            except (CosmoError, ValueError, TypeError, KeyError):
                self._facts[key] = _Facts()
        return self._facts[key]


def iso(seconds: float) -> str:
    """Return a Unix time as ISO 8601 without a zone, which is UTC."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat("T", "microseconds")


def _key(file: DataFile) -> tuple[str, int, int]:
    return file.path, file.size, file.modified


def _renamed(file: DataFile, exposures: Mapping[str, str]) -> DataFile:
    root = exposures.get(file.rootname[:_SHARED_ROOT], file.rootname)
    return DataFile(file.name, file.path, root, file.suffix, file.size, file.modified)


def _rank(file: DataFile) -> tuple[int, str]:
    starts = (index for index, start in enumerate(_BEST_HEADERS) if file.suffix.startswith(start))
    return next(starts, len(_BEST_HEADERS)), file.name


def _read_facts(file: DataFile) -> _Facts:
    path = Path(file.path)
    if file.suffix == "asn":
        table = FitsFile(lambda: path.open("rb"), file.name)
        return _Facts(dict(table.headers[0]), read_association(table).members)
    return _Facts(dict(_first_headers(path)))


def _first_headers(path: Path) -> Header:
    """Return the keywords of the primary header, and of the extension that follows it at once."""
    where = path.name
    with reading(where), open_fits(path) as content:
        raw = read_cards(content, content.read(BLOCK), where, 0, MAX_HEADER_BLOCKS)
        header = parse_header(raw, where)
        if data_size(header, where) or not (block := content.read(BLOCK)):
            return header
        extension = read_cards(content, block, where, 1, MAX_HEADER_BLOCKS)
        return parse_header(extension, where) | header


def _dataset(
    name: str, header: Mapping[str, object], files: Iterable[DataFile], owner: str | None
) -> Dataset:
    archived = iso(max(file.modified for file in files) / 1e9)
    written = _text(header, "DATE")
    return Dataset(
        name=name,
        association=owner,
        proposal=_whole(header, "PROPOSID"),
        pi=_text(header, "PR_INV_L"),
        target=_text(header, "TARGNAME"),
        target_kind=_text(header, "TARDESCR"),
        ra=_number(header, "RA_TARG"),
        dec=_number(header, "DEC_TARG"),
        instrument=_text(header, "INSTRUME") or "COS",
        detector=_text(header, "DETECTOR"),
        obstype=_text(header, "OBSTYPE"),
        obsmode=_text(header, "OBSMODE"),
        exptype=_text(header, "EXPTYPE"),
        grating=_text(header, "OPT_ELEM"),
        wavelength=_whole(header, "CENWAVE"),
        aperture=_text(header, "APERTURE"),
        start=_moment(header, "EXPSTART"),
        stop=_moment(header, "EXPEND"),
        exposure=_number(header, "EXPTIME"),
        flag=_text(header, "EXPFLAG"),
        version=_text(header, "CAL_VER"),
        generated=f"{written}T00:00:00" if written and len(written) == 10 else archived,
        archived=archived,
    )


def _association(own: Dataset, members: list[Dataset]) -> Dataset:
    """Return the row of an association, whose table says little of its exposures."""
    if not members:
        return Dataset(**{**own.__dict__, "association": own.name})
    first = members[0]
    starts = [member.start for member in members if member.start is not None]
    stops = [member.stop for member in members if member.stop is not None]
    return Dataset(
        **{
            **own.__dict__,
            **{name: getattr(first, name) for name in _OF_MEMBERS},
            "association": own.name,
            "start": min(starts, default=None),
            "stop": max(stops, default=None),
            "exposure": sum(member.exposure or 0.0 for member in members),
            "generated": max(own.generated, *(member.generated for member in members)),
            "archived": max(own.archived, *(member.archived for member in members)),
        }
    )


def _text(header: Mapping[str, object], keyword: str) -> str | None:
    found = header.get(keyword)
    return found.strip() or None if isinstance(found, str) else None


def _number(header: Mapping[str, object], keyword: str) -> float | None:
    found = header.get(keyword)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _whole(header: Mapping[str, object], keyword: str) -> int | None:
    found = _number(header, keyword)
    return None if found is None else int(found)


def _moment(header: Mapping[str, object], keyword: str) -> float | None:
    """Return an MJD that is a date."""
    found = _number(header, keyword)
    return None if found is None or from_mjd(found) is None else found
