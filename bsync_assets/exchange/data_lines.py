"""Lines of data files taken apart, a slice at a time, by the SQL files next to this module.

A slice is a temp table `line(rec, file, line_no, text, flaw)` of consecutive lines of one or many files; `data_file(file,
format, mode, form, dpid, ...)` says how to read each. Every distinct item text is looked at once per slice: a large delivery
repeats its items many thousand times.
"""

from __future__ import annotations

import duckdb

from bsync_assets.sqlfiles import make, one, sql

FORMAT_ERRORS_SQL = "reject NOT IN ('line_too_long', 'over_user_limit', 'invalid_aam_id', 'invalid_device_id')"


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make the macros of the ID forms and the tables that carry what one slice must know of earlier ones."""
    for statement in sql(__file__, "ids.sql").split(";\n"):
        con.execute(statement)
    con.execute("CREATE OR REPLACE TEMP TABLE user_lines (file INTEGER, user_hash UBIGINT, lines BIGINT)")
    con.execute("CREATE OR REPLACE TEMP TABLE file_id_type (file INTEGER, id_type VARCHAR)")


def parse_slice(con: duckdb.DuckDBPyConnection, open_file: int | None = None) -> None:
    """From `line` and `data_file` make `verdict` (rec, file, line_no, namespace, user_id, id_type, reject), `token` (rec, item)
    and `item` (item, text, kind, trait_id, key, value). `open_file` is the file that goes on in the next slice, if any.

    INB-36, INB-50 to INB-78.
    """
    make(con, "record", sql(__file__, "data_records.sql"))
    make(con, "over_limit", sql(__file__, "over_limit.sql"))
    _carry_over(con, open_file)
    _split_items(con)
    make(con, "item", sql(__file__, "items.sql"))
    make(con, "flawed", sql(__file__, "flawed_records.sql"))
    _first_id_types(con)
    make(con, "verdict", sql(__file__, "record_rejects.sql"))
    for table in ("record", "over_limit", "item_text", "flawed"):
        con.execute("DROP TABLE " + table)


def _carry_over(con: duckdb.DuckDBPyConnection, open_file: int | None) -> None:
    """Remember lines per user of a file that goes on."""
    if open_file is None:
        con.execute("DELETE FROM user_lines")
    else:
        make(con, "user_lines", """
            SELECT file, user_hash, sum(lines)::BIGINT AS lines
            FROM (
                SELECT file, hash(user_id) AS user_hash, count(*) AS lines FROM record
                WHERE file = $file AND reject IS DISTINCT FROM 'line_too_long' GROUP BY ALL
                UNION ALL SELECT file, user_hash, lines FROM user_lines WHERE file = $file
            )
            GROUP BY file, user_hash
        """, {"file": open_file})  # fmt: skip


def _first_id_types(con: duckdb.DuckDBPyConnection) -> None:
    """Remember the ID type of the first sound line of each ODC file (INB-74)."""
    con.execute("""
        INSERT INTO file_id_type
        SELECT file, arg_min(id_type, rec) FROM record
        WHERE id_type IS NOT NULL AND reject IS NULL AND file NOT IN (SELECT file FROM file_id_type)
            AND rec NOT IN (SELECT rec FROM over_limit) AND rec NOT IN (SELECT rec FROM flawed)
        GROUP BY file
    """)


def _split_items(con: duckdb.DuckDBPyConnection) -> None:
    """Make `item_text` and `token`: items by a 64-bit hash, seeded anew should two texts of the slice ever share one."""
    pieces = "SELECT rec, unnest(string_split(payload, ',')) AS text FROM record WHERE reject IS NULL"
    for seed in range(3):
        make(con, "item_text", f"SELECT hash(text, {seed}) AS item, text FROM (SELECT DISTINCT text FROM ({pieces}))")
        if one(con, "SELECT count(DISTINCT item) = count(*) FROM item_text"):
            make(con, "token", f"SELECT rec, hash(text, {seed}) AS item FROM ({pieces})")
            return
    raise RuntimeError("three hash seeds in a row collided; the hash function of the engine is broken")
