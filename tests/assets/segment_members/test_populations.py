"""Populations over some told days: what is carried on from day to day is what counting anew would find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from assets.segment_members.histories import Day, World, catalog, days, device, person

from bsync_assets.assets.segment_members import judge_segments
from bsync_assets.catalog.models import Segment, Trait
from bsync_assets.warehouse.lake import fetch_all


def _rows(con: duckdb.DuckDBPyConnection, table: str, *key: str) -> dict[Any, dict[str, Any]]:
    query = f"SELECT * FROM lake.main.{table} WHERE day = (SELECT max(day) FROM lake.main.{table})"
    return {tuple(row[name] for name in key): row for row in fetch_all(con, query)}


def test_seg_060_to_seg_062(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    traits = [
        Trait(id=1, data_source=700, kind="rule", rule="a==1", ttl_days=2),
        Trait(id=2, data_source=700),
        Trait(id=3, data_source=700),
    ]
    now, world = catalog(tmp_path, traits, [Segment(id=7, rule="1T"), Segment(id=8, rule="2T")]), World(con)
    told = [
        Day(visits=[(device(1), 1, 2), (device(2), 1, 1), (person("ann"), 1, 1)], onboarded=[(device(1), 2)]),
        Day(),
        Day(visits=[(device(1), 1, 5)]),
        *[Day()] * 7,
    ]  # fmt: skip
    seen = []
    for day, happened in zip(days(10), told, strict=True):
        world.tell(now, day, happened)
        judge_segments(con, now, day)
        seen.append((_rows(con, "trait_populations", "trait_id", "kind"), _rows(con, "segment_populations", "segment_id")))

    def trait(day: int, key: tuple[int, str], *names: str) -> list[int]:
        return [seen[day][0][key][name] for name in names]

    def segment(day: int, number: int) -> list[int]:
        return [seen[day][1][number,][f"members_{days}"] for days in (1, 7, 14)]

    assert trait(0, (1, "device"), "population", "unique_1", "unique_7", "total_1", "total_90") == [2, 2, 2, 3, 3]
    assert trait(0, (1, "person"), "population", "unique_1", "total_1") == [1, 1, 1]
    assert trait(0, (2, "device"), "population", "unique_1", "total_1") == [1, 1, 0]
    assert trait(0, (3, "device"), "population", "unique_90", "total_90") == [0, 0, 0]
    # device 2 and ann expire in the run of day 2 (age 2 = time to live), device 1 in that of day 4
    assert trait(2, (1, "device"), "population", "unique_1", "unique_7", "total_7") == [1, 1, 2, 8]
    assert trait(4, (1, "device"), "population", "unique_1", "unique_7") == [0, 0, 2]
    assert trait(8, (1, "device"), "unique_7", "unique_14", "total_7", "total_14") == [1, 2, 5, 8]
    assert [segment(day, 7) for day in (0, 2, 8, 9)] == [[2, 2, 2], [1, 2, 2], [0, 1, 2], [0, 1, 2]]
    assert segment(9, 8) == [1, 1, 1]
