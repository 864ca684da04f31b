"""How many profiles hold and realized each trait, how many are in each segment, how many two segments share (SEG-060 to SEG-064).

Counted from what changed, not from who is there, so that a day costs what its changes cost.
"""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pyarrow as pa

from bsync_assets.assets.segment_members.definitions import people
from bsync_assets.assets.segment_members.judging import register
from bsync_assets.catalog.models import Catalog
from bsync_assets.sqlfiles import make, one, sql
from bsync_assets.warehouse.lake import commit_changes, rebase_if_due, replace_day, transaction, view_as_of

_MOVES_TOGETHER = 10_000_000


def count_populations(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date) -> None:
    """Fill `trait_populations` and `segment_populations` of the day and fold `segment_overlaps`; runs after `judge_segments`."""
    the_day_before = day - timedelta(days=1)
    register(con, "known_trait", {"trait_id": ([t.id for t in catalog.traits.values() if t.kind != "folder"], pa.int64())})
    view_as_of(con, "traits_now", "profile_traits", day)
    is_carried_on = one(
        con, "SELECT count(*) > 0 FROM lake.main.trait_populations WHERE day = $before", {"before": the_day_before}
    )
    earlier = "SELECT count(*) > 0 FROM lake.main.profile_traits_changes WHERE day < $day"
    has_earlier = one(con, earlier, {"day": day})
    asked = {"day": day, "people": people(catalog), "is_carried_on": is_carried_on, "has_earlier": has_earlier}
    make(con, "trait_population", sql(__file__, "trait_populations.sql"), asked)
    make(con, "segment_population", sql(__file__, "segment_populations.sql"), {"day": day})
    make(con, "mover", "SELECT DISTINCT dpid, id FROM lake.main.segment_changes WHERE day = $day", {"day": day})
    view_as_of(con, "members_then", "segment_members", the_day_before, only="mover")
    view_as_of(con, "overlaps_then", "segment_overlaps", the_day_before)
    _move_overlaps(con, day)
    make(con, "overlap_changes", sql(__file__, "overlap_changes.sql"))
    with transaction(con):
        replace_day(con, "trait_populations", day, "trait_population")
        replace_day(con, "segment_populations", day, "segment_population")
        commit_changes(con, "segment_overlaps", day, "overlap_changes")
    rebase_if_due(con, "segment_overlaps", day)


def _move_overlaps(con: duckdb.DuckDBPyConnection, day: date) -> None:
    """Make `overlap_move`, some members at a time: lists of segments per ID have to fit into memory."""
    moves = one(con, "SELECT count(*) FROM lake.main.segment_changes WHERE day = $day", {"day": day})
    slices = moves // _MOVES_TOGETHER + 1
    con.execute("CREATE OR REPLACE TEMP TABLE overlap_move (segment_id BIGINT, other_id BIGINT, ids BIGINT)")
    for number in range(slices):
        part = {"day": day, "slices": slices, "slice": number}
        con.execute("INSERT INTO overlap_move BY NAME " + sql(__file__, "overlap_moves.sql"), part)
