"""Header cards are found in order, or mended, as by the original.

Also those that were seen before.
"""

import warnings
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from services.calibrator.acceleration.card_verification import REPLACEMENT

from .conftest import pair

ORIGINAL, STAND_IN = pair(REPLACEMENT, "_verify")
IMAGES = (
    "SIMPLE  =                    T / conforms",
    "EXPTIME =                900.0 / [s] exposure time",
    "TARGNAME= 'NGC 1234'           / name",
    "TARGNAME= 'it''s    '",
    "lower   =                    1",
    "EXPTIME = 9.0 / of free format",
    "EXPTIME =9.0 / no blank",
    "EXPTIME  = 9.0 / equal sign in column 9",
    "EXPTIME 9.0 without a sign",
    "KEY     = not a value / x",
    "KEY     = 'unended / x",
    "KEY     =                    1 / caf\xe9",
    "KEY?    =                    1",
    "COMMENT of whatever kind / 'x",
    "HISTORY \x07 rings",
    "HIERARCH ESO DET DIT = 1.5 / seconds",
    "DP1     = 'AXIS.1: 2'          / record-valued",
    "",
    "END",
    f"{'LONG    = ' + repr('x' * 66 + '&'):80}{'CONTINUE  ' + repr('the rest') + ' / said':80}",
    f"{'COMMENT ' + 'y' * 72}{'COMMENT ' + 'z' * 72}",
)


def _outcome(verify: Any, card: fits.Card, option: str) -> tuple[Any, ...]:
    """Return everything that verifying a card tells and does."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            said: Any = list(verify(card, option))
        except VerifyError as error:
            said = str(error)
        try:
            after: tuple[Any, ...] = (str(card), card.keyword, card.value, card.comment)
        except VerifyError as error:
            after = (str(error),)
    return said, after, card._verified, card._invalid, [str(warning.message) for warning in warned]


@pytest.mark.parametrize(
    "option", ["warn", "exception", "fix", "silentfix", "fix+warn", "silentfix+ignore"]
)
def test_cards_as_they_were_read(option: str) -> None:
    for image in IMAGES * 3:
        padded = f"{image:80}"
        one, other = fits.Card.fromstring(padded), fits.Card.fromstring(padded)
        assert _outcome(STAND_IN, one, option) == _outcome(ORIGINAL, other, option), image


def test_cards_that_were_changed(random: np.random.Generator) -> None:
    for image in IMAGES * 2:
        value = random.choice([1, 2]).item() if random.random() < 0.5 else "a 'text'"
        outcomes: list[Any] = []
        for verify in (ORIGINAL, STAND_IN):
            card = fits.Card.fromstring(f"{image:80}")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                STAND_IN(
                    fits.Card.fromstring(f"{image:80}"), "silentfix+ignore"
                )  # its image has been seen
                try:
                    card.value = value
                except (ValueError, VerifyError) as error:
                    outcomes.append(type(error))
                    continue
            outcomes.append(_outcome(verify, card, "silentfix"))
        assert outcomes[0] == outcomes[1], image


def test_a_card_in_order_is_looked_at_once() -> None:
    change = REPLACEMENT.changes[0]
    looked: list[str] = []

    def original(card: Any, option: str) -> Any:
        looked.append(str(card._image))
        return ORIGINAL(card, option)

    verify = change.make(original)
    for _ in range(3):
        verify(fits.Card.fromstring(f"{IMAGES[1]:80}"), "exception")
        verify(fits.Card.fromstring(f"{IMAGES[4]:80}"), "silentfix+ignore")
    assert len(looked) == 1 + 3
