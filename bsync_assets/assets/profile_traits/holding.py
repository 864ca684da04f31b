"""Holding back an overwrite that would take away too much: it waits for a person, and nothing else of the day waits with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import duckdb

from bsync_assets.catalog.models import Catalog
from bsync_assets.sqlfiles import make, one, sql
from bsync_assets.warehouse.lake import fetch_all, replace_day, transaction
from bsync_assets.warehouse.rows import rows_table

#: Fewer memberships than this may go without anybody being asked, whatever share they are.
AT_LEAST = 1000

_BY_NUMBER = "file_id IN (SELECT file_id FROM held_file)"
_BY_NAME = "(partner, file, batch) IN (SELECT partner, key, batch FROM held_file)"
#: What was written of a file before it is held: table, the stage whose rows it is about, what tells the rows of the file.
_WRITTEN = (
    ("stored_records", None, _BY_NUMBER),
    ("trait_operations", None, _BY_NUMBER),
    ("data_figures", None, _BY_NAME),
    ("rejected_lines", "matched_traits", _BY_NAME),
)


def hold_back(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date) -> int:
    """Hold the day's overwrites that take away more of their target's memberships, as they stood the day before, than
    `hold_removals_over` allows; answers how many files. What was written of them goes, as if they had been held from the start.

    Needs `record`, `record_effect` and `day_file`, which are stale afterwards if the answer is not 0. What was let in once, by an
    operator or by a run that issued its receipt, is not held when the day is run again.
    """
    if not one(con, "SELECT count(*) FROM day_file WHERE is_overwrite AND NOT is_decided"):
        return 0
    large = fetch_all(con, sql(__file__, "removals.sql"), {"day": day, "at_least": AT_LEAST})
    held = [taken for taken in large if _is_too_much(con, catalog, taken)]
    if not held:
        return 0
    rows_table(con, "too_much", "unit BIGINT, removed BIGINT", held)
    make(con, "held_file", "SELECT partner, key, batch, file_id, removed FROM day_file INNER JOIN too_much USING (unit)")
    make(con, "manifest", sql(__file__, "held_manifest.sql"), {"day": day})
    with transaction(con):
        replace_day(con, "inbound_files", day, "manifest")
        for table, stage, of_the_files in _WRITTEN:
            query = "SELECT * FROM lake.main." + table + " WHERE day = $day AND NOT " + of_the_files
            make(con, "rest", query + (f" AND stage = '{stage}'" if stage else ""), {"day": day})
            replace_day(con, table, day, "rest", stage=stage)
    return int(one(con, "SELECT count(*) FROM held_file"))


def _is_too_much(con: duckdb.DuckDBPyConnection, catalog: Catalog, taken: Mapping[str, int]) -> bool:
    memberships = one(con, "SELECT count(*) FROM before WHERE data_source = $target", {"target": taken["target"]})
    return bool(taken["removed"] > catalog.data_sources[taken["target"]].hold_removals_over * memberships)
