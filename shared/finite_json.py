"""JSON of any numbers: it has no NaN and no infinities, so that those become null."""

import json
from math import isfinite
from typing import Any

__all__ = ["finite_json"]


def finite_json(content: Any) -> str:
    """Return the content as JSON text, in as few characters as there can be.

    Parameters
    ----------
    content
        Of dicts, lists, texts, numbers, booleans and None.
    """
    try:
        return json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError:  # rare, so that the numbers are looked at only then
        return json.dumps(
            _finite(content), allow_nan=False, ensure_ascii=False, separators=(",", ":")
        )


def _finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if isfinite(content) else None
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return content
