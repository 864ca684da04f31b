"""Rows to one destination: the stage `outbound_files` against DuckDB's own COPY of the same columns, sorted by ID, to CSV.

    python -m benchmarks.bench_outbound --rows 50000000

Both read the same lake (segment_members, two segments per ID, platform IDs), on the same threads and memory limit, without gzip.
The stage also splits (1 GB), takes MD5s, writes the control file, delivers to a folder, and advances the publication state.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from datetime import date, datetime
from pathlib import Path

import duckdb
import yaml

from benchmarks.measure import measure
from benchmarks.report import table, write_section
from bsync_assets.assets import outbound_files
from bsync_assets.catalog import load_catalog
from bsync_assets.warehouse.lake import attach

DAY = date(2026, 1, 5)
SEGMENTS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/bsync-bench-outbound"))
    parser.add_argument("--step", choices=["make", "stage", "copy"], help="one part, in a process of its own")
    given = parser.parse_args()
    if given.step:
        print(json.dumps({"make": make, "stage": stage, "copy": copy}[given.step](given.folder, given.rows)))
        return
    shutil.rmtree(given.folder, ignore_errors=True)
    try:
        compare(given.folder, given.rows)
    finally:
        shutil.rmtree(given.folder, ignore_errors=True)


def compare(folder: Path, rows: int) -> None:
    def run(step: str) -> tuple[float, float, dict[str, float]]:
        command = [
            sys.executable,
            "-m",
            "benchmarks.bench_outbound",
            "--step",
            step,
            "--rows",
            str(rows),
            "--folder",
            str(folder),
        ]
        print(f"{step} {rows:,}", file=sys.stderr, flush=True)
        done = measure(command)
        return done.seconds, done.peak_mb, json.loads(done.output)

    run("make")
    copied, copy_mb, copy_parts = run("copy")
    staged, stage_mb, parts = run("stage")
    lines = [
        ["COPY, columns ready, sorted, to CSV", f"{copy_parts['copy']:.1f}", f"{copy_mb:,.0f}", "1.0"],
        [
            "stage: sort, render, split, MD5",
            f"{parts['freeze']:.1f}",
            f"{stage_mb:,.0f}",
            f"{parts['freeze'] / copy_parts['copy']:.1f}",
        ],
        ["COPY, from the same state", f"{copied:.1f}", f"{copy_mb:,.0f}", f"{copied / copy_parts['copy']:.1f}"],
        ["stage: all of it", f"{staged:.1f}", f"{stage_mb:,.0f}", f"{staged / copy_parts['copy']:.1f}"],
    ]
    body = table(["", "seconds", "peak MB", "times COPY"], lines)
    body += f"\n\n{rows:,} rows, {parts['bytes'] / 1e9:.2f} GB in {parts['files']:.0f} parts. Of the stage: " + ", ".join(
        f"{name} {parts[name]:.1f} s" for name in ("plan", "freeze", "send")
    )
    print(body)
    write_section(f"Outbound: {rows:,} rows", body)


def make(folder: Path, rows: int) -> dict[str, float]:
    """A lake with `rows` IDs in two of the segments each."""
    catalog = {
        "bsync.yaml": {"account": {"name": "Bench", "pid": 1, "start": DAY}},
        "catalog/data_sources.yaml": [{"id": 60}],
        "catalog/traits.yaml": [{"id": 11, "data_source": 60}],
        "catalog/segments.yaml": [{"id": 900 + n, "rule": "11T"} for n in range(SEGMENTS)],
        "catalog/destinations.yaml": [
            {"id": 1, "dpid": 888, "split_bytes": 10**9, "segments": [{"id": 900 + n} for n in range(SEGMENTS)]}
        ],
    }
    (folder / "catalog").mkdir(parents=True)
    for name, content in catalog.items():
        (folder / name).write_text(yaml.safe_dump(content))
    with duckdb.connect() as con:
        attach(con, folder)
        con.execute(
            "INSERT INTO lake.main.segment_members_base BY NAME "
            "SELECT $day AS as_of, 900 + (number * 7 + second) % $segments AS segment_id, 0 AS dpid, "
            "lpad(CAST(hash(number) AS VARCHAR), 38, '0') AS id FROM range($rows) AS r (number), range(2) AS s (second)",
            {"day": DAY, "rows": rows, "segments": SEGMENTS},
        )
    return {}


def stage(folder: Path, rows: int) -> dict[str, float]:
    """The stage as a run calls it, with the time of its parts."""
    took: dict[str, float] = {}

    def timed(module: object, name: str, label: str) -> None:
        inner = getattr(module, name)

        def call(*arguments: object, **named: object) -> object:
            began = time.perf_counter()
            try:
                return inner(*arguments, **named)
            finally:
                took[label] = took.get(label, 0) + time.perf_counter() - began

        setattr(module, name, call)

    timed(outbound_files, "plan_rows", "plan")
    timed(outbound_files, "freeze", "freeze")
    timed(outbound_files, "_send", "send")
    with duckdb.connect() as con:
        attach(con, folder)
        outcome = outbound_files.deliver_segments(con, load_catalog(folder), DAY, [1], now=datetime(2026, 1, 6, 14))[1]
    delivery = outcome["deliveries"][0]
    assert (outcome["status"], delivery["records"]) == ("delivered", rows), outcome
    parts = [path.stat().st_size for path in (folder / "outbox/1").glob("*.sync")]
    return took | {"bytes": sum(parts), "files": len(parts)}


def copy(folder: Path, rows: int) -> dict[str, float]:
    """DuckDB alone, with the same settings: gather the columns, then COPY them in order."""
    target = folder / "copy.csv"
    with duckdb.connect() as con:
        attach(con, folder)
        con.execute(
            "CREATE TEMP TABLE ready AS SELECT id, array_to_string(list_sort(list(segment_id)), ',') AS segments, '' AS removed "
            "FROM lake.main.segment_members_base GROUP BY id"
        )
        began = time.perf_counter()
        con.execute(
            "COPY (FROM ready ORDER BY id) TO '" + os.fspath(target) + "' (FORMAT csv, DELIMITER ' ', QUOTE '', HEADER false)"
        )
        seconds = time.perf_counter() - began
    target.unlink()
    return {"copy": seconds}


if __name__ == "__main__":
    main()
