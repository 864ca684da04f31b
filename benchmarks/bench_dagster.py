"""What a day costs besides data: whole runs over almost empty days of many partners. Writes RESULTS.md.

    python -m benchmarks.bench_dagster [--partners 50]

Each of three days is one `bsync run --day`, on the persisted SQLite instance of the workspace, so the event
log grows as it would in production. The start of the interpreter with the imports and the definitions is
measured alone and taken off. What is left still contains the stages' own work on 20 records a partner, so it
is an upper bound of Dagster's overhead.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date, timedelta
from pathlib import Path

from benchmarks.measure import measure
from benchmarks.report import machine, table, write_section
from benchmarks.workspace import clear, delivery, run_day

DAYS = 3
RECORDS = 20
BOUND_SECONDS = 15  # a day, for BOUND_PARTNERS
BOUND_PARTNERS = 50


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--partners", type=int, nargs="+", default=[BOUND_PARTNERS])
    parser.add_argument("--cache", type=Path, default=Path("/tmp/bsync-benchmarks"), help="where deliveries are kept")
    arguments = parser.parse_args()
    rows, missed = [], False
    for partners in arguments.partners:
        given = delivery(arguments.cache, RECORDS, partners=partners, days=DAYS)
        clear(given)
        run_day(given, given.link_day)
        home = {"BSYNC_HOME": os.fspath(given.home)}
        start = measure([sys.executable, "-c", "import bsync_assets.definitions"], home)
        first = date.fromisoformat(given.day)
        runs = [run_day(given, (first + timedelta(days=offset)).isoformat()) for offset in range(DAYS)]
        a_day = sum(run.seconds for run in runs) / DAYS - start.seconds
        missed |= partners <= BOUND_PARTNERS and a_day >= BOUND_SECONDS
        peak = max(run.peak_mb for run in runs)
        rows.append(
            [
                partners,
                f"{start.seconds:.1f}",
                *(f"{run.seconds:.1f}" for run in runs),
                f"{a_day:.1f}",
                f"{peak:,.0f}",
            ]
        )
    head = [
        "partners",
        "start",
        *(f"day {offset + 1}" for offset in range(DAYS)),
        "seconds a day besides start",
        "peak MB",
    ]
    verdict = "MISSED" if missed else "met"
    bound = f"Bound: under {BOUND_SECONDS} s a day for {BOUND_PARTNERS} partners: {verdict}."
    body = f"{table(head, rows)}\n\n{bound}"
    print(f"{machine()}\n\n{body}")
    write_section("Overhead of a day", body)
    return 0


if __name__ == "__main__":
    sys.exit(main())
