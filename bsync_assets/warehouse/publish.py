"""Publishing: one DuckDB file of documented views over the current Parquet files, moved into place when a run is finished.

Any DuckDB client opens `lake/bsync.duckdb` read-only and without an extension, never waits for a run and never blocks one.
"""

from __future__ import annotations

import os
from contextlib import closing
from datetime import date
from pathlib import Path

import duckdb

from bsync_assets.sqlfiles import one, sql
from bsync_assets.warehouse.lake import lake_folder, quoted, state_as_of
from bsync_assets.warehouse.tables import BY_NAME, TABLES, VIEWS, Column, Table, stored_tables


class HiddenDeletesError(RuntimeError):
    """A table has row-level delete files: views over its Parquet files would show rows that are gone."""


def published_file(home: Path) -> Path:
    """Where analysts find the views."""
    return lake_folder(home) / "bsync.duckdb"


def last_day_run(home: Path, closed: bool = False) -> date | None:
    """The latest day that was finished, by the published file; `closed`: that was run after it was over."""
    if not published_file(home).exists():
        return None
    over = " WHERE finished_at >= day + INTERVAL 1 DAY" if closed else ""
    with duckdb.connect(str(published_file(home)), read_only=True) as views:
        day: date | None = one(views, "SELECT max(day) FROM runs" + over)
    return day


def publish(con: duckdb.DuckDBPyConnection, home: Path) -> int:
    """Write the views of everything that is committed now under a temporary name and move the file into place; answers how many
    public views it has. Raises HiddenDeletesError rather than publishing rows that were deleted.
    """
    with_deletes = con.execute(
        "SELECT table_name FROM ducklake_table_info('lake') WHERE delete_file_count > 0 ORDER BY ALL"
    ).fetchall()
    if with_deletes:
        raise HiddenDeletesError(f"not published, rows were deleted one by one in: {', '.join(name for (name,) in with_deletes)}")
    last_day = one(con, "SELECT max(day) FROM lake.main.runs")
    draft = lake_folder(home) / f".bsync-{os.getpid()}.duckdb"
    draft.unlink(missing_ok=True)
    with closing(duckdb.connect(str(draft))) as views:
        views.execute("BEGIN; CREATE SCHEMA stored")
        for name, comment, columns in stored_tables():
            files = [
                row[0]
                for row in con.execute(f"SELECT data_file FROM ducklake_list_files('lake', '{name}') ORDER BY ALL").fetchall()
            ]
            views.execute("CREATE VIEW stored." + name + " AS " + _over_files(columns, files))
            _comment(views, "stored." + name, comment, columns)
        for table in TABLES:
            for view, query, columns, comment in _public(table, last_day):
                views.execute("CREATE VIEW " + view + " AS " + query)
                _comment(views, view, comment, columns)
        for derived in VIEWS:
            views.execute("CREATE VIEW " + derived.name + " AS " + sql(__file__, f"{derived.name}.sql"))
            _comment(views, derived.name, derived.comment, derived.columns)
        count: int = one(views, "SELECT count(*) FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal")
        views.execute("COMMIT; CHECKPOINT")
    draft.replace(published_file(home))
    return count


def _over_files(columns: tuple[Column, ...], files: list[str]) -> str:
    """SELECT of all rows in these Parquet files; a file from before a column was added has NULL there."""
    empty = "SELECT " + ", ".join(f"NULL::{column.type} AS {column.name}" for column in columns) + " WHERE false"
    if not files:
        return empty
    paths = ", ".join(quoted(file) for file in files)
    return empty + " UNION ALL BY NAME FROM read_parquet([" + paths + "], union_by_name = true)"


def _public(table: Table, last_day: date | None) -> list[tuple[str, str, tuple[Column, ...], str]]:
    """(view, query, columns, comment) of what analysts see of a table."""
    day = Column("day", "DATE", "business day (UTC)")
    if table.kind != "state":
        query = "SELECT " + ", ".join(table.column_names) + " FROM stored." + table.name
        if table.name in _OF_THEIR_OWN:
            query = sql(__file__, f"{table.name}.sql")
        return [(table.name, query, table.columns, table.comment)]
    as_of = f"DATE '{last_day or date.min}'"
    now = state_as_of(table.name).replace("$day", as_of).replace("lake.main.", "stored.")
    changed = stored_columns(table.changes)
    return [
        (table.name, "SELECT " + ", ".join(table.column_names) + " FROM (" + now + ")", table.columns, table.comment),
        (f"{table.name}_by_day", _by_day(table), (day, *table.columns), f"{table.name} at the end of every day that was run."),
        (table.changes, "SELECT " + ", ".join(c.name for c in changed) + " FROM stored." + table.changes, changed,
         f"What changed in {table.name} on each day, with the reason of removals."),
    ]  # fmt: skip


#: Tables whose view says more than their rows; the query stands in a file of that name.
_OF_THEIR_OWN = ("rejected_lines", "mail_outbox")


def stored_columns(name: str) -> tuple[Column, ...]:
    """Columns of a stored table."""
    return next(columns for stored, _, columns in stored_tables() if stored == name)


def _by_day(table: Table) -> str:
    """SELECT of a state at the end of each day that was run: every change holds until the next one of the same key."""
    columns, key = ", ".join(table.column_names), ", ".join(table.key)
    return f"""
        WITH
        days AS (
            SELECT DISTINCT day FROM stored.runs
        ),
        origin AS (
            SELECT as_of AS since, {columns}, 'added' AS change
            FROM stored.{table.name}_base
            WHERE as_of < coalesce((SELECT min(day) FROM stored.{table.changes}), DATE '9999-12-31')
                AND as_of = (SELECT min(as_of) FROM stored.{table.name}_base)
        ),
        entries AS (
            FROM origin
            UNION ALL
            SELECT day AS since, {columns}, change FROM stored.{table.changes}
        ),
        spans AS (
            SELECT *, lead(since) OVER (PARTITION BY {key} ORDER BY since) AS until
            FROM entries
        )
        SELECT days.day, {columns}
        FROM spans
        INNER JOIN days ON days.day >= spans.since AND days.day < coalesce(spans.until, DATE '9999-12-31')
        WHERE spans.change <> 'removed'
    """


def _comment(views: duckdb.DuckDBPyConnection, view: str, comment: str, columns: tuple[Column, ...]) -> None:
    comments = ["COMMENT ON VIEW " + view + " IS " + quoted(comment)]
    comments += ["COMMENT ON COLUMN " + view + "." + column.name + " IS " + quoted(column.comment) for column in columns]
    views.execute("; ".join(comments))


def public_views() -> list[tuple[str, str, tuple[Column, ...]]]:
    """(view, comment, columns) of everything that is published, for docs and for checks."""
    stored = [(view, comment, columns) for table in BY_NAME.values() for view, _, columns, comment in _public(table, None)]
    return stored + [(view.name, view.comment, view.columns) for view in VIEWS]
