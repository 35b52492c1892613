"""Comparison of replies with recorded ones: keys, types, nulls."""

from typing import Any

__all__ = ["assert_like"]


def assert_like(reply: Any, sample: Any, where: str = "") -> None:
    """Assert that a reply has the keys and types of a recorded one.

    Items of a list are compared with all items of the recorded list together: what is null in some
    may be null, or of the type of the others.
    """
    _assert_like([reply], [sample], where)


def _assert_like(replies: list[Any], samples: list[Any], where: str) -> None:
    kinds = {_kind(sample) for sample in samples}
    for reply in replies:
        assert _kind(reply) in kinds, (where, reply)
    if "object" in kinds:
        known = [sample for sample in samples if isinstance(sample, dict)]
        found = [reply for reply in replies if isinstance(reply, dict)]
        for reply in found:
            assert set(reply) in [set(sample) for sample in known], (where, reply)
        for name in {name for reply in found for name in reply}:
            values = [sample[name] for sample in known if name in sample]
            _assert_like(
                [reply[name] for reply in found if name in reply], values, f"{where}.{name}"
            )
    if "array" in kinds:
        items = [item for sample in samples if isinstance(sample, list) for item in sample]
        inner = [item for reply in replies if isinstance(reply, list) for item in reply]
        if items and inner:
            _assert_like(inner, items, f"{where}[]")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((int | float, "number"), (str, "text"), (dict, "object")):
        if isinstance(value, kind):
            return name
    return "array"
