"""Connecting to the lake, and the three ways to write: replace a day, commit a change set, append to a log."""

from __future__ import annotations

import fcntl
import importlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from bsync_assets.sqlfiles import make, one
from bsync_assets.warehouse.tables import BY_NAME, stored_tables

#: A base is written anew when the change sets since reach this share of it.
REBASE_SHARE = 0.2
_LAKE = "lake.main."


class LakeBusy(RuntimeError):
    """Another process is writing to the lake."""


def lake_folder(home: Path) -> Path:
    """Where the lake of a workspace lies."""
    return home / "lake"


@contextmanager
def single_writer(home: Path, wait_seconds: float = 0) -> Iterator[None]:
    """Hold the lock of the one writer; the system frees it when the process dies, however it dies. Raises LakeBusy."""
    lake_folder(home).mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    with open(lake_folder(home) / ".writer", "a+") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LakeBusy(f"another run is writing to {lake_folder(home)}; try again when it is done") from None
                time.sleep(0.2)
        yield


def attach(con: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Attach the lake of the workspace to an in-memory connection and make its tables if they are missing.

    Raises duckdb.IOException when the lake cannot be used.
    """
    folder = lake_folder(home)
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    con.execute("SET GLOBAL preserve_insertion_order = false")
    con.execute("SET enable_progress_bar = false")  # it would write into the JSON that a command prints
    con.execute("SET GLOBAL temp_directory = " + quoted(folder / "tmp"))
    con.execute("SET GLOBAL memory_limit = '2GB'")
    con.execute("SET GLOBAL TimeZone = 'UTC'")
    for extension in ("ducklake", "sqlite_scanner"):
        load_extension(con, extension)
    try:
        con.execute(
            "ATTACH " + quoted(f"ducklake:sqlite:{folder / 'catalog.sqlite'}") + " AS lake (DATA_PATH " + quoted(folder / "data")
            + ", DATA_INLINING_ROW_LIMIT 0, META_JOURNAL_MODE 'WAL', META_BUSY_TIMEOUT 5000, OVERRIDE_DATA_PATH true)"
        )  # fmt: skip
    except duckdb.Error as error:  # of no class of its own
        raise duckdb.IOException(f"{folder / 'catalog.sqlite'}: {error}") from error
    _create_missing_tables(con)


def load_extension(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load a DuckDB extension from its Python wheel, or over the network where there is none."""
    try:
        module = importlib.import_module(f"duckdb_extension_{name}")
    except ModuleNotFoundError:
        con.execute(f"INSTALL {name}")
        con.execute(f"LOAD {name}")
        return
    path = Path(str(module.__path__[0])) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    con.execute("LOAD " + quoted(path))


def quoted(path: Path | str) -> str:
    """A text of ours (a path, a comment) as an SQL literal, where no parameter can stand."""
    return "'" + str(path).replace("'", "''") + "'"


def _create_missing_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Make the lake what `tables` declares: a lake of an older version gets the tables and columns that it lacks."""
    query = "SELECT table_name, list(column_name) FROM duckdb_columns() WHERE database_name = 'lake' GROUP BY table_name"
    known = dict(con.execute(query).fetchall())
    missing = [
        (name, column if name in known else None, columns)
        for name, _, columns in stored_tables()
        for column in (columns if name in known else columns[:1])
        if column.name not in known.get(name, ())
    ]
    if not missing:
        return
    with transaction(con):
        for name, column, columns in missing:
            if column is None:
                con.execute("CREATE TABLE " + _LAKE + name + " (" + ", ".join(f"{c.name} {c.type}" for c in columns) + ")")
            else:
                con.execute("ALTER TABLE " + _LAKE + name + f" ADD COLUMN {column.name} {column.type}")
    with transaction(con):
        for name, column, _ in missing:
            if column is None and name.endswith("_base"):  # written seldom, read daily
                con.execute(f"CALL lake.set_option('parquet_compression', 'zstd', table_name => '{name}')")


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing: a day's rows of several tables become visible together."""
    con.execute("BEGIN")
    try:
        yield
    except BaseException:
        con.execute("ROLLBACK")
        raise
    con.execute("COMMIT")


def clear_day(
    con: duckdb.DuckDBPyConnection,
    table: str,
    day: date,
    partners: Sequence[str] | None = None,
    stage: str | None = None,
) -> None:
    """Take the rows of one day out, within the caller's transaction, which puts the new ones in.

    Given `partners`, rows of other partners stay; given `stage`, those of other stages. The whole day is written anew, so
    that Parquet files are dropped whole and no delete files arise.
    """
    condition = "day = $day"
    params: dict[str, Any] = {"day": day}
    if stage is not None:
        condition, params = condition + " AND stage = $stage", params | {"stage": stage}
    if partners is not None:
        make(
            con,
            "_kept",
            "SELECT * FROM " + _LAKE + table + " WHERE " + condition + " AND NOT list_contains($partners, partner)",
            params | {"partners": list(partners)},
        )
    con.execute("DELETE FROM " + _LAKE + table + " WHERE " + condition, params)
    if partners is not None:
        append(con, table, "_kept")
        con.execute("DROP TABLE _kept")


def replace_day(
    con: duckdb.DuckDBPyConnection,
    table: str,
    day: date,
    rows: str,
    partners: Sequence[str] | None = None,
    stage: str | None = None,
) -> None:
    """Replace the rows of one day, as `clear_day` takes them, by those of the temp table `rows` (columns by name)."""
    clear_day(con, table, day, partners, stage)
    append(con, table, rows)


def append(con: duckdb.DuckDBPyConnection, table: str, rows: str) -> None:
    """Add the rows of the temp table `rows` (columns by name), within the caller's transaction."""
    if one(con, "SELECT count(*) FROM " + rows):
        con.execute("INSERT INTO " + _LAKE + table + " BY NAME FROM " + rows)


def state_as_of(table: str, only: str | None = None, change_sets: int = 2, *, has_base: bool = True) -> str:
    """SELECT of a state at the end of the day `$day`: the newest base not after it, and the changes since.

    `only` names a temp table (dpid, id): the rows of these profiles alone, found before anything is folded.
    `change_sets`: how many days have changes since that base. With one, no key has to be looked for twice; with none, the base
    is all there is; without a base, the changes are.
    """
    declared = BY_NAME[table]
    columns, key = ", ".join(declared.column_names), ", ".join(declared.key)
    among = f" SEMI JOIN {only} USING (dpid, id)" if only else ""
    newest = f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY day DESC) = 1" if change_sets > 1 else ""
    of_base = f"FROM {_LAKE}{table}_base{among}"
    is_newest = "WHERE as_of = (SELECT as_of FROM start)"
    start = f"""
        WITH
        start AS (
            SELECT coalesce(max(as_of), DATE '0001-01-01') AS as_of
            FROM {_LAKE}{table}_base
            WHERE as_of <= $day
        )"""
    if change_sets == 0:
        return f"{start} SELECT {columns} {of_base} {is_newest}"
    changes = f"SELECT {columns}, change FROM {_LAKE}{declared.changes}{among} WHERE day <= $day"
    if not has_base:
        return f"SELECT {columns} FROM ({changes} {newest}) AS latest WHERE change <> 'removed'"
    return f"""{start},
        latest AS (
            {changes} AND day > (SELECT as_of FROM start)
            {newest}
        )
        SELECT {columns}
        {of_base} ANTI JOIN latest USING ({key}) {is_newest}
        UNION ALL
        SELECT {columns} FROM latest WHERE change <> 'removed'
    """


def view_as_of(con: duckdb.DuckDBPyConnection, view: str, table: str, day: date, only: str | None = None) -> None:
    """Create or replace the temp view `view` of the state `table` at the end of `day`, for states too large to be copied."""
    base = one(con, "SELECT max(as_of) FROM " + _LAKE + table + "_base WHERE as_of <= $day", {"day": day})
    since = "SELECT count(DISTINCT day) FROM " + _LAKE + BY_NAME[table].changes + " WHERE day <= $day AND day > $base"
    change_sets = one(con, since, {"day": day, "base": base or date.min})
    select = state_as_of(table, only, change_sets, has_base=base is not None).replace("$day", f"DATE '{day.isoformat()}'")
    con.execute("CREATE OR REPLACE TEMP VIEW " + view + " AS " + select)


def commit_changes(con: duckdb.DuckDBPyConnection, table: str, day: date, rows: str) -> None:
    """Make `rows`, a temp table or a SELECT in parentheses, the change set of `day`, within a transaction.

    Its columns are those of the state, `change` and `reason`. A SELECT may have `$day` as parameter.

    Bases from that day on rest on the change set that is replaced: they go. A new base is written when due.
    """
    changes = BY_NAME[table].changes
    con.execute("DELETE FROM " + _LAKE + changes + " WHERE day = $day", {"day": day})
    con.execute("INSERT INTO " + _LAKE + changes + " BY NAME SELECT $day::DATE AS day, * FROM " + rows, {"day": day})
    con.execute("DELETE FROM " + _LAKE + table + "_base WHERE as_of >= $day", {"day": day})


def rebase_if_due(con: duckdb.DuckDBPyConnection, table: str, day: date) -> bool:
    """Write the state at the end of `day` as a new base when the changes since the last one reach a fifth of it.

    A single day's changes that no base came before are read as quickly as a base. The last two bases are kept, and what was
    imported. Call it after `commit_changes`, outside its transaction; a lost rebase costs nothing.
    """
    base, changes = _LAKE + table + "_base", _LAKE + BY_NAME[table].changes
    size, last = con.execute(
        f"SELECT count(*), max(as_of) FROM {base} WHERE as_of = (SELECT max(as_of) FROM {base})"
    ).fetchone() or (0, None)
    since = {"last": last or date.min, "day": day}
    pending, days = con.execute(
        f"SELECT count(*), count(DISTINCT day) FROM {changes} WHERE day > $last AND day <= $day", since
    ).fetchone() or (0, 0)
    if pending < REBASE_SHARE * size or (last is None and days < 2):
        return False
    with transaction(con):
        state = state_as_of(table, change_sets=days, has_base=last is not None)
        key = sorted(BY_NAME[table].key, key=lambda name: name not in ("dpid", "id"))  # rows of one ID pack well together
        con.execute(
            f"INSERT INTO {base} BY NAME SELECT $day::DATE AS as_of, * FROM ({state}) ORDER BY " + ", ".join(key), {"day": day}
        )
        # A base from before the first change set is what was imported: nothing can make it again.
        con.execute(
            f"DELETE FROM {base} WHERE as_of < $last AND as_of >= (SELECT min(day) FROM {changes})", {"last": since["last"]}
        )
    return True


def fetch_all(con: duckdb.DuckDBPyConnection, query: str, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Rows of a small result as dictionaries."""
    cursor = con.execute(query, params or {})
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
