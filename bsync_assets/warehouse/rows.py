"""Small sets of rows from Python into a temp table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from bsync_assets.warehouse.tables import Column


def rows_table(con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> None:
    """Create or replace the temp table `table` with these columns and rows; a key that a row lacks is NULL."""
    declared = ", ".join(f'"{column.name}" {column.type}' for column in columns)
    con.execute("CREATE OR REPLACE TEMP TABLE " + table + " (" + declared + ")")
    values = [[row.get(column.name) for column in columns] for row in rows]
    if values:
        con.executemany("INSERT INTO " + table + " VALUES (" + ", ".join("?" * len(columns)) + ")", values)
