"""Astropy's settings: a value that was validated is not validated again for each header card.

Replaces ``astropy.config.ConfigItem.__call__``, which is asked some 170,000 times in a run and
parses the same few booleans each time. The value that was validated last is kept beside the raw
value it came from, and given out again only as long as the settings still hold that very object,
and nothing under an older name of the item in the same section, which the original would warn of.
Items that had another section before are left to the original. Saves 0.2 s an exposure.
"""

from typing import Any

from astropy.config import configuration

from services.calibrator.acceleration.registry import Change, Function, Replacement

__all__ = ["REPLACEMENT"]

_KEPT = "_accelerated"
_PLAIN = (bool, int, float, str)
_MISSING = object()


def _make(original: Function) -> Function:
    def call(item: Any) -> Any:
        """Return the value of a setting, of the type that it is declared with."""
        package = item.module.partition(".")[0]
        kept = item.__dict__.get(_KEPT)
        if kept is not None:
            root, section, raw, value, older = kept
            # dict.get, because a section's own look-up does interpolation, which Astropy has
            # switched off.
            if (
                configuration._cfgobjs.get(package) is root
                and dict.get(section, item.name, _MISSING) is raw
                and not any(name in section for name in older)
            ):
                return value
        value = original(item)
        root = configuration._cfgobjs.get(package)
        older = tuple(
            name
            for module, _, name in (alias.rpartition(".") for alias in item.aliases)
            if module == item.module
        )
        if len(older) == len(item.aliases) and root is not None and type(value) in _PLAIN:
            section = configuration.get_config(item.module, rootname=item.rootname)
            raw = dict.get(section, item.name, _MISSING)
            if raw is not _MISSING:
                item.__dict__[_KEPT] = (root, section, raw, value, older)
        return value

    return call


REPLACEMENT = Replacement(
    "configuration",
    [
        Change(
            "astropy.config.configuration:ConfigItem.__call__",
            "c6a93c9e72ca0697376da32d723795fd8eba6c0ce07d03ab906bf48f2df66cbd",
            _make,
        )
    ],
    {
        "astropy.config.configuration:get_config": "24cb28502e753a29a6e89a4cbe8f28946003d50ba701c0129aacc3772fbd5c54",
    },
)
