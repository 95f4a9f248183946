"""Faults while telemetry flows: what was acknowledged must arrive, whatever breaks.

    python benchmarks/faults.py [--seconds 10] [--only "kill -9"] [--small-disk /mnt/small] [--out results.json]

Each row starts a gateway with its queue on disk between senders and backends on the loopback interface, sends spans of
which one in ten is an answer to be scored, breaks something, waits until all is calm, and counts by span id. `lost` are
spans that were acknowledged and have not arrived; it must be 0. `duplicated` spans arrived more than once, which OTLP
allows. The row of a backend that is down sends, for a minute at most, until more waits on disk than the gateway holds
in memory: some 500 MB, which this process then holds, too. The row with a full disk mounts a tmpfs of 1 MiB, which
needs root, or takes an empty small file system.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import fault_rows
import fault_rows_edge
import fault_rows_models
import machine
from fault_row import CannotRunError, Make, Row
from harness import print_table, write

ROWS: Mapping[str, Make] = {**fault_rows.ROWS, **fault_rows_edge.ROWS, **fault_rows_models.ROWS}
"""All rows by name: each module of rows has its own, by what is broken."""


def main() -> None:
    """Parse options, break things, print; exit with 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each row sends, at most an hour")
    parser.add_argument("--only", action="append", choices=list(ROWS), help="only this row; can be repeated")
    parser.add_argument("--small-disk", type=Path, help="an empty file system of about 1 MiB, for the full disk")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    before = machine.describe()
    rows = list(_rows(options.only or list(ROWS), min(options.seconds, 3600.0), options.small_disk))
    if rows:
        print_table("faults", [row.cells() for row in rows])
        write(options.out, {"rows": [row.cells() for row in rows]}, before)
    if any(row.lost for row in rows):
        sys.exit("acknowledged telemetry was lost")


def _rows(names: Iterable[str], seconds: float, small_disk: Path | None) -> Iterable[Row]:
    for name in names:
        print(f"{name} ...", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            try:
                yield ROWS[name](name, Path(folder), seconds, small_disk)
            except CannotRunError as reason:
                print(f"  skipped: {reason}")


if __name__ == "__main__":
    main()
