"""One FITS file: its headers, and the columns and images that are asked for."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any

import numpy as np

from shared.errors import PermanentError
from shared.fits.cards import Header
from shared.fits.hdus import Hdu, read_hdus
from shared.fits.streams import inflated, reading
from shared.fits.tables import Columns, TableLayout

__all__ = ["FitsFile"]

_CHUNK_BYTES = 32 << 20
_MAX_TABLE_BYTES = 256 << 20
_PIXELS = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


def _called(extension: str, version: int) -> str:
    """Return the extension as messages name it."""
    return f"{extension},{version}" if version > 1 else extension


class FitsFile:
    """A FITS file that is opened only when something is asked for.

    Parameters
    ----------
    opener
        Opens the file, plain or gzipped, from its first byte.
    name
        Its name, for errors.
    headers
        Its headers where they are known already; else they are read when they are first asked for.
    """

    def __init__(
        self,
        opener: Callable[[], AbstractContextManager[IO[bytes]]],
        name: str,
        headers: Sequence[Header] | None = None,
    ) -> None:
        self._opener = opener
        self.name = name
        self._headers = headers
        self._hdus: Sequence[Hdu] | None = None

    @property
    def headers(self) -> Sequence[Header]:
        """Headers in the order of the file, without a look at the file where they are known
        already.

        Raises
        ------
        PermanentError
            If it is not a whole FITS file.
        """
        if self._headers is None:
            self._headers = [hdu.header for hdu in self.hdus]
        return self._headers

    @property
    def hdus(self) -> Sequence[Hdu]:
        """Headers and where their data are, in the order of the file.

        Raises
        ------
        PermanentError
            If it is not a whole FITS file.
        """
        if self._hdus is None:
            with reading(self.name), self._opener() as stream:
                self._hdus = read_hdus(stream, self.name)
        return self._hdus

    def find(self, extension: str, version: int = 1) -> Hdu:
        """Return the extension by its name.

        Raises
        ------
        PermanentError
            If there is none.
        """
        wanted = (extension.upper(), version)
        found = next((hdu for hdu in self.hdus if (hdu.name, hdu.version) == wanted), None)
        if found is None:
            raise PermanentError(f"{self.name}: no extension {_called(extension, version)}")
        return found

    def layout(self, hdu: Hdu) -> TableLayout:
        """Return the layout of a table.

        Raises
        ------
        PermanentError
            If it is no table, or makes no sense.
        """
        return TableLayout(hdu.header, f"{self.name}: table {_called(hdu.name, hdu.version)}")

    def table(self, hdu: Hdu, wanted: Sequence[str]) -> Columns:
        """Return the columns of a table at once.

        Raises
        ------
        PermanentError
            If a column is missing, or the table is larger than any that is read at once (256 MiB).
        """
        layout = self.layout(hdu)
        if layout.rows * layout.width > _MAX_TABLE_BYTES:
            raise PermanentError(
                f"{self.name}: table {hdu.name} has {layout.rows} rows of {layout.width} bytes"
            )
        return layout.read(self._read(hdu, layout.rows * layout.width), wanted)

    def chunks(self, hdu: Hdu, wanted: Sequence[str]) -> Iterator[Columns]:
        """Yield the columns of a table in parts of about 32 MiB, so that memory does not grow with
        the table.

        Raises
        ------
        PermanentError
            If a column is missing.
        """
        layout = self.layout(hdu)
        layout.read(b"", wanted)  # refuses a wrong table even when it is empty
        rows = max(1, _CHUNK_BYTES // max(1, layout.width))
        with reading(self.name), self._opener() as stream, inflated(stream) as content:
            content.seek(hdu.start)
            for first in range(0, layout.rows, rows):
                yield layout.read(
                    self._exactly(content, min(rows, layout.rows - first) * layout.width), wanted
                )

    def image(self, hdu: Hdu) -> "np.ndarray[Any, Any]":
        """Return the pixels of an image, 2-D or more, slowest axis first; BZERO and BSCALE applied.

        Raises
        ------
        PermanentError
            If it is no image, or larger than any that is read at once (256 MiB).
        """
        return next(self.images([hdu]))

    def images(self, hdus: Sequence[Hdu]) -> Iterator["np.ndarray[Any, Any]"]:
        """Yield the pixels of several images, in one pass over the file when they are given in its
        order.

        Else as `image`.
        """
        with reading(self.name), self._opener() as stream, inflated(stream) as content:
            for hdu in hdus:
                content.seek(hdu.start)
                yield self._pixels(hdu, content)

    def _pixels(self, hdu: Hdu, content: IO[bytes]) -> "np.ndarray[Any, Any]":
        header = hdu.header
        if header.get("XTENSION", "IMAGE") != "IMAGE":
            raise PermanentError(f"{self.name}: {hdu.name} is no image")
        shape = [int(header[f"NAXIS{axis}"]) for axis in range(int(header["NAXIS"]), 0, -1)]  # type: ignore[arg-type]
        if not shape or hdu.size > _MAX_TABLE_BYTES:
            raise PermanentError(f"{self.name}: image {hdu.name} of shape {shape} is not read")
        kind = np.dtype(_PIXELS[int(header["BITPIX"])])  # type: ignore[arg-type]
        pixels = np.frombuffer(
            self._exactly(content, kind.itemsize * int(np.prod(shape))), kind
        ).reshape(shape)
        scale, zero = header.get("BSCALE", 1), header.get("BZERO", 0)
        if not isinstance(scale, int | float) or not isinstance(zero, int | float):
            raise PermanentError(
                f"{self.name}: BSCALE, BZERO of image {hdu.name} are {scale!r}, {zero!r}"
            )
        if scale == 1 and zero == 0:
            return pixels.astype(kind.newbyteorder("="))
        return pixels * scale + zero

    def lines(self, hdu: Hdu) -> list[str]:
        """Return the rows of an ASCII table as text, without the blanks behind them (FITS standard
        4.0, section 7.2).

        Raises
        ------
        PermanentError
            If it is none, or is truncated.
        """
        width, rows = hdu.header.get("NAXIS1"), hdu.header.get("NAXIS2")
        if (
            not isinstance(width, int)
            or not isinstance(rows, int)
            or not 0 <= width * rows <= hdu.size
        ):
            raise PermanentError(f"{self.name}: {hdu.name} is no table of text")
        content = self._read(hdu, width * rows)
        rests = (content[start : start + width] for start in range(0, width * rows, width or 1))
        return [line.decode("ascii", "replace").rstrip() for line in rests]

    def _read(self, hdu: Hdu, size: int) -> bytes:
        if hdu.content is not None:
            return self._exactly(io.BytesIO(hdu.content), size)
        with reading(self.name), self._opener() as stream, inflated(stream) as content:
            content.seek(hdu.start)
            return self._exactly(content, size)

    def _exactly(self, content: IO[bytes], size: int) -> bytes:
        found = content.read(size)
        if len(found) != size:
            raise PermanentError(
                f"{self.name}: truncated, {size - len(found)} bytes of data are missing"
            )
        return found
