"""Header cards: from the bytes of a header to its keywords.

Source: FITS standard 4.0, section 4. The fast path knows fixed and free format values; a header
with anything else (CONTINUE, HIERARCH, record-valued or complex values, sloppy cards) is read by
astropy as a whole.
"""

import re
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from shared.errors import PermanentError

__all__ = ["BLOCK", "CARD", "Header", "Value", "parse_header"]

BLOCK = 2880
CARD = 80

Value = str | int | float | bool | None | list[str]
"""Value of a keyword; None where it has none; the texts of COMMENT and HISTORY as a list."""

Header = Mapping[str, Value]

_CARD = re.compile(
    r"^(.{8})(?:"
    r"(?<!COMMENT )(?<!HISTORY )= +(?:('[^'\n]*')|([^'/ \n]+)|) *(?:/.*)?"
    r"|(?<=^COMMENT |^HISTORY )(?!= )(.*)"
    r"|(?<=^ {8}).*"
    r")$",
    re.MULTILINE,
)
"""Card that the fast path knows, a line each: keyword with blanks, then text in quotes, number or
logical value, or what a commentary card says. Text with quotes in it, and whatever else is odd, is
not among them."""

_KEYWORD = re.compile(r"[A-Z0-9_-]{1,8} *")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[ED][+-]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[+-]?(?:NAN|INF|INFINITY)", re.IGNORECASE)
"""Values that are not finite, as other writers of FITS put them; the standard has none."""

_RECORD_VALUED = re.compile(r"[A-Za-z_][\w.]*: +[-+.\d]")
_COMMENTARY = ("COMMENT", "HISTORY")
_VALUE_AT = 10
"""Column behind the value indicator, counted from 0 (standard, 4.1.2.2)."""
_LOGICAL = {"T": True, "F": False}
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")


class _Doubt(Exception):  # noqa: N818 - no error: astropy is asked
    """A card that only astropy can read."""


def parse_header(raw: bytes, where: str) -> dict[str, Value]:
    """Return the keywords of a header, as astropy gives them.

    The first value of a keyword that is repeated.

    A value that makes no sense is the text that stands in its place: it costs whoever asks for this
    keyword, no other.

    Parameters
    ----------
    raw
        Cards of the header, without END.
    where
        File and HDU, for errors.

    Raises
    ------
    PermanentError
        If the header is not text, or has cards that astropy cannot separate.
    """
    if not _PRINTABLE.fullmatch(raw):
        raise PermanentError(f"{where}: its header holds bytes that are no text; fetch it again")
    text = raw.decode("ascii")
    try:
        return _parse(text)
    except _Doubt:
        return _with_astropy(text, where)


def _parse(text: str) -> dict[str, Value]:
    lines = [text[start : start + CARD] for start in range(0, len(text), CARD)]
    cards = _CARD.findall("\n".join(lines))
    if len(cards) != len(lines):
        raise _Doubt
    header: dict[str, Value] = {}
    for padded, quoted, token, comment in cards:
        keyword = _keyword(padded)
        if quoted:
            value: Value = _text(quoted)
        elif token:
            value = _number(token)
        elif keyword in _COMMENTARY:
            _append(header, keyword, comment.rstrip())
            continue
        else:
            value = None
        if keyword and keyword not in header:
            header[keyword] = value
    return header


def _append(header: dict[str, Value], keyword: str, line: str) -> None:
    lines = header.setdefault(keyword, [])
    if isinstance(lines, list):
        lines.append(line)


@lru_cache(maxsize=4096)
def _keyword(padded: str) -> str:
    keyword = padded.rstrip()
    if keyword and (not _KEYWORD.fullmatch(padded) or keyword == "HIERARCH"):
        raise _Doubt
    return keyword


def _text(quoted: str) -> str:
    found = quoted[1:-1]
    if found.endswith("&") or (":" in found and _RECORD_VALUED.match(found)):
        raise _Doubt
    return found.rstrip()


@lru_cache(maxsize=65536)
def _number(token: str) -> bool | int | float:
    if token in _LOGICAL:
        return _LOGICAL[token]
    if _INTEGER.fullmatch(token):
        return int(token)
    if _FLOAT.fullmatch(token):
        return float(token.replace("D", "E"))
    if _NO_NUMBER.fullmatch(token):
        return float(token)
    raise _Doubt


def _with_astropy(text: str, where: str) -> dict[str, Value]:
    from astropy.io import fits

    header: dict[str, Value] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for card in fits.Header.fromstring(text).cards:
                if card.keyword in _COMMENTARY:
                    _append(header, card.keyword, str(card.value))
                elif card.keyword:
                    header.setdefault(card.keyword, _value(card))
    except Exception as error:  # astropy raises many kinds for cards that make no sense
        raise PermanentError(
            f"{where}: its header cannot be read ({error}); fetch it again"
        ) from error
    return header


def _value(card: Any) -> Value:
    """Return value of a card of astropy's; where it makes no sense, what stands in its place."""
    try:
        value = card.value
    except Exception:  # noqa: BLE001 - astropy raises many kinds for a card that makes no sense
        return str(card.image)[_VALUE_AT:].partition("/")[0].strip(" '")
    return value if isinstance(value, str | int | float | bool) else None
