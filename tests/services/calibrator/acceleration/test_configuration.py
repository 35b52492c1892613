"""Astropy's settings have the values that they would have without the replacement, and follow
changes.
"""

import astropy.config.configuration as module
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyDeprecationWarning

from services.calibrator.acceleration.configuration import REPLACEMENT

from .conftest import pair

ORIGINAL, STAND_IN = pair(REPLACEMENT, "__call__")


def _items(of: type) -> list[module.ConfigItem]:
    return [item for item in vars(of).values() if isinstance(item, module.ConfigItem)]


def test_values_before_and_after_a_change() -> None:
    items = _items(type(fits.conf))
    assert len(items) > 5
    for _ in range(3):
        assert [STAND_IN(item) for item in items] == [ORIGINAL(item) for item in items]
    with fits.conf.set_temp("use_memmap", False), fits.conf.set_temp("enable_uint", False):
        assert [STAND_IN(item) for item in items] == [ORIGINAL(item) for item in items]
    assert [STAND_IN(item) for item in items] == [ORIGINAL(item) for item in items]


def test_a_value_of_the_wrong_type_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    item = next(item for item in _items(type(fits.conf)) if item.name == "use_memmap")
    assert STAND_IN(item) is True
    monkeypatch.setitem(module.get_config(item.module), "use_memmap", "perhaps")
    with pytest.raises(TypeError):
        STAND_IN(item)


@pytest.mark.filterwarnings("ignore:.*more than one alias")
def test_an_older_name_of_an_item_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    item = next(
        item
        for item in _items(type(fits.conf))
        if item.name == "enable_record_valued_keyword_cards"
    )
    older = item.aliases[0].rsplit(".", 1)[1]
    assert STAND_IN(item) is STAND_IN(item) is True
    monkeypatch.setitem(module.get_config(item.module), older, "False")
    for function in (ORIGINAL, STAND_IN):
        with pytest.warns(AstropyDeprecationWarning, match="deprecated"):
            function(item)
