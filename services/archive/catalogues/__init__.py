"""Catalogues: archives of HST data that say which datasets and files they have.

Each module of an archive imports the client libraries that it needs, and is imported only where
its archive is a source.
"""

import importlib
from typing import Final, cast

from services.archive.catalogues.base import Catalogue
from shared.errors import PermanentError
from shared.settings import ArchiveSettings

__all__ = ["open_catalogue"]

_CLASSES: Final = {"mast": "MastCatalogue", "s3": "S3Catalogue", "cadc": "CadcCatalogue"}
"""Classes by the name of the catalogue, which is that of its module too."""


def open_catalogue(name: str, settings: ArchiveSettings) -> Catalogue:
    """Open the catalogue of an archive; nothing is asked yet.

    Parameters
    ----------
    name
        Its name.
    settings
        Addresses, time-outs and rates.

    Raises
    ------
    PermanentError
        If there is no such catalogue.
    """
    if name not in _CLASSES:
        raise PermanentError(f"{name} is no archive; known are {', '.join(_CLASSES)}")
    module = importlib.import_module(f"{__name__}.{name}")
    return cast("Catalogue", getattr(module, _CLASSES[name])(settings))
