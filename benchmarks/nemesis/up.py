"""``cosmo`` with a file that sets the clock of its Postgres, and of nothing else, by
``libfaketime``.
"""

import os
import subprocess

from cosmo.cli import main
from cosmo.launcher import stack as machine
from cosmo.launcher.embedded import EmbeddedPostgres

LIBRARY, CLOCK = "NEMESIS_FAKETIME", "NEMESIS_CLOCK"
"""Environment variables: the library, and the file with the offset (``+0``, ``-7200s``)."""


class _Postgres(EmbeddedPostgres):
    """Postgres whose clock can be set."""

    def launch(self) -> subprocess.Popen[bytes]:
        variables = {
            "LD_PRELOAD": os.environ[LIBRARY],
            "FAKETIME_TIMESTAMP_FILE": os.environ[CLOCK],
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        os.environ.update(variables)
        try:
            return super().launch()
        finally:
            for name in variables:
                del os.environ[name]


if __name__ == "__main__":
    if LIBRARY in os.environ:
        vars(machine)["EmbeddedPostgres"] = _Postgres
    main()
