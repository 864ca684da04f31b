"""The views that compare a day with its own history: outliers, and the rhythm of each partner."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

import duckdb
import pytest

from bsync_assets.sqlfiles import sql
from bsync_assets.warehouse import publish
from bsync_assets.warehouse.tables import stored_tables

FIRST = date(2026, 1, 1)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """The stored tables, empty."""
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA stored")
        for name, _, columns in stored_tables():
            con.execute(f"CREATE TABLE stored.{name} ({', '.join(f'{c.name} {c.type}' for c in columns)})")
        yield con


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def figures(con: duckdb.DuckDBPyConnection, number: int, received: int, unmatched: int = 0) -> None:
    con.execute(
        "INSERT INTO stored.data_figures (day, partner, file, dpid, target, records_received, records_processed, format_errors, "
        "invalid_aam_id, invalid_device_id, opted_out, no_matching_aam_id) VALUES (?, 'acme', 'f', 1, 1, ?, ?, 0, 0, 0, 0, ?)",
        [day(number), received, received, unmatched],
    )


def view(con: duckdb.DuckDBPyConnection, name: str, columns: str) -> list[tuple[Any, ...]]:
    return con.execute(f"SELECT {columns} FROM ({sql(publish.__file__, name + '.sql')}) ORDER BY ALL").fetchall()


def test_a_day_out_of_its_usual_band_is_an_outlier(con: duckdb.DuckDBPyConnection) -> None:
    for number in range(10):
        figures(con, number, 1000 + number, unmatched=300)
    figures(con, 10, 400, unmatched=120)  # less than half of what is usual, as well matched as ever
    figures(con, 11, 1000, unmatched=450)  # worse matched by 15 points
    figures(con, 12, 1400, unmatched=380)  # within the band
    assert view(con, "outliers", "day, figure, round(value), round(usual)") == [
        (day(10), "records_received", 400, 1005),
        (day(11), "match_rate", 55, 70),
    ]


@pytest.mark.parametrize(("known", "found"), [(6, 0), (7, 1)])
def test_nothing_is_unusual_before_enough_is_known(con: duckdb.DuckDBPyConnection, known: int, found: int) -> None:
    for number in range(known):
        figures(con, number, 1000)
    figures(con, known, 5000)
    assert len(view(con, "outliers", "*")) == found


@pytest.mark.parametrize(
    ("delivered", "closed_until", "expected"),
    [
        (range(10), 9, (1, day(10), False)),
        (range(10), 10, (1, day(10), True)),
        (range(0, 50, 7), 55, (7, day(56), False)),
        (range(0, 50, 7), 56, (7, day(56), True)),
        ([0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 14, 15, 16, 17, 18, 21], 23, (3, day(24), False)),  # not at weekends
        ([0, 1, 2, 3], 30, (None, None, False)),
    ],
    ids=["daily", "daily, one missing", "weekly", "weekly, one missing", "working days", "too little is known"],
)
def test_a_partner_is_missed_in_its_own_rhythm(
    con: duckdb.DuckDBPyConnection, delivered: list[int], closed_until: int, expected: tuple[Any, ...]
) -> None:
    for number in delivered:
        con.execute("INSERT INTO stored.inbound_files (day, partner, status) VALUES (?, 'acme', 'accepted')", [day(number)])
    # Days of long ago that are run again today fool nobody: the days count, not when they were run.
    for number in range(closed_until + 1):
        finished = datetime.combine(day(100 if number == 0 else number + 1), time(5))
        con.execute("INSERT INTO stored.runs (day, finished_at) VALUES (?, ?)", [day(number), finished])
    assert view(con, "partner_rhythms", "usual_gap, next_day, is_missing") == [expected]
