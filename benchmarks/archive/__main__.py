"""Downloads compared with a loop of httpx, and listings of a whole catalogue.

``python -m benchmarks.archive transfer`` needs 3 GB in TMPDIR, ``python -m benchmarks.archive
catalogue`` 1 GB.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.archive import catalogue
from benchmarks.archive.transfer import Load, measure


def main() -> None:
    """Measure what was asked for and print a line for each round."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    transfer = commands.add_parser("transfer", help="downloads")
    transfer.add_argument("--large", type=int, default=40, help="files of 50 MB")
    transfer.add_argument("--small", type=int, default=2000, help="files of 100 kB, 50 ms away")
    transfer.add_argument("--rounds", type=int, default=3, help="measurements of each")
    listing = commands.add_parser("catalogue", help="listings")
    listing.add_argument("--rows", type=int, default=341_000, help="entries")
    listing.add_argument("--archive", choices=["mast", "cadc"], default="mast", help="who lists")
    arguments = parser.parse_args()
    if arguments.what == "catalogue":
        with tempfile.TemporaryDirectory(prefix="cosmo-catalogue-") as folder:
            for look in catalogue.measure(arguments.rows, Path(folder), arguments.archive):
                print(look, flush=True)
        return
    loads = [
        Load(arguments.large, 50_000_000),
        Load(arguments.small, 100_000, latency=0.05),
    ]
    for load in loads:
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory(prefix="cosmo-transfer-") as folder:
                print(measure(load, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
