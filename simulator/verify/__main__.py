"""``python -m simulator.verify``: inject and recover every mode with the real CalCOS, and write the
table of it.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

from simulator.verify.cases import CASES
from simulator.verify.result import Result
from simulator.verify.running import run_case
from simulator.verify.table import rows_of, write_table


def _describe(result: Result) -> str:
    values = (
        f"injected {result.injected:.6g}, recovered {result.recovered:.6g} +- "
        f"{result.error:.2g} {result.unit}"
    )
    return (
        f"  FAILED {result.exposure} {result.quantity} {result.part}: {values}, limit "
        f"{result.limit:.2g}"
    )


def main() -> int:
    """Run the chosen cases; returns 1 if a quantity was not recovered."""
    parser = argparse.ArgumentParser(prog="python -m simulator.verify", description=__doc__)
    parser.add_argument(
        "--work", type=Path, default=Path("verify"), help="folder for references, data and products"
    )
    parser.add_argument("--table", type=Path, help="CSV file that is written")
    parser.add_argument("--only", default="", help="run the cases whose name contains this")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    work = chosen.work.resolve()
    results: dict[str, list[Result]] = {}
    for number, case in enumerate((case for name, case in CASES.items() if chosen.only in name), 1):
        begin, folder = time.monotonic(), work / f"case{number:02d}"
        shutil.rmtree(folder, ignore_errors=True)
        results[case.name] = run_case(case, folder, work / "references", chosen.seed)
        sys.stdout.write(f"{case.name} ({time.monotonic() - begin:.0f} s)\n")
        for row in rows_of(case.name, results[case.name]):
            sys.stdout.write(
                f"  {row[1]:<12} {row[-1]:>6}  largest {row[4]} of {row[5]} {row[6]}\n"
            )
        for result in results[case.name]:
            if not result.passed:
                sys.stdout.write(f"{_describe(result)}\n")
        sys.stdout.flush()
        if chosen.table:
            write_table(results, chosen.table)
    return int(any(not result.passed for found in results.values() for result in found))


if __name__ == "__main__":
    sys.exit(main())
