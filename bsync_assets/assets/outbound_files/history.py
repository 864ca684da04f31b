"""The record of deliveries in the lake, and whether a new one is like those before (OUT-130 to OUT-134)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import groupby
from operator import itemgetter
from statistics import median
from typing import Any

import duckdb

from bsync_assets.sqlfiles import make, one, sql
from bsync_assets.warehouse.lake import fetch_all, replace_day, transaction
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import BY_NAME

#: A delivery is compared with so many of the same mode before it, once there are at least so many.
COMPARED_WITH, AT_LEAST = 28, 5
#: What is usual: so many times the usual deviation around the median, at least this share of it, at least so many rows.
DEVIATIONS, SHARE, ROWS = 5, 0.5, 100


def deliveries(con: duckdb.DuckDBPyConnection, destination: int) -> list[dict[str, Any]]:
    """Every delivery to a destination, oldest first."""
    query = "FROM lake.main.deliveries WHERE destination = $destination ORDER BY day, ts_ms"
    return fetch_all(con, query, {"destination": destination})


def record(con: duckdb.DuckDBPyConnection, table: str, day: date, destination: int, rows: Iterable[Mapping[str, Any]],
           ts_ms: int | None = None) -> None:  # fmt: skip
    """Replace what the daily `table` says of one destination (and delivery) on one day, within the caller's transaction."""
    rows_table(con, "new_rows", BY_NAME[table].columns, rows)
    same = "destination = $destination" + ("" if ts_ms is None else " AND ts_ms = $ts_ms")
    params: dict[str, Any] = {"day": day, "destination": destination} | ({} if ts_ms is None else {"ts_ms": ts_ms})
    make(con, "day_rows", "SELECT * FROM lake.main." + table + " WHERE day = $day AND NOT (" + same + ")", params)
    con.execute("INSERT INTO day_rows BY NAME FROM new_rows")
    replace_day(con, table, day, "day_rows")


def record_delivery(con: duckdb.DuckDBPyConnection, delivery: Mapping[str, Any], files: Iterable[Mapping[str, Any]]) -> None:
    """Record a delivery and its files as they are now, within the caller's transaction."""
    day, destination, ts_ms = delivery["day"], delivery["destination"], delivery["ts_ms"]
    record(con, "deliveries", day, destination, [delivery], ts_ms)
    record(con, "outbound_files", day, destination, [file | {"status": delivery["status"]} for file in map(dict, files)], ts_ms)


def files_of(con: duckdb.DuckDBPyConnection, day: date, destination: int, ts_ms: int) -> list[dict[str, Any]]:
    """The files of one delivery, parts in sequence, control file first."""
    query = "FROM lake.main.outbound_files WHERE day = $day AND destination = $destination AND ts_ms = $ts_ms ORDER BY part"
    return fetch_all(con, query, {"day": day, "destination": destination, "ts_ms": ts_ms})


def delivered(con: duckdb.DuckDBPyConnection, destination: int, first: date, last: date) -> list[dict[str, Any]]:
    """Every file that was sent to a destination on the days from `first` to `last` (UTC days of transfer), and behind each day a
    row with its totals, whose name is `total` (OUT-131, OUT-132).
    """
    span = {"destination": destination, "first": first, "last": last}
    files = fetch_all(con, sql(__file__, "delivered.sql"), span)
    rows: list[dict[str, Any]] = []
    for sent_on, group in groupby(files, itemgetter("sent_on")):
        of_day = list(group)
        counted = [file for file in of_day if not file["is_control"]]
        figures = {name: sum(file[name] for file in counted) for name in ("received", "successful", "failed")}
        rows += [*of_day, dict.fromkeys(of_day[0]) | {"sent_on": sent_on, "name": "total"} | figures]
    return rows


def unusual(con: duckdb.DuckDBPyConnection, delivery: Mapping[str, Any]) -> str | None:
    """What is out of the usual band of this destination, as a sentence; None when nothing is or too little is known."""
    before = [d for d in deliveries(con, delivery["destination"]) if d["status"] == "delivered" and d["mode"] == delivery["mode"]]
    before = before[-COMPARED_WITH:]
    if len(before) < AT_LEAST:
        return None
    said = []
    for figure, what in (("records", "rows"), ("removed", "removals")):
        usual = [d[figure] for d in before]
        middle = median(usual)
        spread = max(DEVIATIONS * median(abs(value - middle) for value in usual), SHARE * middle, ROWS)
        low, high = max(0, middle - spread), middle + spread
        if not low <= delivery[figure] <= high:
            said.append(f"{delivery[figure]:,} {what}, usual are {low:,.0f} to {high:,.0f}")
    return "; ".join(said) or None


def release(con: duckdb.DuckDBPyConnection, destination: int) -> int:
    """Let the deliveries of a destination go that are held; answers how many. The next run sends them."""
    held = [delivery for delivery in deliveries(con, destination) if delivery["status"] == "held"]
    with transaction(con):
        for delivery in held:
            files = files_of(con, delivery["day"], destination, delivery["ts_ms"])
            record_delivery(con, delivery | {"status": "released", "why": None}, files)
    return len(held)


def told_on(con: duckdb.DuckDBPyConnection, day: date, destination: int) -> bool:
    """Whether the publication state of the destination already changed on this day: a second delivery of one day."""
    query = "SELECT count(*) > 0 FROM lake.main.published_changes WHERE day = $day AND destination = $destination"
    return bool(one(con, query, {"day": day, "destination": destination}))
