"""Texts of many rows, each made or compared once, and rows that share them."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["codes_of", "distinct", "grouped", "phrases", "texts_of", "worded"]


def distinct(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the rows that differ from all before, and of each row its number.

    A number is the place of the row, among those that differ, that is the same; NaN is NaN.

    Parameters
    ----------
    columns
        Numbers, or text with None where it is not known; each of shape (n,).
    """
    number = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        code = _encoded(column).indices.to_numpy()
        joined = number * (int(code.max(initial=0)) + 1) + code
        number = _encoded(joined).indices.to_numpy().astype(np.int64)
    first = np.flatnonzero(np.diff(np.maximum.accumulate(number), prepend=-1))
    return first, number


def codes_of(texts: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return numbers of texts, from 0 on in their order, and the texts by number.

    Parameters
    ----------
    texts
        Text, None where it is not known; shape (n,).
    """
    encoded = pa.array(texts, pa.string()).fill_null("None").dictionary_encode()
    found = encoded.dictionary.to_pylist()
    names = sorted(found)
    number = {name: place for place, name in enumerate(names)}
    numbers = np.array([number[name] for name in found], dtype=np.int64)
    return numbers[encoded.indices.to_numpy()], names


def grouped(*columns: np.ndarray) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    """Yield the texts that rows share, in their order, and the places of these rows, ascending.

    Parameters
    ----------
    columns
        Text, None where it is not known; each of shape (n,).
    """
    parts = [codes_of(column) for column in columns]
    number = np.zeros(len(columns[0]), dtype=np.int64)
    for code, names in parts:
        number = number * max(len(names), 1) + code
    # Small integers are sorted by their digits.
    small = number.astype(np.min_scalar_type(int(number.max(initial=0))))
    order = np.argsort(small, kind="stable")
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    for rows in np.split(order, starts[1:]) if len(order) else ():
        yield tuple(names[code[rows[0]]] for code, names in parts), rows


def worded(values: np.ndarray, word: Callable[[Any], str]) -> np.ndarray:
    """Return values in words, of which each is made once: thousands of rows share them.

    Text, shape (n,).

    Parameters
    ----------
    values
        Numbers, or text with None where it is not known; shape (n,).
    word
        Makes the word of a value.
    """
    encoded = _encoded(values)
    words = np.array([word(one) for one in encoded.dictionary.to_pylist()], dtype=object)
    found: np.ndarray = words[encoded.indices.to_numpy()]
    return found


def _encoded(values: np.ndarray) -> pa.DictionaryArray:
    """Return values as places in what differs of them, in the order of its first place."""
    text = values.dtype.kind in "OU"
    # Whatever the sign of a zero.
    array = pa.array(values, pa.string()) if text else pa.array(values + 0)
    return array.dictionary_encode(null_encoding="encode")


def phrases(form: str, *columns: np.ndarray) -> np.ndarray:
    """Return the texts of several columns put together, of which each is made once.

    Text, shape (n,).

    Parameters
    ----------
    form
        Format of the texts of a row.
    columns
        Text, each of shape (n,).
    """
    first, place = distinct(*columns)
    rows = zip(*(column[first].tolist() for column in columns), strict=True)
    words = np.array([form.format(*row) for row in rows], dtype=object)
    found: np.ndarray = words[place]
    return found


def texts_of(form: str, numbers: np.ndarray) -> np.ndarray:
    """Return numbers in words, shape (n,).

    Parameters
    ----------
    form
        Format of a number; what is not known is ``unknown`` in its place.
    numbers
        Shape (n,).
    """
    unknown = re.sub(r"\{.*?\}", "unknown", form)
    return worded(numbers, lambda one: form.format(one) if np.isfinite(one) else unknown)
