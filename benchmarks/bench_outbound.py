"""Rows to one destination: the stage `outbound_files` against DuckDB's own COPY of the same columns, sorted by ID, to CSV.

    python -m benchmarks.bench_outbound --rows 50000000

Both read the same lake (segment_members, two segments per ID, platform IDs), on the same threads, without gzip. The stage has the
2 GB of a run; the statement gets what DuckDB takes by itself, since its lists do not fit into less.
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

from benchmarks.measure import Measured, measure
from benchmarks.report import table, write_section
from bsync_assets.assets import outbound_files
from bsync_assets.catalog import load_catalog
from bsync_assets.warehouse.lake import attach

DAY = date(2026, 1, 5)
SEGMENTS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=10_000_000)
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
    def run(step: str) -> tuple[Measured, dict[str, float]]:
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
        return done, json.loads(done.output)

    run("make")
    alone, copied = run("copy")
    staged, parts = run("stage")
    baseline = copied["gather_cpu"] + copied["copy_cpu"]

    def line(what: str, seconds: float, cpu: float, peak_mb: float) -> list[str]:
        return [what, f"{seconds:.1f}", f"{cpu:.1f}", f"{cpu / baseline:.1f}", f"{peak_mb:,.0f}"]

    lines = [
        line("DuckDB: gather the columns, COPY sorted by ID", copied["gather"] + copied["copy"], baseline, alone.peak_mb),
        line("stage: gather, sort, render, split, MD5, changes", parts["render"], parts["render_cpu"], staged.peak_mb),
        line("stage: all of it, delivered and published", parts["stage"], parts["stage_cpu"], staged.peak_mb),
    ]
    body = table(["", "seconds", "CPU seconds", "times the CPU of COPY", "peak MB"], lines)
    body += f"\n\n{rows:,} rows, {parts['bytes'] / 1e9:.2f} GB in {parts['files']:.0f} parts."
    body += " Where others use the machine too, CPU seconds tell more than seconds."
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
            "left(concat(hash(number), hash(number, 1)), 38) AS id FROM range($rows) AS r (number), range(2) AS s (second)",
            {"day": DAY, "rows": rows, "segments": SEGMENTS},
        )
    return {}


def stage(folder: Path, rows: int) -> dict[str, float]:
    """The stage as a run calls it, with the time of its parts."""
    took: dict[str, float] = {}

    def timed(module: object, name: str, label: str) -> None:
        inner = getattr(module, name)

        def call(*arguments: object, **named: object) -> object:
            began, cpu = time.perf_counter(), time.process_time()
            try:
                return inner(*arguments, **named)
            finally:
                took[label] = took.get(label, 0) + time.perf_counter() - began
                took[f"{label}_cpu"] = took.get(f"{label}_cpu", 0) + time.process_time() - cpu

        setattr(module, name, call)

    timed(outbound_files, "plan_rows", "render")
    timed(outbound_files, "freeze", "render")
    timed(outbound_files, "deliver_segments", "stage")
    with duckdb.connect() as con:
        attach(con, folder)
        outcome = outbound_files.deliver_segments(con, load_catalog(folder), DAY, [1], now=datetime(2026, 1, 6, 14))[1]
    delivery = outcome["deliveries"][0]
    assert (outcome["status"], delivery["records"]) == ("delivered", rows), outcome
    parts = [path.stat().st_size for path in (folder / "outbox/1").glob("*.sync")]
    return took | {"bytes": sum(parts), "files": len(parts)}


def copy(folder: Path, rows: int) -> dict[str, float]:
    """DuckDB alone: gather the columns, then COPY them in order."""
    target = folder / "copy.csv"
    with duckdb.connect() as con:
        own_limit = con.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
        attach(con, folder)
        con.execute(f"SET GLOBAL memory_limit = '{own_limit}'")
        began, cpu = time.perf_counter(), time.process_time()
        con.execute(
            "CREATE TEMP TABLE ready AS SELECT id, array_to_string(list_sort(list(segment_id)), ',') AS segments, '' AS removed "
            "FROM lake.main.segment_members_base GROUP BY id"
        )
        gather, gather_cpu = time.perf_counter() - began, time.process_time() - cpu
        began, cpu = time.perf_counter(), time.process_time()
        con.execute(
            "COPY (FROM ready ORDER BY id) TO '" + os.fspath(target) + "' (FORMAT csv, DELIMITER ' ', QUOTE '', HEADER false)"
        )
        seconds, copy_cpu = time.perf_counter() - began, time.process_time() - cpu
    target.unlink()
    return {"gather": gather, "gather_cpu": gather_cpu, "copy": seconds, "copy_cpu": copy_cpu}


if __name__ == "__main__":
    main()
