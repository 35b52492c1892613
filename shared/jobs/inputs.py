"""What the result of each stage depends on: the same inputs are the same work."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.cos.names import JITTER, parse_name

__all__ = [
    "Inputs",
    "archived_ingest_inputs",
    "calibration_inputs",
    "fetch_inputs",
    "monitor_inputs",
    "product_ingest_inputs",
    "raw_ingest_inputs",
    "recalibration_inputs",
]

Inputs = dict[str, Any]
"""By what it is; JSON."""

Digests = Mapping[str, str | None]
"""SHA-256 of files by name; None for one that is not there."""


def fetch_inputs(
    identities: Mapping[str, str | None],
    accepted_missing: Sequence[str],
    references: Digests,
    headers: int | None = None,
) -> Inputs:
    """Collect the inputs of a fetch.

    Parameters
    ----------
    identities
        Identity of each file in the source, by stem.
    accepted_missing
        Names of the files that an operator accepted to be missing.
    references
        Reference files that the headers name.
    headers
        Where headers are yet to be read, the version of what is read of them.
    """
    return {
        "files": dict(identities),
        "accepted_missing": list(accepted_missing),
        "references": dict(references),
        **({} if headers is None else {"headers": headers}),
    }


def calibration_inputs(
    files: Mapping[str, str],
    accepted_missing: Sequence[str],
    references: Digests,
    *,
    calcos: str | None,
    randseed: int,
) -> Inputs:
    """Collect the inputs of a calibration as the headers say.

    CalCOS does not read jitter files: a new one is no reason to calibrate again.

    Parameters
    ----------
    files
        SHA-256 of the dataset's raw files, by name.
    accepted_missing
        Names of the files that an operator accepted to be missing.
    references
        Reference files that the headers name.
    calcos
        Version of CalCOS; None where no calibrator ever ran.
    randseed
        RANDSEED where the raw header leaves it to the clock.
    """
    return {
        "inputs": {
            name: digest for name, digest in files.items() if parse_name(name).suffix not in JITTER
        },
        "accepted_missing": list(accepted_missing),
        "references": dict(references),
        "calcos": calcos,
        "randseed": randseed,
    }


def recalibration_inputs(
    default: Inputs,
    *,
    calcos: str | None,
    wavecals: Digests,
    events: Any,
    recipe: Any,
    dry_run: bool,
) -> Inputs:
    """Collect the inputs of a recalibration.

    Parameters
    ----------
    default
        Inputs of the dataset's calibration as its headers say.
    calcos
        Version of CalCOS now; None where no calibrator ever ran.
    wavecals, events
        Files that the recipe adds.
    recipe
        How it differs from the default, with the content of the reference files that it names.
    dry_run
        Whether only the changes are listed.
    """
    return {
        "default": default if calcos is None else {**default, "calcos": calcos},
        "wavecals": wavecals,
        "events": events,
        "recipe": recipe,
        "dry_run": dry_run,
    }


def raw_ingest_inputs(files: Mapping[str, str]) -> Inputs:
    """Collect the inputs of an ingest of raw files: their SHA-256, by name."""
    return {"inputs": dict(files)}


def product_ingest_inputs(products: Mapping[str, str], folder: str | None) -> Inputs:
    """Collect the inputs of an ingest of a run's products: their SHA-256 by name, their folder."""
    return {"products": dict(products), "path": folder}


def archived_ingest_inputs(products: Mapping[str, str]) -> Inputs:
    """Collect the inputs of an ingest of products of the archive: their SHA-256, by name."""
    return {"products": dict(products), "of": "archive"}


def monitor_inputs(versions: Mapping[str, int | str], occasion: Mapping[str, Any]) -> Inputs:
    """Collect the inputs of a monitor's run: versions that it computes with, and its occasion."""
    return {"versions": dict(versions), "occasion": dict(occasion)}
