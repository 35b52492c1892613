"""Columns of the archives' catalogues: names and types, as their own lists have them.

Source: `column_list` of MAST's search API, `columnsconfig` of its portal, and the VOSI tables of
CADC's TAP service.
"""

import csv
from functools import cache
from importlib.resources import files

__all__ = ["read_columns"]


@cache
def read_columns(name: str) -> tuple[dict[str, str], ...]:
    """Return the rows of a list.

    Parameters
    ----------
    name
        ``missions``, ``portal`` or ``caom2``.
    """
    text = files(__package__).joinpath(f"{name}.tsv").read_text()
    return tuple(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
