"""Reading the `.sql` files that stand next to the code, and running them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

_ROWS_AT_ONCE = 122_880


@cache
def sql(module_file: str, name: str) -> str:
    """Text of the statement `name` (`links.sql`) next to the module whose `__file__` is given, without its final semicolon."""
    return (Path(module_file).parent / name).read_text(encoding="utf-8").rstrip().removesuffix(";")


def make(con: duckdb.DuckDBPyConnection, table: str, query: str, params: dict[str, Any] | None = None) -> None:
    """Create or replace the temp table `table` from the SELECT `query`; `table` is a name of ours, values go into `params`."""
    con.execute("CREATE OR REPLACE TEMP TABLE " + table + " AS " + query, params or {})


def one(con: duckdb.DuckDBPyConnection, query: str, params: dict[str, Any] | None = None) -> Any:
    """The single value that `query` answers; raises LookupError when it answers no row."""
    row = con.execute(query, params or {}).fetchone()
    if row is None:
        raise LookupError(f"no row: {query}")
    return row[0]


def show(con: duckdb.DuckDBPyConnection, view: str, table: pa.Table) -> None:
    """Make the temp view `view` of the rows of an Arrow table, in pieces, which threads of the engine take one by one."""
    con.register(view, pa.Table.from_batches(table.to_batches(max_chunksize=_ROWS_AT_ONCE), table.schema))
