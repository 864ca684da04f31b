"""`bsync export`: the published views as one self-contained DuckDB file, which needs no Parquet file beside it."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import duckdb

from bsync_assets.warehouse.lake import quoted
from bsync_assets.warehouse.publish import public_views, published_file


def export(home: Path, file: Path) -> int:
    """Copy what is published in the workspace at `home` into the new file `file`; answers how many views it has.

    Rows are stored once, and the views stay views over them, so that a state on every day takes no more room than its changes.
    Raises FileNotFoundError when nothing is published, FileExistsError rather than overwriting a file, NotADirectoryError.
    """
    published = published_file(home)
    if not published.exists():
        raise FileNotFoundError(f"nothing is published yet at {published}; run a day first: bsync run --day DAY")
    if file.exists():
        raise FileExistsError(f"{file} exists; give the name of a new file")
    if not os.access(file.parent, os.W_OK):
        raise NotADirectoryError(f"{file.parent} is no folder that can be written to; give the name of a file in one")
    draft = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        with closing(duckdb.connect(str(draft))) as con:
            con.execute("ATTACH " + quoted(published) + " AS published (READ_ONLY)")
            count = _copy(con)
            con.execute("DETACH published; CHECKPOINT")
        os.link(draft, file)  # fails if somebody else made the file meanwhile
    finally:
        draft.unlink(missing_ok=True)
    return count


def _copy(con: duckdb.DuckDBPyConnection) -> int:
    """Rows of the schema `stored` become tables, the public views are made anew over them; all keep their comments."""
    views = con.execute("""
        SELECT schema_name, view_name, sql, comment
        FROM duckdb_views()
        WHERE database_name = 'published' AND NOT internal
    """).fetchall()
    made = {view: place for place, (view, _, _) in enumerate(public_views())}  # some views read others
    views.sort(key=lambda view: (view[0] == "main", made.get(view[1], len(made))))
    con.execute("CREATE SCHEMA stored")
    for schema, name, statement, comment in views:
        if schema == "stored":
            con.execute(f'CREATE TABLE stored."{name}" AS FROM published.stored."{name}"')
        else:
            con.execute(statement)
        kind = "TABLE" if schema == "stored" else "VIEW"
        con.execute(f'COMMENT ON {kind} {schema}."{name}" IS ' + quoted(comment or ""))
    columns = con.execute("""
        SELECT schema_name, table_name, column_name, comment
        FROM duckdb_columns()
        WHERE database_name = 'published' AND NOT internal AND comment IS NOT NULL
    """).fetchall()
    for schema, name, column, comment in columns:
        con.execute(f'COMMENT ON COLUMN {schema}."{name}"."{column}" IS ' + quoted(comment))
    return sum(schema == "main" for schema, *_ in views)
