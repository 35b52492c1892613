"""Texts of many rows, and rows that share them."""

import numpy as np

from services.monitor.library.groups import codes_of, distinct, grouped, phrases, texts_of

_NAN = float("nan")
_TEXTS = np.array(["b", None, "a", "b"], dtype=object)
_NUMBERS = np.array([2.0, _NAN, 0.0, -0.0, _NAN])


def test_codes_are_in_the_order_of_texts() -> None:
    codes, names = codes_of(_TEXTS)
    assert (codes.tolist(), names) == ([2, 0, 1, 2], ["None", "a", "b"])


def test_rows_of_the_same_texts_are_together() -> None:
    other = np.array(["y", "x", "y", "x"], dtype=object)
    found = [(words, rows.tolist()) for words, rows in grouped(_TEXTS, other)]
    assert found == [
        (("None", "x"), [1]),
        (("a", "y"), [2]),
        (("b", "x"), [3]),
        (("b", "y"), [0]),
    ]
    assert list(grouped(np.array([], dtype=object))) == []


def test_what_is_not_known_is_the_same_everywhere() -> None:
    first, number = distinct(_NUMBERS)
    assert (first.tolist(), number.tolist()) == ([0, 1, 2], [0, 1, 2, 2, 1])
    texts = np.array([*_TEXTS, None], dtype=object)
    first, number = distinct(texts, _NUMBERS)
    assert (first.tolist(), number.tolist()) == ([0, 1, 2, 3], [0, 1, 2, 3, 1])


def test_words() -> None:
    words = ["2 pix", "unknown pix", "0 pix", "0 pix", "unknown pix"]
    assert texts_of("{:.0f} pix", _NUMBERS).tolist() == words
    assert phrases("{}-{}", _TEXTS[[0, 2]], _TEXTS[[3, 0]]).tolist() == ["b-b", "a-b"]
