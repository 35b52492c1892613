"""Header cards: from the bytes of a header to its keywords.

Source: FITS standard 4.0, section 4. The fast path knows fixed and free format values; a header with anything else
(CONTINUE, HIERARCH, record-valued or complex values, sloppy cards) is read by astropy as a whole.
"""

import re
import warnings
from collections.abc import Mapping

from shared.errors import PermanentError

__all__ = ["BLOCK", "CARD", "Header", "Value", "parse_header"]

BLOCK = 2880
CARD = 80

Value = str | int | float | bool | None | list[str]
"""Value of a keyword; None where it has none; the texts of COMMENT and HISTORY as a list."""

Header = Mapping[str, Value]

_KEYWORD = re.compile(r"[A-Z0-9_-]{1,8}")
_TEXT = re.compile(r" *'((?:[^']|'')*)' *(?:/|$)")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[ED][+-]?[0-9]+)?")
_RECORD_VALUED = re.compile(r"[A-Za-z_]\S*: ")
_COMMENTARY = ("COMMENT", "HISTORY")
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")
_LOGICAL = {"T": True, "F": False}
_DOUBT = object()


def parse_header(raw: bytes, where: str) -> dict[str, Value]:
    """Keywords of a header, as astropy gives them; the first value of a keyword that is repeated.

    Parameters
    ----------
    raw
        Cards of the header, without END.
    where
        File and HDU, for errors.

    Raises
    ------
    PermanentError
        If the header is not text, or a card makes no sense.
    """
    if not _PRINTABLE.fullmatch(raw):
        raise PermanentError(f"{where}: its header holds bytes that are no text; fetch it again")
    text = raw.decode("ascii")
    header: dict[str, Value] = {}
    for start in range(0, len(text), CARD):
        keyword = text[start : start + 8].rstrip()
        if text[start + 8 : start + 10] == "= ":
            value = _value(text[start + 10 : start + CARD])
            if value is _DOUBT or keyword in ("HIERARCH", *_COMMENTARY) or not _KEYWORD.fullmatch(keyword):
                return _with_astropy(text, where)
            if keyword not in header:
                header[keyword] = value  # type: ignore[assignment]
        elif keyword in _COMMENTARY:
            _append(header, keyword, text[start + 8 : start + CARD].rstrip())
        elif keyword:
            return _with_astropy(text, where)
    return header


def _append(header: dict[str, Value], keyword: str, line: str) -> None:
    lines = header.setdefault(keyword, [])
    if isinstance(lines, list):
        lines.append(line)


def _value(text: str) -> object:
    """Value of the part of a card behind ``= ``; ``_DOUBT`` where only astropy can tell."""
    if "'" in text:
        match = _TEXT.match(text)
        if match is None:
            return _DOUBT
        found = match[1]
        if "''" in found:
            found = found.replace("''", "'")
        return _DOUBT if found.endswith("&") or _RECORD_VALUED.match(found) else found.rstrip()
    found = text.partition("/")[0].strip()
    if found in _LOGICAL:
        return _LOGICAL[found]
    if _INTEGER.fullmatch(found):
        return int(found)
    if _FLOAT.fullmatch(found):
        return float(found.replace("D", "E"))
    return _DOUBT if found else None


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
                    header.setdefault(card.keyword, _plain(card.value))
    except Exception as error:  # astropy raises many kinds for a card that makes no sense
        raise PermanentError(f"{where}: its header cannot be read ({error}); fetch it again") from error
    return header


def _plain(value: object) -> Value:
    return value if isinstance(value, str | int | float | bool) else None
