"""Products: which a run must leave, which are kept, and how they are packed."""

import fnmatch
import hashlib
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from isal import igzip

from services.calibrator.run.headers import Exposure
from shared.cos.association import Association
from shared.cos.names import parse_name
from shared.errors import PermanentError
from shared.fits import check_fits
from shared.outages import refusal
from shared.recipes.options import Options

__all__ = [
    "Product",
    "check_products",
    "keeps_images",
    "kept_products",
    "pack",
    "promised_products",
]

_CHUNK = 4 << 20
_IMAGES = ("flt", "flt_a", "flt_b", "counts", "counts_a", "counts_b", "fltsum")
_LEVEL = 1
"""Compression of isal; images are 99 % zeros, so a higher level costs more than it saves."""

_DEFAULT = Options()
_THREADS = 2
"""Files packed at once.

A calibrator process counts on one core, and the child's is idle by then.
"""


@dataclass(frozen=True)
class Product:
    """A packed product: where it is, its size in bytes and SHA-256, both of the packed file."""

    path: Path
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """File name, with ``.gz``."""
        return self.path.name


def promised_products(
    association: Association | None, exposures: Sequence[Exposure], options: Options = _DEFAULT
) -> set[str]:
    """Return the names of the files that a run must leave (COS Data Handbook, table 2.1.

    Conditions as in CalCOS 3.6.2).

    Parameters
    ----------
    association
        Association table; None for a single exposure.
    exposures
        Raw files that went in.
    options
        Arguments of CalCOS.
    """
    promised: set[str] = set()
    for exposure in exposures:
        root = exposure.rootname
        if exposure.text("EXPTYPE").startswith("ACQ"):
            continue
        if options.create_csum_image or options.only_csum:
            promised.add(f"{root}_csum{exposure.side}.fits")
        if options.only_csum:
            continue
        promised |= {f"{root}_{kind}{exposure.side}.fits" for kind in ("corrtag", "flt", "counts")}
        if _is_extracted(exposure):
            promised.add(f"{root}_x1d.fits")
        if (
            _is_spectrum(exposure)
            and _has_flashes(exposure)
            and exposure.is_set("WAVECORR")
            and _has_events(exposure)
        ):
            promised.add(f"{root}_lampflash.fits")
    if association is not None and association.product is not None and not options.only_csum:
        promised |= _sums(
            association.product, [exposure for exposure in exposures if _is_combined(exposure)]
        )
    return promised


def _sums(product: str, combined: Sequence[Exposure]) -> set[str]:
    """Return files that add up exposures: spectra, all of them and by FP position, and images."""
    sums = {f"{product}_fltsum.fits" for exposure in combined if not _is_spectrum(exposure)}
    spectra = [exposure for exposure in combined if _is_extracted(exposure)]
    if spectra:
        sums.add(f"{product}_x1dsum.fits")
    return sums | {
        f"{product}_x1dsum{exposure.header.get('FPPOS', 1)}.fits" for exposure in spectra
    }


def _is_spectrum(exposure: Exposure) -> bool:
    return exposure.text("OBSTYPE") == "SPECTROSCOPIC"


def _is_extracted(exposure: Exposure) -> bool:
    return (
        _is_spectrum(exposure) and exposure.text("EXPTYPE") != "DARK" and exposure.is_set("X1DCORR")
    )


def _has_flashes(exposure: Exposure) -> bool:
    """Return whether it is TAGFLASH for CalCOS: without a single commanded flash it is not
    (`getGeneralInfo`).
    """
    tagged = exposure.text("TAGFLASH") in ("AUTO", "UNIFORMLY SPACED")
    return tagged and int(exposure.data_header.get("NUMFLASH", 0)) > 0


def _has_events(exposure: Exposure) -> bool:
    return int(exposure.data_header.get("NAXIS2", 0)) > 0


def _is_combined(exposure: Exposure) -> bool:
    """Return whether CalCOS adds it up.

    Science, unless flashes make a calibration of what is no EXTERNAL/SCI.
    """
    kind = exposure.text("EXPTYPE")
    return kind == "EXTERNAL/SCI" or (
        kind in ("EXTERNAL/CAL", "DARK", "FLAT") and not _has_flashes(exposure)
    )


def check_products(outdir: Path, promised: Collection[str]) -> None:
    """Check that a run left what it must, each a whole FITS file, whatever CalCOS returned.

    Parameters
    ----------
    outdir
        Folder that CalCOS wrote to.
    promised
        Names of the files.

    Raises
    ------
    PermanentError
        With the names of those that are missing or damaged.
    """
    missing = sorted(name for name in promised if not (outdir / name).is_file())
    if missing:
        raise PermanentError(f"CalCOS did not write {', '.join(missing)}; see the end of its log")
    for name in sorted(promised):
        check_fits(outdir / name)


def kept_products(outdir: Path, keep: str) -> tuple[list[Path], list[str]]:
    """Return the products of a run that the policy keeps, and the names of the others.

    Parameters
    ----------
    outdir
        Folder that CalCOS wrote to.
    keep
        Patterns of suffixes, comma separated.

    Raises
    ------
    PermanentError
        If CalCOS wrote a file whose name says nothing of what it is.
    """
    kept, others = [], []
    for path in sorted(outdir.glob("*.fits")):
        suffix = parse_name(path.name).suffix
        if suffix == "asn":  # CalCOS's copy of what went in
            continue
        if _is_kept(suffix, keep):
            kept.append(path)
        else:
            others.append(path.name)
    return kept, others


def keeps_images(keep: str) -> bool:
    """Return whether the policy keeps any count or flat-fielded image, or what is made of them
    alone.

    Parameters
    ----------
    keep
        Patterns of suffixes, comma separated.
    """
    return any(_is_kept(suffix, keep) for suffix in _IMAGES)


def _is_kept(suffix: str, keep: str) -> bool:
    return any(fnmatch.fnmatch(suffix, pattern.strip()) for pattern in keep.split(","))


def pack(paths: Iterable[Path], folder: Path) -> list[Product]:
    """Compress files, two at once; unpacking gives back the very bytes, and so does packing again.

    Parameters
    ----------
    paths
        Files.
    folder
        Where ``<name>.gz`` goes.

    Raises
    ------
    TransientError
        If the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # isal and hashlib work outside the interpreter lock, so threads do run at once.
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(lambda path: _compress(path, folder / f"{path.name}.gz"), paths))


def _compress(path: Path, target: Path) -> Product:
    try:
        # No name and time in the gzip header: the same product packs to the same bytes.
        with (
            path.open("rb") as stream,
            target.open("wb") as raw,
            igzip.IGzipFile(
                filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0
            ) as out,
        ):
            while chunk := stream.read(_CHUNK):
                out.write(chunk)
        with target.open("rb") as packed:
            return Product(
                target, target.stat().st_size, hashlib.file_digest(packed, "sha256").hexdigest()
            )
    except OSError as error:
        raise refusal(
            error, f"{path.name} could not be packed: {error}; free space in the scratch folder"
        ) from error
