"""Downloads compared with a loop of httpx, and their memory.

``python -m benchmarks.archive`` needs 3 GB in TMPDIR.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.archive.transfer import Load, measure


def main() -> None:
    """Measure both loads and print a line for each round."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive", description=__doc__)
    parser.add_argument("--large", type=int, default=40, help="files of 50 MB")
    parser.add_argument("--small", type=int, default=2000, help="files of 100 kB, 50 ms away")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each")
    arguments = parser.parse_args()
    loads = [Load(arguments.large, 50_000_000), Load(arguments.small, 100_000, latency=0.05)]
    for load in loads:
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory(prefix="cosmo-transfer-") as folder:
                print(measure(load, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
