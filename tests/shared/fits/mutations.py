"""FITS files that were damaged on purpose, each the same for the same number."""

import random

__all__ = ["mutated"]

_BLOCK, _CARD = 2880, 80
_LIES = (
    "-1",
    "0",
    "1",
    "3",
    "999999999",
    "2147483648",
    "99999999999999999999",
    "'8'",
    "T",
    "1.5E300",
    "",
)
_FORMS = (
    "999999999D",
    "0A",
    "1Q",
    "1PE(99999)",
    "X",
    "-3J",
    "1Z",
    "2147483647E",
    "'",
    "32768A",
    "1D8",
    "9999999X",
)
_KEYWORDS = (
    b"NAXIS   ",
    b"NAXIS1  ",
    b"NAXIS2  ",
    b"BITPIX  ",
    b"PCOUNT  ",
    b"GCOUNT  ",
    b"TFIELDS ",
    b"TSCAL1  ",
    b"TZERO1  ",
    b"BZERO   ",
    b"EXPSTART",
    b"EXPTIME ",
    b"NUMFLASH",
    b"SEGMENT ",
    b"ROOTNAME",
    b"EXTNAME ",
    b"CENWAVE ",
    b"DETECTOR",
)


def mutated(content: bytes, number: int) -> bytes:
    """Return the content with one to three damages.

    Parameters
    ----------
    content
        A whole FITS file.
    number
        Seed.
    """
    generator = random.Random(number)
    damaged = bytearray(content)
    for _ in range(generator.randint(1, 3)):
        damaged = generator.choice(_DAMAGES)(damaged, generator)
    return bytes(damaged)


def _flip(content: bytearray, generator: random.Random) -> bytearray:
    if content:
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    return content


def _flip_header(content: bytearray, generator: random.Random) -> bytearray:
    if content:
        content[generator.randrange(min(len(content), 10 * _BLOCK))] ^= 1 << generator.randrange(8)
    return content


def _smear(content: bytearray, generator: random.Random) -> bytearray:
    """Put one value over a stretch, as a bad sector or a lost packet does."""
    if content:
        start, size = generator.randrange(len(content)), generator.choice((1, 4, 100, 5000))
        stretch = bytes([generator.choice((0, 255, 7, 128))]) * size
        content[start : start + size] = stretch[: len(content) - start]
    return content


def _truncate(content: bytearray, generator: random.Random) -> bytearray:
    return content[: generator.randrange(len(content) + 1)]


def _lose_block(content: bytearray, generator: random.Random) -> bytearray:
    start = generator.randrange(len(content) // _BLOCK + 1) * _BLOCK
    return content[:start] + content[start + _BLOCK :]


def _repeat_block(content: bytearray, generator: random.Random) -> bytearray:
    start = generator.randrange(len(content) // _BLOCK + 1) * _BLOCK
    return content[:start] + content[start : start + _BLOCK] + content[start:]


def _card(content: bytearray, keyword: bytes, value: str, generator: random.Random) -> bytearray:
    places = [
        start
        for start in range(0, len(content) - _CARD, _CARD)
        if content[start : start + 8] == keyword
    ]
    if places:
        start = generator.choice(places)
        content[start : start + _CARD] = (
            keyword + b"= " + value.rjust(20).encode().ljust(_CARD - 10)[: _CARD - 10]
        )
    return content


def _lie(content: bytearray, generator: random.Random) -> bytearray:
    return _card(content, generator.choice(_KEYWORDS), generator.choice(_LIES), generator)


def _absurd_form(content: bytearray, generator: random.Random) -> bytearray:
    keyword = f"TFORM{generator.randint(1, 12)}".ljust(8).encode()
    return _card(content, keyword, f"'{generator.choice(_FORMS)}'", generator)


def _bomb(content: bytearray, generator: random.Random) -> bytearray:
    """Put in cards that go on for long."""
    start = generator.randrange(len(content) // _BLOCK + 1) * _BLOCK
    card = generator.choice(
        (b"COMMENT bomb", b"BOMB    = 1", b"CONTINUE  'bomb&'", b"HIERARCH a b = 1")
    )
    return (
        content[:start]
        + card.ljust(_CARD) * (36 * generator.choice((1, 50, 3000)))
        + content[start:]
    )


def _lose_end(content: bytearray, _generator: random.Random) -> bytearray:
    return content.replace(b"END" + b" " * 77, b" " * 80)


_DAMAGES = (
    _flip,
    _flip,
    _flip_header,
    _flip_header,
    _smear,
    _smear,
    _truncate,
    _lose_block,
    _repeat_block,
    _lie,
    _lie,
    _absurd_form,
    _bomb,
    _lose_end,
)
