"""Sources: where datasets come from, each kind found by being here."""

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from services.archive.sources.base import FileSource, Listing, Source, SourceFile
from services.archive.sources.directory import DirectorySource
from shared.errors import PermanentError
from shared.settings.archive import CATALOGUES

__all__ = [
    "DirectorySource",
    "FileSource",
    "Listing",
    "Source",
    "SourceFile",
    "check_source",
    "open_source",
]


@cache
def _classes() -> dict[str, type[Source]]:
    """Classes of sources by the scheme of their addresses: the ``SCHEMES`` of each module here.

    Raises
    ------
    TypeError
        If two modules declare one scheme.
    """
    found: dict[str, type[Source]] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for scheme, kind in getattr(importlib.import_module(module.name), "SCHEMES", {}).items():
            if scheme in found:
                raise TypeError(f"SCHEMES of {module.name}: {scheme} is {found[scheme].__name__}'s")
            found[scheme] = kind
    return found


def open_source(url: str) -> Source:
    """Open the source behind an address, by its scheme.

    What no other source declares is a folder: a path, or any URL that fsspec knows.

    Raises
    ------
    PermanentError
        If nothing can read such an address.
    """
    return _classes().get(url.partition(":")[0], DirectorySource)(url)


def check_source(url: str) -> None:
    """Refuse an address of the settings that is wrong, however long one waits.

    Raises
    ------
    PermanentError
        If nothing can read it, or it is a word that is neither an archive nor a folder here.
    """
    open_source(url)
    if url.isidentifier() and not Path(url).is_dir():
        raise PermanentError(
            f"the source {url} is neither a remote archive ({', '.join(CATALOGUES)}) nor a folder "
            "here; correct COSMO_ARCHIVE__SOURCES, or make the folder"
        )
