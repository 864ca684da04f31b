"""A dry run of a segment expression or trait rule before it goes live: `bsync preview`. Nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa
from pyroaring import BitMap

from bsync_assets.assets.segment_members import judging
from bsync_assets.assets.segment_members.definitions import define, people, trait_facts
from bsync_assets.assets.segment_members.judging import bitmaps, register, register_sets
from bsync_assets.catalog.models import Catalog, Segment
from bsync_assets.rules.evaluation import load_comparisons, satisfy
from bsync_assets.rules.expressions import holds
from bsync_assets.rules.segment_sets import fact_traits
from bsync_assets.rules.segments import parse_segment
from bsync_assets.rules.trait_rules import parse_trait_rule
from bsync_assets.sqlfiles import make, one, sql
from bsync_assets.warehouse.lake import fetch_all, view_as_of


def preview_segment(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    expression: str,
    day: date,
    instead_of: int | None = None,
    merge_rule: str = "device",
    merge_sources: Sequence[int] = (),
) -> dict[str, Any]:
    """Who would be in a segment with this expression at the end of `day`, the lake being attached.

    Given `instead_of`, merge rule and sources are those of that segment, and its present members are compared. Answers
    {expression, day, members, devices, people, current, kept, gained, lost, addressable: {destination: members}}.
    Raises RuleError when the expression is refused, LookupError when there is no such segment.
    """
    facts = trait_facts(catalog)
    parse_segment(expression, facts)
    if instead_of is None:
        draft = Segment(id=1, rule=expression, merge_rule=merge_rule, merge_sources=tuple(merge_sources))  # type: ignore[arg-type]
    elif instead_of in catalog.segments:
        draft = catalog.segments[instead_of].model_copy(update={"rule": expression})
    else:
        raise LookupError(f"there is no segment {instead_of} in catalog/segments.yaml")
    definition = define(catalog, draft, facts)
    segments = [instead_of] if instead_of is not None else []
    register(con, "judged_segment", {"key": (range(len(segments)), pa.uint32()), "segment_id": (segments, pa.int64())})
    traits = sorted({trait for fact in definition.rule.facts for trait in fact_traits(fact)})
    register(con, "named_trait", {"trait_id": (traits, pa.int64())})
    view_as_of(con, "traits_now", "profile_traits", day)
    view_as_of(con, "counts_now", "trait_counts", day)
    view_as_of(con, "members_then", "segment_members", day)
    judging.find_last_users(con, definition.merge.sources, day, "_now")
    judging.merge_profiles(con, definition.merge, "_now")
    make(con, "concerned", sql(__file__, "everyone.sql"))
    make(con, "judged_profile", sql(__file__, "judged_profile.sql"))
    judging.place_profiles(con, definition.merge, people(catalog))
    register_sets(con, "satisfied", "key", "unit", judging.judge(con, [definition], day))
    (members,) = bitmaps(con, sql(__file__, "members.sql"), 1)
    current = bitmaps(con, sql(__file__, "members_then.sql"), 1)[0] if segments else BitMap()
    register_sets(con, "drafted", "key", "no", [members])
    make(con, "draft_member", "SELECT dpid, id FROM drafted INNER JOIN judged_profile USING (no)")
    persons = one(con, "SELECT count(*) FROM draft_member WHERE list_contains($people, dpid)", {"people": people(catalog)})
    answer: dict[str, Any] = {"expression": expression, "day": day, "members": len(members)}
    answer |= {"devices": len(members) - persons, "people": persons}
    if segments:
        answer |= {"current": len(current), "kept": len(members & current)}
        answer |= {"gained": len(members - current), "lost": len(current - members)}
    return answer | {"addressable": _reach(con, catalog)}


def _reach(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> dict[int, int]:
    destinations = list(catalog.destinations.values())
    register(
        con,
        "destination",
        {"destination": ([d.id for d in destinations], pa.int64()), "dpid": ([d.dpid for d in destinations], pa.int64())},
    )
    return {row["destination"]: row["addressable"] for row in fetch_all(con, sql(__file__, "preview_reach.sql"))}


def preview_rule(con: duckdb.DuckDBPyConnection, rule: str, day: date, days: int, case_sensitive: bool = False) -> dict[str, Any]:
    """How many visits of the `days` days up to `day` would realize a rule-based trait with this rule, the lake being attached.

    Visits are the only records whose signals are kept together; those of files end with the run. Answers {rule, first, last,
    events, realizations, devices}. Raises RuleError when the rule is refused.
    """
    parsed = parse_trait_rule(rule)
    load_comparisons(con, [(comparison, case_sensitive) for comparison in parsed.comparisons])
    span = {"first": day - timedelta(days=days - 1), "last": day}
    make(con, "said", "SELECT * FROM lake.main.event_signals WHERE day BETWEEN $first AND $last", span)
    make(con, "item", "SELECT row_number() OVER () AS item, key, value FROM (SELECT DISTINCT key, value FROM said)")
    satisfy(con)
    true = con.execute("""
        SELECT day, event, list(DISTINCT satisfied.comparison)
        FROM said INNER JOIN item USING (key, value) INNER JOIN satisfied USING (item)
        GROUP BY day, event
    """).fetchall()
    hits = [(on, event) for on, event, comparisons in true if holds(parsed.expression, set(comparisons))]
    register(con, "hit", {"day": ([on for on, _ in hits], pa.date32()), "event": ([event for _, event in hits], pa.int64())})
    return {
        "rule": rule,
        **span,
        "events": one(con, "SELECT count(*) FROM (SELECT DISTINCT day, event FROM said)"),
        "realizations": len(hits),
        "devices": one(con, "SELECT count(DISTINCT device_id) FROM lake.main.id_sync_events INNER JOIN hit USING (day, event)"),
    }
