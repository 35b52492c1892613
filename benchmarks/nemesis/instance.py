"""A ``cosmo up`` whose processes, disks and clock can be reached, and that is started again when it
ends.
"""

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import psutil

from benchmarks.nemesis.schedule import BELOW
from benchmarks.nemesis.up import CLOCK, LIBRARY
from cosmo.launcher.address import read_address
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from shared.errors import CosmoError
from shared.urls import file_url

__all__ = ["Instance"]

_MODULES: Final = {
    "archive": "services.archive",
    "calibrator": "services.calibrator",
    "ingestor": "services.ingestor",
    "monitor-worker": "services.monitor.worker",
    "monitor": "services.monitor",
}
_COMMANDS: Final = [["-m", module] for module in _MODULES.values()]
_PROGRAMS: Final = {"postgres": "postgres", "valkey": "valkey-server"}
_LIBRARY: Final = "faketime/libfaketimeMT.so.1"
_DISKS: Final = {"data": 6 << 30, "store": 4 << 30}
"""Bytes of each disk; memory is used only as far as it is filled."""
_PAGE: Final = 1 << 16
_START_SECONDS, _STOP_SECONDS = 120.0, 60.0

_SETTINGS: Final = {
    "COSMO_ARCHIVE__SCAN_SECONDS": "1",
    "COSMO_CALIBRATOR__SWEEP_SECONDS": "5",
    "COSMO_JOBS__BACKOFF_SECONDS": "1",
    "COSMO_JOBS__GRACE_SECONDS": "1",
    "COSMO_JOBS__LEASE_SECONDS": "6",
    "COSMO_JOBS__RESEND_SECONDS": "3",
    "COSMO_JOBS__SWEEP_SECONDS": "1",
    "COSMO_MONITOR__QUIET_SECONDS": "1",
}
"""Pauses so short that a run sees many of them."""


class Instance:
    """COSMO in a folder, on disks and a clock of its own.

    Parameters
    ----------
    folder
        Empty folder.
    source
        Folder that is scanned.
    references
        Folder of the reference files.

    Attributes
    ----------
    starts
        How many times it was started.
    missing
        What cannot be done here, with the reason: ``full``, ``clock``.
    """

    def __init__(self, folder: Path, source: Path, references: Path) -> None:
        self.data_dir = folder / "data"
        self.log = folder / "up.log"
        self.starts = 0
        self.missing: dict[str, str] = {}
        self._clock = folder / "clock"
        self._mounted: list[Path] = []
        self._process: subprocess.Popen[bytes] | None = None
        options = {
            "--port": 0,
            "--data-dir": self.data_dir,
            "--source": source,
            "--references": references,
        }
        arguments = [str(part) for option in options.items() for part in option]
        self._command = [sys.executable, "-m", "benchmarks.nemesis.up", "up", *arguments]
        self._environment = {**os.environ, **_SETTINGS}

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of its Postgres."""
        return EmbeddedPostgres(self.data_dir).url

    @property
    def broker_url(self) -> str:
        """URL of its Valkey."""
        return EmbeddedValkey(self.data_dir).url

    @property
    def store(self) -> Path:
        """Folder of its store."""
        return self.data_dir / "store"

    def __enter__(self) -> Self:
        for disk in (self.data_dir, self.store):
            disk.mkdir()
            self._mount(disk)
        self._prepare_clock()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for disk in reversed(self._mounted):
            subprocess.run(["umount", "--lazy", disk], check=True)

    def _mount(self, disk: Path) -> None:
        options = f"size={_DISKS[disk.name]},mode=755"
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk],
            check=False,
            capture_output=True,
            text=True,
        )
        if made.returncode == 0:
            self._mounted.append(disk)
        else:
            self.missing["full"] = f"a small disk cannot be mounted here: {made.stderr.strip()}"

    def _prepare_clock(self) -> None:
        library = next(Path("/usr/lib").glob(f"*/{_LIBRARY}"), None)
        if library is None:
            self.missing["clock"] = (
                f"libfaketime is not installed: there is no /usr/lib/*/{_LIBRARY}"
            )
            return
        self.set_clock("+0")
        self._environment |= {LIBRARY: str(library), CLOCK: str(self._clock)}

    def keep(self) -> None:
        """Start it if it does not run, as a system's own supervisor would."""
        if self._process is None or self._process.poll() is not None:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command, env=self._environment, stdout=log, stderr=log
                )
            self.starts += 1

    def wait_until_up(self) -> None:
        """Wait until its pages answer for the first time.

        Raises
        ------
        RuntimeError
            If they do not.
        """
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            self.keep()
            with suppress(CosmoError):
                read_address(self.data_dir)
                return
            time.sleep(0.1)
        raise RuntimeError(f"cosmo up does not come up, see {self.log}")

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def find(self, target: str, draw: float = 0.0) -> psutil.Process | None:
        """Return the process of a target, if it runs.

        Parameters
        ----------
        target
            As a fault names it.
        draw
            Chooses between several.
        """
        with suppress(psutil.Error):
            process = self._running().get(target.removesuffix(BELOW))
            if process is None or not target.endswith(BELOW):
                return process
            below = process.children(recursive=True)
            return below[math.floor(draw * len(below))] if below else None
        return None

    def _running(self) -> Mapping[str, psutil.Process]:
        if self._process is None or self._process.poll() is not None:
            return {}
        up = psutil.Process(self._process.pid)
        found = {"up": up}
        for child in up.children():
            with suppress(psutil.Error):
                command = child.cmdline()
                names = (name for name, module in _MODULES.items() if command[1:] == ["-m", module])
                programs = (name for name, program in _PROGRAMS.items() if child.name() == program)
                found |= dict.fromkeys((*names, *programs), child)
        return found

    def left_over(self) -> list[psutil.Process]:
        """List services that outlived the ``cosmo up`` that had started them."""
        present = {process.pid for process in self._running().values()}
        store = file_url(self.store)
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.pid in present or process.cmdline()[1:] not in _COMMANDS:
                    continue
                if process.environ().get("COSMO_STORE_URL") == store:
                    found.append(process)
        return found

    def fill(self, disk: str) -> None:
        """Let a disk have no room beyond what it holds."""
        folder = self.store if disk == "store" else self.data_dir
        used = shutil.disk_usage(folder).used
        for more in range(_PAGE, 1 << 24, _PAGE):  # it may hold more by now
            size = f"remount,size={used + more}"
            if (
                subprocess.run(
                    ["mount", "-o", size, folder], check=False, capture_output=True
                ).returncode
                == 0
            ):
                return

    def free(self, disk: str) -> None:
        """Let a disk have all its room again."""
        folder = self.store if disk == "store" else self.data_dir
        subprocess.run(["mount", "-o", f"remount,size={_DISKS[disk]}", folder], check=True)

    def set_clock(self, offset: str) -> None:
        """Let the clock of Postgres differ from the machine's."""
        staged = self._clock.with_suffix(".new")
        staged.write_text(f"{offset}\n")
        staged.chmod(0o644)
        staged.replace(self._clock)
