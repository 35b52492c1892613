"""Downloads over HTTP: resumed where they broke, bounded by host, and checked."""

from services.archive.downloads.downloader import Downloader
from services.archive.downloads.errors import StoppedError
from services.archive.downloads.parts import RemoteFile, sweep_parts

__all__ = ["Downloader", "RemoteFile", "StoppedError", "sweep_parts"]
