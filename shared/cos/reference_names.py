"""Values of reference keywords: names of files, which are looked for in known folders alone."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.errors import PermanentError
from shared.urls import path_of

__all__ = [
    "FILE_NAME",
    "FoundReference",
    "ReferenceName",
    "RemoteFolder",
    "base_name",
    "find_reference",
    "locate_reference",
    "reference_folders",
]

FILE_NAME = r"[A-Za-z0-9][A-Za-z0-9_.\-]*\.fits"
"""What a reference file is called, in headers and in recipes."""

_FILE_NAME = re.compile(FILE_NAME, re.IGNORECASE)
_UNIX_VARIABLE = re.compile(r"\$\{?(\w+)\}?/*(.*)", re.DOTALL)
_REFERENCES = "lref"
_ELSEWHERE = "elsewhere"
"""Variable that stands for a folder which is not known here."""


class RemoteFolder(Protocol):
    """Folder of reference files elsewhere, which are copied to this machine as they are wanted."""

    def copy_of(self, name: str, folder: str = "") -> Path | None:
        """Return the path of a copy of a file as it is now; None where the folder has none.

        Parameters
        ----------
        name
            Name of the file.
        folder
            Folder that it lies in, below this one.
        """


@dataclass(frozen=True)
class ReferenceName:
    """Name of a reference file, and the folder that a header gives it in.

    Attributes
    ----------
    name
        Name of the file, without a folder and without ``.gz``.
    folder
        Folder relative to that of the reference files, or absolute; empty for none, None for one
        that is not known.
    """

    name: str
    folder: str | None = ""

    @classmethod
    def parse(cls, value: str) -> "ReferenceName":
        """Read the value of a reference keyword in every form that CalCOS expands
        (``cosutil.expandFileName``).

        These are ``lref$x.fits``, ``$lref/x.fits``, full and relative paths, in either case.

        Raises
        ------
        PermanentError
            If it does not end with the name of a FITS file.
        """
        text = value.strip()
        variable, path = "", text
        if found := _UNIX_VARIABLE.fullmatch(text):
            variable, path = found.groups()
        elif "$" in text:
            variable, path = text.split("$", 1)
            path = path.lstrip("/")
        folder, _, name = path.rpartition("/")
        if name.lower().endswith(".fits.gz"):
            name = name[:-3]
        if not _FILE_NAME.fullmatch(name):
            raise PermanentError(
                f"{value!r} does not name a FITS file; give a name such as lref$x_flat.fits, or N/A"
            )
        if path.startswith("/") and not variable:
            return cls(name, os.path.normpath(folder or "/"))
        inside = os.path.normpath(folder) if folder else ""
        inside = "" if inside == "." else inside
        known = variable.lower() in ("", _REFERENCES) and inside.split("/")[0] != ".."
        return cls(name, inside if known else None)

    def __str__(self) -> str:
        """Spell the name so that it can be parsed again.

        One in the folder of the reference files is bare.
        """
        if self.folder is None:
            return f"{_ELSEWHERE}${self.name}"
        return os.path.join(self.folder, self.name)  # noqa: PTH118 - text of a header, no path of this machine

    def inside(self, root: Path) -> Path | None:
        """Return the folder that the name is given in, if it lies in another one.

        None where it does not.
        """
        if self.folder is None:
            return None
        roots = (Path(os.path.abspath(root)), root.resolve())  # noqa: PTH100 - a link may lead to the root
        candidate = Path(os.path.normpath(roots[0] / self.folder))
        return candidate if any(candidate.is_relative_to(known) for known in roots) else None


@dataclass(frozen=True)
class FoundReference:
    """A reference file, plain or gzipped, and whether it lies where its header says."""

    path: Path
    as_given: bool

    @property
    def name(self) -> str:
        """Name of the plain file."""
        return self.path.name.removesuffix(".gz")


def locate_reference(value: str, folders: Sequence[Path | RemoteFolder]) -> FoundReference | None:
    """Find the file that the value of a reference keyword names.

    Nothing outside the folders is looked at.

    A folder within these that the value gives is looked into first; otherwise its base name is
    looked for in each.

    Parameters
    ----------
    value
        Value of a reference keyword, or text of a `ReferenceName`.
    folders
        Folders of reference files, in the order of looking.

    Raises
    ------
    PermanentError
        If the value does not name a FITS file.
    """
    reference = ReferenceName.parse(value)
    for root in folders:
        if path := _find_given(reference, root):
            return FoundReference(path, as_given=True)
    for root in folders:
        if path := find_reference(root, reference.name):
            return FoundReference(path, as_given=False)
    return None


def _find_given(reference: ReferenceName, root: Path | RemoteFolder) -> Path | None:
    """Return the path of a file in the folder that its name is given in, if that lies in another
    one.
    """
    if isinstance(root, Path):
        folder = reference.inside(root)
        return folder and find_reference(folder, reference.name)
    if reference.folder is None or reference.folder.startswith("/"):
        return None
    return find_reference(root, reference.name, reference.folder)


def base_name(value: object) -> str | None:
    """Return the name of the file that a reference keyword names; None where it names none."""
    try:
        return ReferenceName.parse(str(value)).name
    except PermanentError:
        return None


def find_reference(root: Path | RemoteFolder, name: str, folder: str = "") -> Path | None:
    """Return the path of a reference file in a folder, plain or gzipped.

    None where it is not there.

    Parameters
    ----------
    root
        Folder of reference files.
    name
        Name without ``.gz``; a name in upper case stands for one in lower case too.
    folder
        Folder that it lies in, below that.
    """
    for candidate in _candidates(name):
        if not isinstance(root, Path):
            path = root.copy_of(candidate, folder)
        else:
            path = root / folder / candidate
        if path is not None and path.is_file():
            return path
    return None


def _candidates(name: str) -> Iterator[str]:
    if not _FILE_NAME.fullmatch(name):
        return
    for spelled in dict.fromkeys((name, name.lower())):
        yield spelled
        yield f"{spelled}.gz"


def reference_folders(
    references: Path | RemoteFolder | None, source: str | None
) -> tuple[Path | RemoteFolder, ...]:
    """Return the folders that reference files may lie in.

    That of the reference files, and the source where it is a local folder.

    Parameters
    ----------
    references
        Folder of the reference files.
    source
        URL or path of the source of raw files.
    """
    folders = [references] if references is not None else []
    if source and "::" not in source and (path := path_of(source)) is not None:
        folders.append(path)
    return tuple(folders)
