"""Lines of data files judged, a slice at a time, by the SQL files next to this module.

A slice is a temp table `line(rec, file, line_no, text, flaw, head, tabs, unbalanced, items)` of consecutive lines of one or many
files, and the tokens of their payloads (see `items`); `data_file(file, format, mode, form, dpid, ...)` says how to read each.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from bsync_assets.exchange.items import Tokens, tokens_among
from bsync_assets.sqlfiles import make, one, show, sql

#: Columns before the payload, by the format of a data file (INB-50, INB-74).
HEAD_COLUMNS = {"standard": 1, "odc": 2}


LINES_PER_USER = 200  # INB-36, in one physical file


@dataclass(frozen=True)
class Slice:
    """The tokens of the lines in `line`, how many lines these are, and the file that goes on in the next slice, if any."""

    tokens: Tokens
    records: int
    open_file: int | None = None


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make the macros of the ID forms and the tables that carry what one slice must know of earlier ones."""
    for statement in sql(__file__, "ids.sql").split(";\n"):
        con.execute(statement)
    texts = "item INTEGER, text VARCHAR, kind VARCHAR, trait_id BIGINT, key VARCHAR, value VARCHAR"
    con.execute("CREATE OR REPLACE TEMP TABLE item (" + texts + ")")
    con.execute("CREATE OR REPLACE TEMP TABLE user_lines (file INTEGER, user_hash UBIGINT, lines BIGINT, slice BIGINT)")
    con.execute("CREATE OR REPLACE TEMP TABLE file_id_type (file INTEGER, id_type VARCHAR)")


def parse_slice(con: duckdb.DuckDBPyConnection, given: Slice) -> None:
    """From `line` and `data_file` make the view `verdict` (rec, file, line_no, namespace, user_id, id_type, items, reject), and
    add the texts that were not known to `item` (item, text, kind, trait_id, key, value).

    INB-36, INB-50 to INB-78.
    """
    make(con, "record", sql(__file__, "data_records.sql"))
    _limit_users(con, given.open_file)
    _add_items(con, given.tokens)
    make_tokens(con, "spoiling", given.tokens, "SELECT item FROM item WHERE kind IN ('bad_quote', 'pii')")
    make(con, "flawed", sql(__file__, "flawed_records.sql"))
    _first_id_types(con)
    con.execute("CREATE OR REPLACE TEMP VIEW verdict AS " + sql(__file__, "record_rejects.sql"))
    con.unregister("spoiling")


def _add_items(con: duckdb.DuckDBPyConnection, tokens: Tokens) -> None:
    if tokens.known == 0:
        con.execute("DELETE FROM item")
    numbers = np.arange(tokens.known, tokens.known + len(tokens.new), dtype=np.int32)
    show(con, "item_text", pa.table({"item": numbers, "text": tokens.new}))
    con.execute("INSERT INTO item BY NAME " + sql(__file__, "items.sql"))
    con.unregister("item_text")


def make_tokens(con: duckdb.DuckDBPyConnection, view: str, tokens: Tokens, query: str) -> None:
    """Make the temp view `view(rec, item)` of the tokens whose item is among those that `query` answers."""
    show(con, view, tokens_among(tokens, np.asarray(con.execute(query).fetchnumpy()["item"])))


def make_all_tokens(con: duckdb.DuckDBPyConnection, tokens: Tokens) -> None:
    """Make the temp view `token(rec, item, nth)` of all tokens in their order, for showing what lines say."""
    show(con, "token", pa.table({"rec": tokens.rec, "item": tokens.item, "nth": np.arange(len(tokens.rec))}))


def _limit_users(con: duckdb.DuckDBPyConnection, open_file: int | None) -> None:
    """Make `over_limit`, and remember the lines per user of a file that goes on (INB-36)."""
    con.execute("INSERT INTO user_lines BY NAME " + sql(__file__, "user_lines.sql"))
    # Nobody has more lines than the most of each slice together: mostly there is nobody to look for.
    at_most = one(con, "SELECT coalesce(sum(lines), 0) FROM (SELECT max(lines) AS lines FROM user_lines GROUP BY slice)")
    if at_most > LINES_PER_USER:
        make(con, "over_limit", sql(__file__, "over_limit.sql"), {"most": LINES_PER_USER})
    else:
        make(con, "over_limit", "SELECT rec FROM record LIMIT 0")
    con.execute("DELETE FROM user_lines WHERE file IS DISTINCT FROM $file", {"file": open_file})


def _first_id_types(con: duckdb.DuckDBPyConnection) -> None:
    """Remember the ID type of the first sound line of each ODC file (INB-74)."""
    con.execute("""
        INSERT INTO file_id_type
        SELECT file, arg_min(id_type, rec) FROM record
        WHERE id_type IS NOT NULL AND reject IS NULL AND file NOT IN (SELECT file FROM file_id_type)
            AND rec NOT IN (SELECT rec FROM over_limit) AND rec NOT IN (SELECT rec FROM flawed)
        GROUP BY file
    """)
