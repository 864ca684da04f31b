"""Stage `profile_traits`: what the day's records and visits do to profiles, and what leaves by itself.

Everything that needs yesterday's state is here: traits really removed, devices inactive, time to live, and records that were
kept until their ID got a link. Profiles and users are small integers inside; only the change set carries IDs again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import duckdb

from bsync_assets.assets.inbound_files import link_time
from bsync_assets.assets.matched_traits import DATA_FILE, data_files, logical_name, reading
from bsync_assets.assets.profile_traits.holding import hold_back
from bsync_assets.catalog.models import Catalog
from bsync_assets.exchange.namespaces import DEVICE_DPIDS
from bsync_assets.rules import ttl
from bsync_assets.sqlfiles import make, one, sql
from bsync_assets.warehouse.lake import commit_changes, rebase_if_due, replace_day, transaction, view_as_of
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import Column

log = logging.getLogger("bsync.profile_traits")

#: Days without activity after which a device is gone (TRT-085).
INACTIVE_DAYS = 120

_DAY_FILE = (
    *(c for c in DATA_FILE if c.name in ("partner", "key", "file_id", "batch", "source", "target")),
    Column("unit", "BIGINT", "order of the logical file"),
    Column("is_overwrite", "BOOLEAN", "replaces what it names"),
    Column("is_decided", "BOOLEAN", "whether an operator let it in"),
    Column("seen_at", "TIMESTAMP", "when its traits count as realized"),
)


def apply_records(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date) -> dict[str, int]:
    """Fold the day into `profile_traits`; answers how many traits were added, renewed and removed, and how many files are held.

    Also fills `profile_figures`, `device_figures` and `late_matches`. INB-90 to INB-107, INB-131, INB-133, TRT-065, TRT-080 to
    TRT-085.
    """
    _load(con, catalog, day)
    make(con, "record", sql(__file__, "records.sql"), {"day": day})
    _make_view(con, "platform_sighting", "platform_sightings.sql", {"day": day})
    make(con, "holder", sql(__file__, "holders.sql"), {"alive_since": _alive_since(day)})
    make(con, "profile", sql(__file__, "profiles.sql"), {"day": day})
    make(con, "acting", sql(__file__, "acting.sql"))
    make(con, "held", sql(__file__, "held.sql"))
    span = {"day": day, "first_day": one(con, "SELECT coalesce(min(origin_day), $day) FROM record", {"day": day})}
    make(con, "contested", sql(__file__, "contested.sql"), span)
    _make_view(con, "plain_realized", "plain_realized.sql", span)
    make(con, "event", sql(__file__, "events.sql"), span)
    make(con, "contested_outcome", sql(__file__, "contested_outcome.sql"))
    make(con, "realized", sql(__file__, "realized.sql"), {"day": day})
    make(con, "ending", sql(__file__, "ending.sql"), {"day": day, "alive_since": _alive_since(day)})
    make(con, "ended", sql(__file__, "ended.sql"))
    make(con, "loss", sql(__file__, "losses.sql"))
    make(con, "record_effect", sql(__file__, "record_effects.sql"))
    if held := hold_back(con, catalog, day):
        return apply_records(con, catalog, day) | {"held_files": held}
    make(con, "file_figure", sql(__file__, "file_figures.sql"), {"day": day})
    make(con, "device_figure", sql(__file__, "device_figures.sql"), {"day": day})
    make(con, "late_match", sql(__file__, "late_matches.sql"), {"day": day})
    with transaction(con):
        commit_changes(con, "profile_traits", day, "(" + sql(__file__, "changes.sql") + ")")
        replace_day(con, "profile_figures", day, "file_figure")
        replace_day(con, "device_figures", day, "device_figure")
        replace_day(con, "late_matches", day, "late_match")
    rebase_if_due(con, "profile_traits", day)
    changed = "SELECT change, count(*) FROM lake.main.profile_traits_changes WHERE day = $day GROUP BY change"
    counts = dict(con.execute(changed, {"day": day}).fetchall())
    late = one(con, "SELECT count(*) FROM late_match")
    return {name: counts.get(name, 0) for name in ("added", "renewed", "removed")} | {"late_records": late}


def _make_view(con: duckdb.DuckDBPyConnection, view: str, query: str, dates: dict[str, date]) -> None:
    """Make a temp view, which takes no parameters: many rows that are read once, or few that are sought, are not copied."""
    text = sql(__file__, query)
    for name, value in dates.items():
        text = text.replace("$" + name, f"DATE '{value}'")
    con.execute("CREATE OR REPLACE TEMP VIEW " + view + " AS " + text)


def _alive_since(day: date) -> datetime:
    """A device last seen before this instant is inactive on `day`."""
    return datetime.combine(day, time()) - timedelta(days=INACTIVE_DAYS - 1)


def _load(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date) -> None:
    """Make the inputs: states, the day's files in order, and what the catalog says of namespaces and traits."""
    view_as_of(con, "before", "profile_traits", day - timedelta(days=1))
    view_as_of(con, "current_link", "id_links", day)
    view_as_of(con, "opted_out", "opt_outs", day)
    view_as_of(con, "activity_now", "activity", day)
    con.execute(sql(ttl.__file__, "ttl.sql"))
    rows_table(con, "day_file", _DAY_FILE, _day_files(con, catalog, day, list(catalog.partners)))
    rows_table(con, "device_namespace", "dpid BIGINT", ({"dpid": dpid} for dpid in DEVICE_DPIDS))
    sources = {dpid: reading(catalog, dpid) for dpid in (*DEVICE_DPIDS, *catalog.data_sources)}
    namespaces = {how["dpid"]: how["resolve"] for how in sources.values()}
    given = ({"dpid": dpid, "resolve": resolve} for dpid, resolve in namespaces.items())
    rows_table(con, "namespace", "dpid BIGINT, resolve VARCHAR", given)
    kept = ({"dpid": dpid, "days": how["keep_unmatched_days"]} for dpid, how in sources.items() if how["keep_unmatched_days"])
    rows_table(con, "keeping", "dpid BIGINT, days INTEGER", kept)
    traits = (
        {"trait_id": trait.id, "data_source": trait.data_source, "kind": trait.kind, "ttl_days": trait.ttl_days}
        for trait in catalog.traits.values()
    )
    rows_table(con, "trait", "trait_id BIGINT, data_source BIGINT, kind VARCHAR, ttl_days INTEGER", traits)


def _day_files(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date, partners: Sequence[str]) -> list[dict[str, Any]]:
    """The day's accepted data files; the parts of one overwrite of a batch share a `unit` (INB-105)."""
    units: dict[tuple[Any, ...], int] = {}
    rows = []
    for file in data_files(con, catalog, day, partners):
        is_overwrite = file["mode"] == "overwrite"
        logical = (file["partner"], file["batch"], logical_name(file["key"])) if is_overwrite else (file["file_id"],)
        unit = units.setdefault(logical, file["file"])
        rows.append(file | {"unit": unit, "is_overwrite": is_overwrite, "seen_at": link_time(file["arrived_at"], day)})
    return rows
