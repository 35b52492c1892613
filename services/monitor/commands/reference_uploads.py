"""Reference files that users upload: checked, put into the store, recorded."""

import asyncio
import gzip
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.errors import ConflictError
from services.monitor.response_models.references import ReferenceRecord
from shared.calcos_version import read_calcos_version
from shared.cos.references import FILETYPES, check_reference
from shared.database.models.references import UploadedReference
from shared.errors import PermanentError
from shared.fits import check_fits
from shared.fits.streams import DAMAGED_GZIP
from shared.settings import Settings
from shared.store import Store, sha256_of

__all__ = ["check_names", "keep_upload", "receive"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,90}\.fits")


def check_names(name: str, keyword: str) -> None:
    """Refuse what no file is uploaded as, before its bytes are asked for.

    Raises
    ------
    PermanentError
        For a name that no reference file has, or an unknown keyword.
    """
    if not _NAME.fullmatch(name):
        raise PermanentError(
            f"{name!r} is no name of a reference file; give letters, digits, _ . - and the ending "
            ".fits"
        )
    if keyword not in FILETYPES:
        raise PermanentError(
            f"there is no reference keyword {keyword!r}; there are {', '.join(FILETYPES)}"
        )


async def receive(stream: AsyncIterator[bytes], target: Path) -> None:
    """Write the body of a request, which the guard bounds, to a file."""
    with target.open("wb") as out:
        async for chunk in stream:
            await asyncio.to_thread(out.write, chunk)


def _unpacked(source: Path, target: Path, limit_mb: int) -> None:
    """Copy a file, unpacked if it is gzipped."""
    with source.open("rb") as probe:
        zipped = probe.read(2) == b"\x1f\x8b"
    if not zipped:
        source.rename(target)
        return
    with gzip.open(source) as stream, target.open("wb") as out:
        while chunk := stream.read(1 << 20):
            out.write(chunk)
            if out.tell() > limit_mb << 20:
                raise PermanentError(
                    f"{target.name} has more than {limit_mb} MB when it is unpacked"
                )


def _check(
    source: Path, target: Path, keyword: str, limit_mb: int, calcos: str | None
) -> tuple[str, fits.Header]:
    try:
        _unpacked(source, target, limit_mb)
        check_fits(target)
    except DAMAGED_GZIP as error:
        raise PermanentError(f"{target.name}: damaged gzip file ({error})") from error
    try:
        header = fits.getheader(target)
        for key in ("FILETYPE", "VCALCOS", "DESCRIP", "PEDIGREE"):
            header.get(key)  # a card is parsed when it is asked for
    except (OSError, VerifyError) as error:
        raise PermanentError(
            f"{target.name}: its primary header cannot be read ({error})"
        ) from error
    if "FILETYPE" not in header:
        raise PermanentError(
            f"{target.name}: its primary header has no FILETYPE; {keyword} has {FILETYPES[keyword]}"
        )
    check_reference(target.name, header, keyword, calcos)
    return sha256_of(target), header


async def keep_upload(
    session: AsyncSession,
    store: Store,
    settings: Settings,
    source: Path,
    name: str,
    keyword: str,
    by: str,
) -> tuple[ReferenceRecord, bool]:
    """Check a file, put it into the store and record it.

    Parameters
    ----------
    session
        Session; it is committed.
    store
        Where it goes.
    settings
        Limits.
    source
        The file as it came, plain or gzipped; it may be moved.
    name, keyword
        Its name, and the reference keyword that it is for (`check_names`).
    by
        Name of the token.

    Returns
    -------
    ReferenceRecord, bool
        The record, and whether it is new.

    Raises
    ------
    ConflictError
        If another file has the name.
    PermanentError
        If it is no reference file of this kind, damaged, or for another CalCOS.
    """
    calcos = await read_calcos_version(session)
    with tempfile.TemporaryDirectory(prefix="cosmo-upload-") as folder:
        target, limit_mb = Path(folder) / name, settings.api.upload_limit_mb
        sha256, header = await asyncio.to_thread(_check, source, target, keyword, limit_mb, calcos)
        await session.execute(
            text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"upload {name}"}
        )
        known = await session.execute(
            select(UploadedReference).where(UploadedReference.name == name)
        )
        if (found := known.scalar_one_or_none()) is not None:
            if found.sha256 != sha256 or found.keyword != keyword:
                raise ConflictError(
                    "name_taken",
                    f"another {name} was uploaded by {found.uploaded_by}; choose another name",
                )
            return ReferenceRecord.model_validate(found), False
        stored = await asyncio.to_thread(store.publish, target, f"references/{sha256[:12]}", sha256)
    upload = UploadedReference(
        name=name,
        keyword=keyword,
        calcos_version=str(header.get("VCALCOS", "")).strip(),
        description=str(header.get("DESCRIP", "")).strip(),
        pedigree=str(header.get("PEDIGREE", "")).strip(),
        path=stored.path,
        size=stored.size,
        sha256=sha256,
        uploaded_by=by,
    )
    session.add(upload)
    await session.commit()
    await session.refresh(upload)
    return ReferenceRecord.model_validate(upload), True
