"""Rules of the Calibration Reference Data System (CRDS) that choose the simulated reference files.

A context is a tree of text files: a ``pmap`` names the instrument's ``imap``, which names one
``rmap`` for each keyword, which chooses files by keywords of the raw data. The ``crds`` package
reads them with ``CRDS_PATH`` on the folder and ``CRDS_SERVER_URL`` on a host that does not exist.
"""

import hashlib
import pprint
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.references.catalogue import Catalogue, all_keys
from simulator.references.keys import KINDS, Key

__all__ = ["CONTEXTS", "REVISED", "write_contexts"]

CONTEXTS = ("hst_9001.pmap", "hst_9002.pmap")
"""Names of the two contexts; real ones have not come that far."""

REVISED = ("BPIXTAB", "FLUXTAB")
"""Keywords whose files the second context changed."""

_USE_AFTER = "2009-05-11 00:00:00"
_UNUSED = ("HVTAB", "IMPHTTAB", "PHAFILE", "WALKTAB")
_PARAMETERS = {"life_adj": "LIFE_ADJ", "opt_elem": "OPT_ELEM", "cenwave": "CENWAVE"}


def write_contexts(folder: Path, catalogue: Catalogue) -> tuple[Path, ...]:
    """Write both contexts; the second differs by the files of `REVISED`.

    Parameters
    ----------
    folder
        What ``CRDS_PATH`` shall name; receives ``mappings/hst`` and ``config/hst``.
    catalogue
        Files of the first context.

    Returns
    -------
    tuple of Path
        Their ``pmap`` files.
    """
    mappings, config = folder / "mappings" / "hst", folder / "config" / "hst"
    for made in (mappings, config):
        made.mkdir(parents=True, exist_ok=True)
    second = catalogue.revise(REVISED)
    keywords = sorted({key.keyword for key in all_keys()})
    rules: dict[str, str] = {}
    for name, current in zip(CONTEXTS, (catalogue, second), strict=True):
        number = name[4:8]
        for keyword in keywords:
            if current is catalogue or keyword in REVISED:
                rules[keyword] = _write_rules(mappings, number, keyword, current)
        instrument = _write(
            mappings / f"hst_cos_{number}.imap",
            {"instrument": "COS", "mapping": "INSTRUMENT", "parkey": ("REFTYPE",)},
            {keyword.lower(): rule for keyword, rule in rules.items()}
            | {name.lower(): "N/A" for name in _UNUSED},
        )
        _write(
            mappings / name, {"mapping": "PIPELINE", "parkey": ("INSTRUME",)}, {"COS": instrument}
        )
    (config / "server_config").write_text(pprint.pformat(_server_config()) + "\n")
    return tuple(mappings / name for name in CONTEXTS)


def _write_rules(folder: Path, number: str, keyword: str, catalogue: Catalogue) -> str:
    """Write the ``rmap`` of a keyword; returns its name."""
    parameters = tuple(_PARAMETERS[field] for field in KINDS[keyword].selection)
    nuv = {key.keyword for key in all_keys() if key.detector == "NUV"}
    header = {
        "filekind": keyword,
        "instrument": "COS",
        "mapping": "REFERENCE",
        "parkey": (("DETECTOR", *parameters), ("DATE-OBS", "TIME-OBS")),
        "rmap_relevance": '(DETECTOR == "FUV")' if keyword not in nuv else "ALWAYS",
    }
    files = {
        _match(key): {_USE_AFTER: catalogue.current(key).name}
        for key in all_keys()
        if key.keyword == keyword
    }
    return _write(folder / f"hst_cos_{keyword.lower()}_{number}.rmap", header, files)


def _match(key: Key) -> tuple[str, ...]:
    """Return the values that a file is chosen by, numbers with a decimal as CRDS has them.

    The NUV has no lifetime position.
    """
    values = [key.detector]
    for field in KINDS[key.keyword].selection:
        value = getattr(key, field)
        any_value = field == "life_adj" and key.detector == "NUV"
        values.append("*" if any_value else value if isinstance(value, str) else f"{value}.0")
    return tuple(values)


def _write(path: Path, header: Mapping[str, object], selector: Mapping[Any, Any]) -> str:
    """Write a mapping with its checksum, which CRDS takes over all other lines.

    Returns its name.
    """
    common = {"derived_from": "simulated instrument", "name": path.name, "observatory": "HST"}
    body = (
        _selector(selector)
        if header["mapping"] == "REFERENCE"
        else pprint.pformat(dict(selector), sort_dicts=True)
    )
    lines = [
        f"    {name!r} : {value!r},\n" for name, value in sorted((common | dict(header)).items())
    ]
    head, tail = "header = {\n" + "".join(lines), "}\n\nselector = " + body + "\n"
    checksum = hashlib.sha1(f"{head}{tail}".encode(), usedforsecurity=False).hexdigest()
    path.write_text(f"{head}    'sha1sum' : {checksum!r},\n{tail}")
    return path.name


def _selector(files: Mapping[Any, Any]) -> str:
    rows = []
    for values, dates in files.items():
        inner = pprint.pformat(dates)
        rows.append(f"    {values!r} : UseAfter({inner}),\n")
    return "Match({\n" + "".join(rows) + "})"


def _server_config() -> dict[str, object]:
    """Give what ``crds`` keeps of its server's answer, for work without one."""
    return {
        "observatory": "hst",
        "operational_context": CONTEXTS[0],
        "edit_context": CONTEXTS[0],
        "latest_context": CONTEXTS[-1],
        "bad_files": "",
        "bad_files_set": set(),
        "force_remote_mode": False,
        "last_synced": "2026-01-01 00:00:00",
        "crds_version": {"str": "14.0.3"},
        "status": "cache",
        "connected": False,
    }
