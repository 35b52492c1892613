"""Best references by a context of the Calibration Reference Data System (CRDS), from a local cache
alone.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from services.calibrator.run.headers import Exposure
from shared.cos.reference_names import base_name
from shared.cos.references import FILETYPES
from shared.errors import PermanentError
from shared.operating_system import locks_without_semaphores

__all__ = ["best_references"]

_NOT_APPLICABLE = ("N/A", "NOT FOUND N/A")
"""What CRDS says of a kind of reference that an exposure does without
(``crds.getrecommendations``).
"""


def best_references(cache: Path | None, context: str, exposure: Exposure) -> Mapping[str, str]:
    """Find the best references of an exposure, keyword to name or ``N/A``.

    Those without a rule are left out.

    Parameters
    ----------
    cache
        Cache of CRDS, with ``mappings/hst`` and ``config/hst``.
    context
        Its context, e.g. ``hst_1028.pmap``.
    exposure
        Raw file; the rules ask for values of both of its headers.

    Raises
    ------
    PermanentError
        If there is no cache or no such context in it, or its rules do not know the exposure.
    """
    if cache is None:
        raise PermanentError(f"{context}: no cache of CRDS is set; give COSMO_REFERENCES__CRDS")
    mappings = cache / "mappings" / "hst"
    if not (mappings / context).is_file():
        known = ", ".join(sorted(path.name for path in mappings.glob("*.pmap"))) or "none"
        raise PermanentError(
            f"{context} is not in the cache of CRDS, whose contexts are: {known}; sync it"
        )
    headers = [*exposure.data_header.items(), *exposure.header.items()]
    asked = {
        keyword: str(value).strip()
        for keyword, value in headers
        if keyword not in ("", "COMMENT", "HISTORY")
    }
    try:
        return dict(_recommendations(cache.resolve(), context, frozenset(asked.items())))
    except Exception as error:  # crds has many kinds of its own
        raise PermanentError(f"{exposure.path.name}: CRDS with {context}: {error}") from error


@lru_cache(maxsize=100)
def _recommendations(
    cache: Path, context: str, header: frozenset[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    # Nothing may be asked of a server: rules and files are those of the cache, so that a recipe is
    # repeatable.
    os.environ |= {
        "CRDS_PATH": str(cache),
        "CRDS_MODE": "local",
        "CRDS_READONLY_CACHE": "1",
        "CRDS_OBSERVATORY": "hst",
        "CRDS_SERVER_URL": "https://localhost:9",
    }
    with locks_without_semaphores():
        import crds  # it takes a second, and few recipes need it

    types = [keyword.lower() for keyword in FILETYPES]
    found = crds.getrecommendations(
        dict(header), reftypes=types, context=context, observatory="hst"
    )
    return tuple(
        (keyword.upper(), name) for keyword, text in found.items() if (name := _name(str(text)))
    )


def _name(found: str) -> str | None:
    """Return the name of a recommended file, or ``N/A`` where the rules have none for such an
    exposure.

    None where they fail.
    """
    if found.upper() in _NOT_APPLICABLE:
        return "N/A"
    return base_name(found)
