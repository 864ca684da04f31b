"""A day of segments: judged where something changed, against judged in full, against one plain GROUP BY per segment.

    .venv/bin/python -m benchmarks.bench_segments [--profiles 10000000] [--home FOLDER]

10 traits a profile on average, Zipf over 5,000; 2,000 segments of 3-10 traits; 1 % of the profiles change on each of two days.
All in one run, by one process with the memory limit of a run; the ratios are what counts, those of CPU seconds on a busy machine.
The full evaluation writes every membership as added, the plain statements only count. On the first of the two days the state of
the members gets its first base, once in its life; the second is a day like any other.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import shutil
import tempfile
import time
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.report import table, write_section
from bsync_assets.assets.segment_members import definitions_version, judge_segments
from bsync_assets.catalog.models import Account, Catalog, DataSource, Segment, Settings, Trait
from bsync_assets.warehouse.lake import attach

TRAITS, SEGMENTS, SAMPLED = 5_000, 2_000, 50
FIRST, BASED, DAY = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)

_HELD = """
    SELECT DISTINCT
        number,
        -- Zipf: a trait is drawn with a chance of one in its rank
        CAST(floor(exp(random() * ln($traits + 1))) AS BIGINT) AS trait_id
    FROM who
    CROSS JOIN range(13)
    WHERE number // $step::UBIGINT = $part
"""
_PARTS = 20


def _catalog(home: Path, chance: random.Random) -> Catalog:
    def expression() -> str:
        traits = chance.sample(range(1, TRAITS + 1), chance.randint(3, 10))
        kept, without = traits[: max(2, len(traits) * 2 // 3)], traits[max(2, len(traits) * 2 // 3) :]
        half = len(kept) // 2
        joined = "(" + " OR ".join(f"{t}T" for t in kept[:half]) + ") AND (" + " OR ".join(f"{t}T" for t in kept[half:]) + ")"
        wide = " OR ".join(f"{t}T" for t in kept)
        base = joined if chance.random() < 0.5 else f"({wide})"
        return " AND NOT ".join([base, *(f"{t}T" for t in without)])

    segments = [Segment(id=number, rule=expression()) for number in range(1, SEGMENTS + 1)]
    traits = [Trait(id=number, data_source=700) for number in range(1, TRAITS + 1)]
    return Catalog(
        home=home,
        settings=Settings(account=Account(name="Bench", pid=1, start=FIRST)),
        partners={},
        data_sources={700: DataSource(id=700)},
        traits={trait.id: trait for trait in traits},
        segments={segment.id: segment for segment in segments},
        destinations={},
    )


def _fill(con: duckdb.DuckDBPyConnection, profiles: int) -> None:
    """The state before, and days on each of which 1 % of the profiles lose a trait or gain one."""
    con.execute("SELECT setseed(0.5)")
    con.execute(
        "CREATE TEMP TABLE who AS SELECT hash(profile) AS number FROM range($profiles) AS t (profile)", {"profiles": profiles}
    )
    noon = "TIMESTAMP '2025-12-31 12:00'"
    con.execute("BEGIN")
    for part in range(_PARTS):
        con.execute(
            f"""
            INSERT INTO lake.main.profile_traits_base BY NAME
            SELECT DATE '{FIRST - timedelta(days=1)}' AS as_of, 0 AS dpid, left(concat(number, hash(number)), 38) AS id, trait_id,
                700 AS data_source, {noon} AS first_realized, {noon} AS last_realized, TIMESTAMP '2026-05-01' AS expires_at
            FROM ({_HELD})
            ORDER BY number, trait_id
        """,
            {"traits": TRAITS, "part": part, "step": 2**64 // _PARTS + 1},
        )
    con.execute("COMMIT")
    for part, day in ((0, BASED), (2, DAY)):
        con.execute(f"""
            INSERT INTO lake.main.profile_traits_changes BY NAME
            SELECT DISTINCT ON (dpid, id)
                DATE '{day}' AS day, * EXCLUDE (as_of), 'removed' AS change, 'ttl' AS reason
            FROM lake.main.profile_traits_base
            WHERE hash(id) % 200 = {part}
            UNION ALL BY NAME
            SELECT DISTINCT ON (dpid, id)
                DATE '{day}' AS day, * EXCLUDE (as_of) REPLACE (1 + hash(id, 7) % {TRAITS} AS trait_id), 'added' AS change
            FROM lake.main.profile_traits_base
            WHERE hash(id) % 200 = {part} + 1
        """)


def _plain(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> tuple[float, float]:
    """Seconds and CPU seconds for all segments, from 50 sampled."""
    con.execute("CREATE OR REPLACE TEMP VIEW profile_traits AS FROM lake.main.profile_traits_base")
    sampled = random.Random(1).sample(list(catalog.segments.values()), SAMPLED)
    started, cpu = time.perf_counter(), time.process_time()
    for segment in sampled:
        having = re.sub(r"(\d+)T", r"bool_or(trait_id = \1)", segment.rule)
        con.execute(f"SELECT count(*) FROM (SELECT id FROM profile_traits GROUP BY id HAVING {having})").fetchall()
    scale = SEGMENTS / SAMPLED
    return (time.perf_counter() - started) * scale, (time.process_time() - cpu) * scale


def _sizes(con: duckdb.DuckDBPyConnection, home: Path, table: str, last: str) -> dict[str, Any]:
    """Bytes of a base against one sorted zstd file of the same rows."""
    files = con.execute(f"SELECT data_file, data_file_size_bytes FROM ducklake_list_files('lake', '{table}_base')").fetchall()
    plain = home / "sorted.parquet"
    con.execute(
        f"COPY (SELECT * EXCLUDE (as_of) FROM lake.main.{table}_base ORDER BY dpid, id, {last}) TO '{plain}' (COMPRESSION zstd)"
    )
    return {"base_mb": sum(size for _, size in files) / 1e6, "sorted_zstd_mb": plain.stat().st_size / 1e6}


def _changes(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Bytes that the last day's memberships that began or ended take, against those of a base, per row."""
    query = """
        SELECT data_file_size_bytes, (SELECT count(*) FROM lake.main.segment_changes WHERE day = $day)
        FROM ducklake_list_files('lake', 'segment_changes')
        ORDER BY data_file
        """
    size, rows = con.execute(query, {"day": DAY}).fetchall()[-1]
    return {"kb": size / 1e3, "rows": rows}


def _section(figures: dict[str, Any]) -> str:
    def line(what: str, name: str) -> list[str]:
        done = figures.get(name, {})
        moved = [f"{done[key]:,}" if done else "" for key in ("added", "removed")]
        return [what, *moved, *(f"{figures[f'{name}_{unit}']:,.1f}" for unit in ("s", "cpu_s"))]

    lines = [
        line("everybody judged, memberships written", "full"),
        line("a day on which 1 % changed, and the first base is written", "based"),
        line("a day on which 1 % changed", "day"),
        line(f"one GROUP BY per segment, counted only ({SAMPLED} sampled, scaled)", "plain"),
    ]
    base, sorted_file, changes = *(figures["members"][name] for name in ("base_mb", "sorted_zstd_mb")), figures["changes"]
    return f"""{figures["memberships"]:,} memberships of {TRAITS:,} traits; {SEGMENTS:,} segments; with populations and overlaps.

{table(["", "came", "left", "seconds", "CPU seconds"], lines)}

A day is {figures["full_over_day"]:.1f} times faster than judging everybody ({figures["full_over_day_cpu"]:.1f} times by CPU), \
which is {figures["plain_over_full"]:.1f} times faster than the plain statements. Peak {figures["peak_mb"]:,.0f} MB.
The base of `segment_members` takes {base:,.0f} MB, {base / sorted_file:.2f} times one sorted zstd file of the same rows; \
the day's changes {changes["kb"]:,.0f} kB for {changes["rows"]:,} rows."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--profiles", type=int, default=2_000_000)
    arguments.add_argument("--home", type=Path)
    given = arguments.parse_args()
    home = given.home or Path(tempfile.mkdtemp(prefix="bench_segments_"))
    figures: dict[str, Any] = {"profiles": given.profiles}
    try:
        with closing(duckdb.connect()) as con:
            attach(con, home)
            catalog = _catalog(home, random.Random(0))
            definitions_version(catalog)  # opening a catalog reads every expression
            started = time.perf_counter()
            _fill(con, given.profiles)
            figures["memberships"] = con.execute("SELECT count(*) FROM lake.main.profile_traits_base").fetchall()[0][0]
            figures["filled_s"] = time.perf_counter() - started
            for name, day in (("full", FIRST), ("based", BASED), ("day", DAY)):
                started, cpu = time.perf_counter(), time.process_time()
                figures[name] = judge_segments(con, catalog, day)
                figures[f"{name}_s"] = time.perf_counter() - started
                figures[f"{name}_cpu_s"] = time.process_time() - cpu
                figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                print(json.dumps(figures), flush=True)
            figures["full_over_day"] = figures["full_s"] / figures["day_s"]
            figures["full_over_day_cpu"] = figures["full_cpu_s"] / figures["day_cpu_s"]
            figures["plain_s"], figures["plain_cpu_s"] = _plain(con, catalog)
            figures["plain_over_full"] = figures["plain_s"] / figures["full_s"]
            figures["traits"] = _sizes(con, home, "profile_traits", "trait_id")
            figures["members"] = _sizes(con, home, "segment_members", "segment_id")
            figures["changes"] = _changes(con)
            print(json.dumps(figures), flush=True)
        write_section(f"Segments: {given.profiles:,} profiles", _section(figures))
    finally:
        if given.home is None:
            shutil.rmtree(home)


if __name__ == "__main__":
    main()
