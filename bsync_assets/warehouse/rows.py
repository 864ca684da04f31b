"""Small sets of rows from Python into a temp table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from bsync_assets.warehouse.tables import Column


def rows_table(
    con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[Column] | str, rows: Iterable[Mapping[str, Any]]
) -> None:
    """Create or replace the temp table `table` with these columns and rows; a key that a row lacks is NULL.

    `columns` may be written `dpid BIGINT, id VARCHAR` where they need no comment.
    """
    if not isinstance(columns, str):
        columns = ", ".join(f"{column.name} {column.type}" for column in columns)
    con.execute("CREATE OR REPLACE TEMP TABLE " + table + " (" + columns + ")")
    names = [column.strip().split(" ")[0] for column in columns.split(",")]
    given = list(rows)
    if given:
        arrays = [pa.array([row.get(name) for row in given]) for name in names]
        con.register("given_rows", pa.Table.from_arrays(arrays, names=names))
        con.execute("INSERT INTO " + table + " FROM given_rows")
        con.unregister("given_rows")
