"""Stage `segment_members`: who is in which segment at the end of the day, who came, who left and why.

A day judges only profiles for which something changed: traits, realizations, the edge of a window, a link, an opt-out; and in
full the segments whose definition changed. Both ways lead to the same members (SEG-050, SEG-054).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from bsync_assets.assets.segment_members.definitions import (
    Definition,
    Merge,
    definitions,
    definitions_version,
    people,
    trait_facts,
)
from bsync_assets.assets.segment_members.judging import (
    bitmaps,
    edges,
    find_last_users,
    judge,
    merge_profiles,
    place_profiles,
    register,
    register_sets,
)
from bsync_assets.assets.segment_members.populations import count_populations
from bsync_assets.catalog.models import Catalog
from bsync_assets.rules.segment_sets import Counted, fact_traits, losing_traits, set_rule
from bsync_assets.rules.segments import TraitFacts, named_traits, parse_segment
from bsync_assets.sqlfiles import make, one, sql
from bsync_assets.warehouse.lake import append, commit_changes, fetch_all, rebase_if_due, replace_day, transaction, view_as_of
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import BY_NAME

__all__ = ["count_realizations", "definitions_version", "judge_segments"]

log = logging.getLogger("bsync.segment_members")

#: Why a member left, in the order in which the first that applies is named (SEG-053).
REASONS = (
    "opt_out",
    "deletion_request",
    "inactive_120d",
    "segment_deleted",
    "trait_deleted",
    "unsegmented_by_file",
    "ttl",
    "recency_window",
    "link_changed",
    "rule",
)


def count_realizations(con: duckdb.DuckDBPyConnection, day: date) -> None:
    """Fold the day's visits into `trait_counts`; runs after `profile_traits` (TRT-062, TRT-067, TRT-084)."""
    view_as_of(con, "counts_before", "trait_counts", day - timedelta(days=1))
    view_as_of(con, "traits_now", "profile_traits", day)
    make(con, "count_changes", sql(__file__, "count_changes.sql"), {"day": day})
    with transaction(con):
        commit_changes(con, "trait_counts", day, "count_changes")
    rebase_if_due(con, "trait_counts", day)


def judge_segments(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date) -> dict[str, int]:
    """Commit the day's change set of `segment_members`; answers how many memberships began and ended, and how many hold.

    Runs after `profile_traits` and `id_links` of the day, and after the day before; counts populations, too. SEG-040 to SEG-055,
    PRV-025, PRV-027.
    """
    count_realizations(con, day)
    known = definitions(catalog)
    runs = _last_runs(con, day)
    last = next((run["day"] for run in runs.values()), day - timedelta(days=1))
    active = [definition for definition in known.values() if definition.status == "active"]
    kept_up: list[Definition] = []
    anew: list[Definition] = []
    for definition in active:
        (kept_up if _is_kept_up(definition, runs.get(definition.segment_id), last) else anew).append(definition)

    with transaction(con):  # one snapshot for all that is read
        view_as_of(con, "members_then", "segment_members", day - timedelta(days=1))
        make(con, "member_changes", "SELECT *, '' AS change, '' AS reason FROM members_then LIMIT 0")
        sources = sorted({source for definition in active for source in definition.merge.sources})
        for suffix, when in (("_before", last), ("_now", day)):
            find_last_users(con, sources, when, suffix)
        if kept_up:
            _find_touched(con, kept_up, last, day)
        for judged, in_full in ((kept_up, False), (anew, True)):
            for merge, group in _by_merge(judged).items():
                _judge_group(con, catalog, merge, group, runs, last, day, in_full)
        paused = [definition.segment_id for definition in known.values() if definition.status == "paused"]
        register(con, "paused", {"segment_id": (paused, pa.int64())})
        con.execute("INSERT INTO member_changes BY NAME " + sql(__file__, "frozen_removals.sql"), {"last": last, "day": day})
        deleted = [segment for segment in runs if segment not in known]
        con.execute("""
            INSERT INTO member_changes BY NAME
            SELECT *, 'removed' AS change, 'segment_deleted' AS reason FROM members_then WHERE list_contains($deleted, segment_id)
        """, {"deleted": deleted})  # fmt: skip

        rows_table(con, "segment_run", BY_NAME["segment_runs"].columns, _new_runs(con, known, runs, day))
        make(con, "catalog_version", "SELECT $hash AS catalog_sha256, $content AS content, $day AS first_day WHERE $hash NOT IN "
             "(SELECT catalog_sha256 FROM lake.main.catalog_versions)",
             {"hash": catalog.content_hash, "content": catalog.content_json, "day": day})  # fmt: skip
        commit_changes(con, "segment_members", day, "member_changes")
        replace_day(con, "segment_runs", day, "segment_run")
        append(con, "catalog_versions", "catalog_version")
    rebase_if_due(con, "segment_members", day)
    count_populations(con, catalog, day)
    return {
        "added": one(con, "SELECT count(*) FROM member_changes WHERE change = 'added'"),
        "removed": one(con, "SELECT count(*) FROM member_changes WHERE change = 'removed'"),
        "members": one(con, "SELECT coalesce(sum(members), 0)::BIGINT FROM segment_run"),
        "judged_in_full": len(anew),
    }


def _last_runs(con: duckdb.DuckDBPyConnection, day: date) -> dict[int, dict[str, Any]]:
    """What is recorded of each segment on the last day run before `day`, by segment."""
    rows = fetch_all(con, """
        SELECT * FROM lake.main.segment_runs
        WHERE day = (SELECT max(day) FROM lake.main.segment_runs WHERE day < $day) AND status <> 'deleted'
    """, {"day": day})  # fmt: skip
    return {row["segment_id"]: row for row in rows}


def _is_kept_up(definition: Definition, run: Mapping[str, Any] | None, last: date) -> bool:
    """Whether the members recorded are those of the present definition on the day `last`."""
    return run is not None and run["evaluated_on"] == last and run["definition"] == definition.hash


def _new_runs(
    con: duckdb.DuckDBPyConnection, known: Mapping[int, Definition], runs: Mapping[int, Mapping[str, Any]], day: date
) -> Iterable[dict[str, Any]]:
    """The day's rows of `segment_runs`, of `member_changes`. A deleted segment gets a last one (SEG-042)."""
    query = """
        SELECT segment_id, count(*) FILTER (change = 'added'), count(*) FILTER (change = 'removed')
        FROM member_changes
        GROUP BY segment_id
    """
    moves = {segment: (added, removed) for segment, added, removed in con.execute(query).fetchall()}
    for segment in sorted(known.keys() | runs.keys()):
        definition, run = known.get(segment), runs.get(segment, {})
        added, removed = moves.get(segment, (0, 0))
        counts = {"members": run.get("members", 0) + added - removed, "added": added, "removed": removed}
        if definition is None:
            yield {**run, "day": day, "status": "deleted"} | counts
        elif definition.status == "paused":
            yield {**run, "day": day, "segment_id": segment, "status": "paused"} | counts
        else:
            judged = {"definition": definition.hash, "rule": definition.text, "evaluated_on": day}
            yield {"day": day, "segment_id": segment, "status": "active"} | judged | counts


def _by_merge(judged: Iterable[Definition]) -> dict[Merge, list[Definition]]:
    groups: dict[Merge, list[Definition]] = {}
    for definition in judged:
        groups.setdefault(definition.merge, []).append(definition)
    return groups


def _find_touched(con: duckdb.DuckDBPyConnection, judged: Sequence[Definition], last: date, day: date) -> None:
    """Make `touched(dpid, id)`: profiles for which anything that these segments ask for changed since `last` (SEG-054)."""
    facts = {fact for definition in judged for fact in definition.rule.facts}
    dated = {trait for fact in facts if isinstance(fact, Counted) for trait in fact.capped}
    _register_named_traits(con, judged, dated)
    moved = edges(facts, last, day)
    register(
        con,
        "edge",
        {
            "trait_id": ([edge.trait_id for edge in moved], pa.int64()),
            "capped": ([edge.capped for edge in moved], pa.bool_()),
            "first": ([edge.first for edge in moved], pa.date32()),
            "last": ([edge.last for edge in moved], pa.date32()),
        },
    )
    view_as_of(con, "traits_now", "profile_traits", day)
    view_as_of(con, "counts_now", "trait_counts", day)
    sources = sorted({source for definition in judged for source in definition.merge.sources})
    make(con, "touched", sql(__file__, "touched.sql"), {"last": last, "day": day, "sources": sources})


def _register_named_traits(con: duckdb.DuckDBPyConnection, judged: Sequence[Definition], dated: set[int]) -> None:
    """Make `named_trait(trait_id, renewals)`: traits that the segments ask for; for those in `dated` renewals matter, too."""
    named = sorted({trait for definition in judged for fact in definition.rule.facts for trait in fact_traits(fact)})
    register(con, "named_trait", {"trait_id": (named, pa.int64()), "renewals": ([t in dated for t in named], pa.bool_())})


def _judge_group(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    merge: Merge,
    judged: Sequence[Definition],
    runs: Mapping[int, Mapping[str, Any]],
    last: date,
    day: date,
    in_full: bool,
) -> None:
    """Add to `member_changes` what changed in segments of one merge rule: for everybody, or for those `touched`."""
    segments = [definition.segment_id for definition in judged]
    register(con, "judged_segment", {"key": (range(len(segments)), pa.uint32()), "segment_id": (segments, pa.int64())})
    for suffix in ("_before", "_now"):
        merge_profiles(con, merge, suffix)

    if in_full:
        _register_named_traits(con, judged, set())
        view_as_of(con, "traits_now", "profile_traits", day)
        view_as_of(con, "counts_now", "trait_counts", day)
        view_as_of(con, "members_then", "segment_members", day - timedelta(days=1))
        make(con, "concerned", sql(__file__, "everyone.sql"))
    else:
        make(con, "affected_profile", sql(__file__, "affected.sql"))
        make(con, "concerned", sql(__file__, "concerned.sql"))
        view_as_of(con, "traits_now", "profile_traits", day, only="concerned")
        view_as_of(con, "counts_now", "trait_counts", day, only="concerned")
        view_as_of(con, "members_then", "segment_members", day - timedelta(days=1), only="affected_profile")
    make(con, "judged_profile", sql(__file__, "judged_profile.sql"))
    if in_full:
        con.execute("DROP TABLE concerned")  # everybody, twice in memory
    place_profiles(con, merge, people(catalog))

    members = judge(con, judged, day)
    if one(con, "SELECT count(*) > 0 FROM merged_now"):  # elsewhere a unit is its one profile
        register_sets(con, "satisfied", "key", "unit", members)
        members = bitmaps(con, sql(__file__, "members.sql"), len(judged))
    then = bitmaps(con, sql(__file__, "members_then.sql"), len(judged))
    register_sets(con, "came", "key", "no", [now - before for now, before in zip(members, then, strict=True)])
    register_sets(con, "went", "key", "no", [before - now for now, before in zip(members, then, strict=True)])
    con.execute("INSERT INTO member_changes BY NAME " + sql(__file__, "additions.sql"))
    make(con, "removed", sql(__file__, "removals.sql"))
    losing = {segment for (segment,) in con.execute("SELECT DISTINCT segment_id FROM removed").fetchall()}
    if losing:
        _explain_removals(con, catalog, [d for d in judged if d.segment_id in losing], runs, day)
    view_as_of(con, "members_then", "segment_members", day - timedelta(days=1))


def _explain_removals(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    judged: Sequence[Definition],
    runs: Mapping[int, Mapping[str, Any]],
    day: date,
) -> None:
    """Add the rows of `removed` to `member_changes`, each with its reason (SEG-053); `judged` = the segments they left."""
    facts = trait_facts(catalog)
    mentions: set[tuple[int, int]] = set()
    moved: list[tuple[Any, ...]] = []
    for definition in judged:
        run = runs[definition.segment_id]
        written = parse_segment(run["rule"], None)
        gone = dict.fromkeys(named_traits(written) - facts.keys(), TraitFacts("onboarded", own=True))
        then = set_rule(written, facts | gone)
        mentions |= {(definition.segment_id, trait) for rule in (definition.rule, then) for trait in losing_traits(rule)}
        moved += [
            (definition.segment_id, edge.trait_id, edge.capped, edge.first, edge.last)
            for edge in edges(then.facts, run["evaluated_on"], day)
        ]
    register(
        con, "mention", {"segment_id": ([m[0] for m in mentions], pa.int64()), "trait_id": ([m[1] for m in mentions], pa.int64())}
    )
    kinds = {"segment_id": pa.int64(), "trait_id": pa.int64(), "capped": pa.bool_(), "first": pa.date32(), "last": pa.date32()}
    register(con, "segment_edge", {name: ([row[i] for row in moved], kind) for i, (name, kind) in enumerate(kinds.items())})
    register(con, "reason_order", {"reason": (REASONS, pa.string()), "rank": (range(len(REASONS)), pa.int32())})
    since = {definition.segment_id: runs[definition.segment_id]["evaluated_on"] for definition in judged}
    register(con, "since", {"segment_id": (list(since), pa.int64()), "since": (list(since.values()), pa.date32())})
    make(con, "removed", "SELECT removed.*, since.since FROM removed INNER JOIN since USING (segment_id)")
    make(con, "companion", sql(__file__, "companion.sql"))
    make(con, "regrouped", sql(__file__, "regrouped.sql"))
    make(con, "companion_profile", "SELECT DISTINCT with_dpid AS dpid, with_id AS id FROM companion")
    view_as_of(con, "traits_now", "profile_traits", day, only="companion_profile")
    view_as_of(con, "counts_now", "trait_counts", day, only="companion_profile")
    con.execute("INSERT INTO member_changes BY NAME " + sql(__file__, "removal_reasons.sql"), {"day": day})
