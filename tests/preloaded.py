"""Commands in processes that have the packages imported.

To import them takes a process longer than all that a command does which cannot work. A process that
did it once forks for each command; what runs in the fork is the command's own module, with its
arguments, environment and folder.
"""

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["Preloaded"]

_MODULES = (
    "cosmo.cli.local",
    "services.archive.discovery",
    "services.archive.fetch",
    "services.archive.scanner",
    "services.monitor.web.app",
    "shared.database.schema",
    "shared.worker.process",
)


class Preloaded:
    """A process that runs commands in forks of itself."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        timeout: float,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python -m`` with a command.

        Parameters
        ----------
        command
            Module and arguments.
        folder
            Where it runs.
        environment
            All of its variables.
        timeout
            Seconds, after which it is killed.
        """
        outputs = [folder / f"{name}.output" for name in ("stdout", "stderr")]
        request = [list(command), str(folder), dict(environment), timeout, *map(str, outputs)]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        stdout, stderr = (path.read_text() for path in outputs)
        return subprocess.CompletedProcess(list(command), status, stdout, stderr)

    def stop(self) -> None:
        """End the process."""
        self._process.communicate()


def _run(
    command: list[str], folder: str, environment: dict[str, str], timeout: float, *outputs: str
) -> int:
    """Run a command in a fork; its exit status, or the negative number of what killed it."""
    child = os.fork()
    if child == 0:
        signal.alarm(int(timeout))
        for descriptor, path in enumerate(outputs, 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        os._exit(_status(command))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _status(command: list[str]) -> int:
    """Run the module of a command, to the end that the interpreter would make of it."""
    sys.argv = command
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    for module in _MODULES:
        importlib.import_module(module)
    for line in sys.stdin:
        sys.stdout.write(f"{_run(*json.loads(line))}\n")
        sys.stdout.flush()
