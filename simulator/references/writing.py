"""Assembly of reference files."""

import gzip
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

__all__ = ["image", "primary", "table", "write"]

_EPOCH = "2026-01-01"


def primary(filetype: str, detector: str, **keywords: Any) -> fits.PrimaryHDU:
    """Return the primary HDU that CalCOS accepts.

    Parameters
    ----------
    filetype
        FILETYPE.
    detector
        FUV or NUV.
    keywords
        Further keywords.
    """
    hdu = fits.PrimaryHDU()
    header = hdu.header
    header["DATE"] = (_EPOCH, "date of this description of the instrument")
    header["FILETYPE"] = filetype
    header["TELESCOP"] = "HST"
    header["INSTRUME"] = "COS"
    header["DETECTOR"] = detector
    header["VCALCOS"] = ("3.4", "oldest version of CalCOS that can use it")
    header["USEAFTER"] = ("May 11 2009 00:00:00", "first date it is for")
    header["PEDIGREE"] = ("MODEL", "made from a simulated instrument")
    header["DESCRIP"] = "Simulated instrument; not for real data"
    for keyword, value in keywords.items():
        header[keyword.upper()] = value
    return hdu


def table(
    columns: Sequence[tuple[str, str, str]], rows: Sequence[Sequence[Any]], **keywords: Any
) -> fits.BinTableHDU:
    """Return the table extension.

    Parameters
    ----------
    columns
        Name, format and unit of each column; a name ``COLUMN:(m,n)`` gives its TDIM.
    rows
        Values, one sequence per row.
    keywords
        Keywords of the extension's header.
    """
    built = []
    for index, (name, form, unit) in enumerate(columns):
        bare, _, dim = name.partition(":")
        values = [row[index] for row in rows]
        array = (
            np.array(values, dtype=_dtype(form))
            if not form.endswith("A")
            else np.array(values, dtype=str)
        )
        built.append(
            fits.Column(
                bare, form, unit=unit or None, dim=dim or None, array=array if len(rows) else None
            )
        )
    hdu = fits.BinTableHDU.from_columns(built, nrows=len(rows))
    for keyword, value in keywords.items():
        hdu.header[keyword.upper()] = value
    return hdu


def _dtype(form: str) -> str:
    return {"D": "f8", "E": "f4", "J": "i4", "I": "i2", "L": "bool"}[form[-1]]


def image(name: str, version: int, content: NDArray[Any], **keywords: Any) -> fits.ImageHDU:
    """Return the image extension.

    Parameters
    ----------
    name, version
        EXTNAME and EXTVER.
    content
        Pixels, shape (y, x).
    keywords
        Keywords of its header.
    """
    hdu = fits.ImageHDU(content, name=name)
    hdu.header["EXTVER"] = version
    for keyword, value in keywords.items():
        hdu.header[keyword.upper()] = value
    return hdu


def write(hdus: fits.HDUList, path: Path) -> None:
    """Write a file gzipped, at once or not at all; the same content makes the same bytes.

    Parameters
    ----------
    hdus
        What to write.
    path
        Name without ``.gz``, which is added.
    """
    hdus[0].header["FILENAME"] = path.name
    buffer = io.BytesIO()
    hdus.writeto(buffer, checksum=False)
    staged = path.with_name(f".{path.name}.{os.getpid()}.part")
    with staged.open("wb") as stream, gzip.GzipFile("", "wb", 1, stream, mtime=0) as zipped:
        zipped.write(buffer.getbuffer())
    staged.replace(path.with_name(f"{path.name}.gz"))
