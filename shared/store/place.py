"""Where a store lies: its file system, whether it can work as it is set, and its outages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from shared.errors import CosmoError, OutageError, PermanentError
from shared.metrics import STORE_FAILURES, STORE_SECONDS
from shared.urls import path_of

__all__ = ["STAGING", "StorePlace"]

STAGING = ".staging"
"""Folder of a store for files that are not whole yet."""

_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci"})
"""Protocols of stores that show an object when its upload is complete.

They have neither folders nor a way to rename.
"""


def _is_lasting(error: BaseException | None) -> bool:
    """Return whether an error is one of the settings: no or wrong credentials, no right to write,
    an impossible name.

    Client libraries have types of their own for these, which are not imported here.
    """
    named = any(word in type(error).__name__ for word in ("Credential", "Validation"))
    wrong = (PermissionError, ValueError, NotADirectoryError, FileExistsError, FileNotFoundError)
    return named or isinstance(error, wrong)


def _reason(error: BaseException | None) -> str:
    """Return the message of an error in a line."""
    return " ".join(str(error).split()) or type(error).__name__


class StorePlace:
    """Place of a store.

    Nothing is asked of it before it is used, so that it may be away at the start as at any time.
    Whatever its file system raises is an outage, but for a file that is not there.

    Parameters
    ----------
    url
        fsspec URL; a local path or ``file://`` by default, ``s3://`` and the like in production.
    setting
        Name of the setting that names it, for errors.
    """

    def __init__(self, url: str, setting: str = "COSMO_STORE_URL") -> None:
        self.url = url
        self._setting = setting

    @cached_property
    def _place(self) -> tuple[Any, str]:
        """File system and path of the store."""
        if path := path_of(self.url):
            return LocalFileSystem(), str(path).rstrip("/")
        try:
            # Other processes write as well: a listing is true for one moment.
            fs, root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise PermanentError(
                f"the store {self.url} cannot be used: {error}; let {self._setting} name a "
                "folder, or a URL whose package for fsspec is installed"
            ) from error
        return fs, str(root).rstrip("/")

    @cached_property
    def _fs(self) -> Any:
        return self._place[0]

    @cached_property
    def _root(self) -> str:
        return self._place[1]

    @property
    def is_local(self) -> bool:
        """Whether it is a folder that this machine sees."""
        return isinstance(self._fs, LocalFileSystem)

    @property
    def staging(self) -> Path | None:
        """Folder of a local store for what is not published; None of one that is not local."""
        return Path(self._root) / STAGING if self.is_local else None

    @property
    def free_bytes(self) -> int | None:
        """Room on the disk of a local store; None of one that is not local, or not there."""
        if not self.is_local:
            return None
        root = Path(self._root)
        place = next((folder for folder in (root, *root.parents) if folder.is_dir()), None)
        return None if place is None else shutil.disk_usage(place).free

    @property
    def _holds_objects(self) -> bool:
        protocols = self._fs.protocol
        return not _OBJECT_STORES.isdisjoint(
            (protocols,) if isinstance(protocols, str) else protocols
        )

    @contextmanager
    def _using(self, failing: str, operation: str) -> Iterator[None]:
        """Take what a file system raises for an outage.

        Parameters
        ----------
        failing
            What the store does not do when it fails.
        operation
            Name of the operation among the metrics.

        Raises
        ------
        FileNotFoundError
            If a file is not there.
        OutageError
            If anything else is wrong, or its bucket is not there.
        """
        try:
            with STORE_SECONDS.labels(operation).time():
                yield
        except CosmoError:
            raise
        except FileNotFoundError as error:
            if self._holds_objects and not self._has_bucket():
                gone = f"there is no bucket {self._bucket!r} any more"
                raise OutageError(
                    f"the store {self.url} {failing}: {gone}; create it again"
                ) from error
            raise
        except Exception as error:
            STORE_FAILURES.labels(operation).inc()
            raise self._outage(failing, error) from error

    @property
    def _bucket(self) -> str:
        return self._root.split("/")[0]

    def _has_bucket(self) -> bool:
        try:
            self._fs.info(self._bucket)
        except FileNotFoundError:
            return False
        except Exception as error:
            raise self._outage("does not answer", error) from error
        return True

    def _outage(self, failing: str, error: Exception) -> OutageError:
        return OutageError(
            f"the store {self.url} {failing}: {_reason(error)}; free space or repair it"
        )

    def require(self, *, writing: bool = True) -> None:
        """Refuse a store that cannot work as it is set, however long one waits.

        Parameters
        ----------
        writing
            Whether this process writes to it: a folder is then made, unless it is there.

        Raises
        ------
        PermanentError
            If its package is missing, its credentials are missing or refused, its bucket is not
            there, or its folder cannot be written.
        OutageError
            If it does not answer.
        """
        try:
            with self._using("does not answer", "check"):
                if self._holds_objects and not self._bucket:
                    raise ValueError("it names no bucket")
                if self._holds_objects:
                    self._fs.info(self._bucket)
                elif writing:
                    self._fs.makedirs(f"{self._root}/{STAGING}", exist_ok=True)
                    if self.is_local and not os.access(self._root, os.W_OK | os.X_OK):
                        raise PermissionError("its folder cannot be written")
        except (OutageError, FileNotFoundError) as error:
            cause = error.__cause__ if isinstance(error, OutageError) else error
            if self._holds_objects and isinstance(cause, FileNotFoundError):
                raise PermanentError(
                    f"the store {self.url} cannot be used: there is no bucket {self._bucket!r}; "
                    f"create it, or correct {self._setting}"
                ) from error
            if _is_lasting(cause):
                raise PermanentError(
                    f"the store {self.url} cannot be used: {_reason(cause)}; correct "
                    f"{self._setting}, or give this process the rights or credentials to use it"
                ) from error
            raise
