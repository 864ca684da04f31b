"""What goes out to one destination for one day: live mappings, the values they have there, and the rows (OUT-003 to OUT-026).

Makes temp tables and answers a `Plan`; nothing is written to the lake, nothing leaves the house.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from bsync_assets.catalog.models import Catalog, Destination, Segment
from bsync_assets.exchange.namespaces import DEVICE_DPIDS
from bsync_assets.exchange.templates import DEFAULT_CONTENT, Content, Delivery, Values, compile_content, parse_template
from bsync_assets.rules.export_controls import Block, blocked_sources, blocks
from bsync_assets.sqlfiles import make, one, sql
from bsync_assets.warehouse.lake import quoted, state_as_of
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import Column

_VALUE = (
    Column("pos", "INTEGER", "position among the values of the delivery, from 1, segments ascending"),
    Column("value", "VARCHAR", "destination value"),
    Column("segment_id", "BIGINT", "the segment it stands for; the lowest if there are several"),
    Column("is_live", "BOOLEAN", "whether a live mapping has this value, or the segment that had it is mapped live"),
)
_VALUE_OF = (Column("segment_id", "BIGINT", "segment with a live mapping"), Column("pos", "INTEGER", "its value"))
_CROSS_DEVICE_RULES = ("last_auth_device", "profile_link", "all_cross_device")
#: The end of time: a state as of then is what is known now.
NOW = date.max
_PAIRS_TOGETHER = 4_000_000
_MOST_RANGES = 64  # files open at a time; with more pairs than 64 of these hold, ranges grow
_SAMPLED = 20_000
_ROWS_TOGETHER = 500_000


@dataclass(frozen=True)
class Plan:
    """The rows of a delivery as a SELECT in the order of the file: `line` with its line feed, or null for a row that would break
    its line, and then its ID in `broken` (OUT-053, OUT-063).

    It answers for one of `parts`: files with the pairs of one range of IDs each, in the order of the ranges.
    """

    rows: str
    params: dict[str, Any]
    parts: Sequence[str]


def read_rows(con: duckdb.DuckDBPyConnection, plan: Plan) -> Iterator[pa.RecordBatch]:
    """All rows of the plan. One range of IDs is rendered at a time, so memory does not depend on how many there are."""
    for part in plan.parts:
        yield from con.execute(plan.rows, plan.params | {"part": part}).to_arrow_reader(_ROWS_TOGETHER)


def live_mappings(catalog: Catalog, destination: Destination, day: date) -> tuple[dict[int, str], list[dict[str, Any]]]:
    """(segment -> destination value) of the mappings that are live on `day`, and why others are blocked (OUT-005, OUT-012)."""
    live: dict[int, str] = {}
    blocked: list[dict[str, Any]] = []
    for mapping in destination.segments:
        segment = catalog.segments[mapping.id]
        in_time = (mapping.start is None or mapping.start <= day) and (mapping.end is None or day < mapping.end)
        if segment.status != "active" or not in_time:
            continue
        found = blocks(segment, destination.labels, catalog.traits, catalog.data_sources)
        if not found and not _exports(catalog, segment, destination.master_dpid):
            found = [Block("merge_rule", segment.merge_rule)]
        blocked += [
            {"day": day, "destination": destination.id, "segment_id": segment.id, "code": block.code, "source": block.source}
            for block in found
        ]
        if not found:
            live[segment.id] = mapping.value or segment.integration_code or str(segment.id)
    return live, blocked


def _exports(catalog: Catalog, segment: Segment, namespace: int) -> bool:
    """Rows of a cross-device namespace come only from segments that merge its IDs (OUT-012)."""
    if not _is_cross_device(catalog, namespace):
        return True
    return segment.merge_rule in _CROSS_DEVICE_RULES and namespace in segment.merge_sources


def _is_cross_device(catalog: Catalog, namespace: int) -> bool:
    source = catalog.data_sources.get(namespace)
    return source is not None and source.type == "cross_device"


def _is_device(catalog: Catalog, namespace: int) -> bool:
    source = catalog.data_sources.get(namespace)
    return namespace in DEVICE_DPIDS or (source is not None and source.type == "device")


def members_of_day(con: duckdb.DuckDBPyConnection, catalog: Catalog, destinations: Sequence[Destination], day: date) -> None:
    """Make `member_of_day(segment_id, dpid, id)` of all segments that these destinations map, and `opted_out(dpid, id)`.

    Opt-outs count as soon as they are known, also for a day that is delivered late (OUT-015, PRV-038).
    """
    mapped = sorted({mapping.id for destination in destinations for mapping in destination.segments})
    make(con, "opted_out", "SELECT dpid, id FROM (" + state_as_of("opt_outs") + ")", {"day": NOW})
    make(
        con,
        "member_of_day",
        "SELECT segment_id, dpid, id FROM (" + state_as_of("segment_members") + ") AS member "
        "ANTI JOIN opted_out USING (dpid, id) WHERE list_contains($mapped, segment_id)",
        {"day": day, "mapped": mapped},
    )


def plan_rows(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, destination: Destination, day: date, delivery: Delivery, folder: Path
) -> tuple[Plan, list[dict[str, Any]]]:
    """Make `pair` (every ID and value that is or was), `known_value`, `reach` and `broken` (empty), and answer the plan and what
    is blocked. Reads the tables of `members_of_day`. `pair` is a view of files in `folder`, which is empty before."""
    live, blocked = live_mappings(catalog, destination, day)
    _published(con, destination)
    _values(con, live)
    namespace = destination.master_dpid
    shared = {"namespace": namespace, "device_dpids": list(DEVICE_DPIDS)}
    links = "SELECT * FROM (" + state_as_of("id_links") + ") WHERE dpid = $namespace OR device_dpid = $namespace"
    make(con, "address_link", links, {"day": day, "namespace": namespace})
    is_device = _is_device(catalog, namespace)
    make(con, "edge", sql(__file__, "edge.sql"), {"namespace": namespace, "both_ways": is_device})
    only_newest = namespace == 0 or _is_cross_device(catalog, namespace)
    make(con, "address", sql(__file__, "address.sql"), shared | {"devices_only": namespace == 0, "only_newest": only_newest})
    make(con, "device", sql(__file__, "device.sql"), {"device_dpids": list(DEVICE_DPIDS)})
    make(con, "reach", sql(__file__, "reach.sql"), {"day": day, "destination": destination.id, "namespace": namespace})
    current = sql(__file__, "current.sql")
    if one(con, "SELECT (SELECT count(*) FROM address) > 0 OR (SELECT count(*) <> count(DISTINCT pos) FROM value_of)"):
        current = "SELECT DISTINCT * FROM (" + current + ")"  # elsewhere a member is one ID and a segment one value
    pairs = (
        "WITH current AS (" + current + "), published AS (" + sql(__file__, "published.sql") + ") " + sql(__file__, "pair.sql")
    )
    parts = _write_pairs(con, pairs, namespace, folder)
    con.execute(
        "CREATE OR REPLACE TEMP VIEW pair AS FROM read_parquet(" + quoted(folder / "*/*") + ", hive_partitioning = false)"
    )
    make(con, "broken", "SELECT id FROM pair LIMIT 0")
    return _rows(con, catalog, destination, day, delivery, parts), blocked


def _write_pairs(con: duckdb.DuckDBPyConnection, pairs: str, namespace: int, folder: Path) -> list[str]:
    """Write the SELECT `pairs` into one folder per range of IDs; answers what reads each.

    Ranges of about `_PAIRS_TOGETHER` pairs: grouping and sorting all of them at once would not fit into memory.
    """
    params: dict[str, Any] = {"namespace": namespace}
    ids = """
        SELECT id FROM member_of_day WHERE dpid = $namespace
        UNION ALL SELECT id FROM address
        UNION ALL SELECT id FROM published_then
    """
    ranges = min(-(-one(con, f"SELECT count(*) FROM ({ids})", params) // _PAIRS_TOGETHER), _MOST_RANGES) or 1
    sample = f"SELECT quantile_disc(id, $shares) FROM (FROM ({ids}) USING SAMPLE {_SAMPLED} ROWS)"
    bounds = one(con, sample, params | {"shares": [number / ranges for number in range(1, ranges)]})
    params |= {f"bound{number}": bound for number, bound in enumerate(bounds or ())}

    def number_of_range(first: int, last: int) -> str:
        if first == last:
            return str(first)
        middle = (first + last) // 2
        return f"CASE WHEN id < $bound{middle} THEN {number_of_range(first, middle)} ELSE {number_of_range(middle + 1, last)} END"

    con.execute("SET partitioned_write_flush_threshold = 100_000")  # rows held per range and thread
    select = f"SELECT *, {number_of_range(0, ranges - 1)} AS range FROM ({pairs})"
    if ranges > 1:
        written = quoted(folder) + " (FORMAT parquet, COMPRESSION uncompressed, PARTITION_BY range)"
        con.execute("COPY (" + select + ") TO " + written, params)
    parts = [part for part in (folder / f"range={number}" for number in range(ranges)) if part.exists()]
    if not parts:  # one range, or members of mappings that are blocked and so no pair at all
        parts = [folder / "range=0"]
        parts[0].mkdir()
        con.execute("COPY (" + select + ") TO " + quoted(parts[0] / "pairs.parquet"), params)
    return [str(part / "*") for part in parts]


def _published(con: duckdb.DuckDBPyConnection, destination: Destination) -> None:
    make(con, "published_then", "SELECT * FROM (" + state_as_of("published_members") + ") WHERE destination = $destination",
         {"day": NOW, "destination": destination.id})  # fmt: skip


def _values(con: duckdb.DuckDBPyConnection, live: dict[int, str]) -> None:
    """Make `known_value` and `value_of`: the few values of the delivery, those of today and those told before."""
    standing_for: dict[str, int] = {}
    for segment, value in sorted(live.items()):
        standing_for.setdefault(value, segment)
    told = con.execute("SELECT value, list(DISTINCT segment_id) FROM published_then GROUP BY value").fetchall()
    is_live = dict.fromkeys(standing_for, True)
    for value, segments in told:
        standing_for.setdefault(value, min(segments))
        is_live.setdefault(value, any(segment in live for segment in segments))
    ordered = sorted(standing_for.items(), key=lambda item: (item[1], item[0]))
    position = {value: number for number, (value, _) in enumerate(ordered, 1)}
    rows_table(con, "known_value", _VALUE, (
        {"pos": position[value], "value": value, "segment_id": segment, "is_live": is_live[value]} for value, segment in ordered
    ))  # fmt: skip
    rows_table(con, "value_of", _VALUE_OF, ({"segment_id": s, "pos": position[value]} for s, value in live.items()))


def _rows(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    destination: Destination,
    day: date,
    delivery: Delivery,
    parts: Sequence[str],
) -> Plan:
    values = con.execute("SELECT value, segment_id FROM known_value ORDER BY pos").fetchall()
    legacy = {segment.id: segment.legacy_id for segment in catalog.segments.values()}
    template = parse_template(destination.content or DEFAULT_CONTENT, "content")
    content = compile_content(
        template, delivery,
        Values([str(s) for _, s in values], [str(legacy.get(s) or s) for _, s in values], [value for value, _ in values]),
    )  # fmt: skip
    params = dict(content.params)
    selected, joins = _row_columns(con, catalog, destination, day, content, params)
    # A row that would break its line is not written (OUT-053). The default content holds nothing but the ID and the values.
    breaks = "contains(line, chr(10)) OR contains(line, chr(13))"
    if not destination.content:
        breaks = "contains(id, ' ') OR contains(id, ',') OR contains(id, chr(10)) OR contains(id, chr(13))"
        odd = [number for number, (value, _) in enumerate(values, 1) if set(value) & set(" ,\r\n")]
        if odd:
            params["odd"] = odd
            breaks += " OR list_has_any(segments || removed, $odd)"
    told = "is_current" if delivery.sync_mode == "full" else "is_current AND NOT is_published"
    element = "{'pos': pos, 'updated': updated}" if content.times else "pos"
    pairs = "(" + sql(__file__, "dated_pair.sql") + ")" if content.times else "pair"
    rows = f"""
        WITH pair AS (FROM read_parquet($part, hive_partitioning = false)),
        row AS (
            SELECT
                id AS dp_uuid,
                coalesce(list({element}) FILTER ({told}), []) AS segments,
                coalesce(list({element}) FILTER (is_removed), []) AS removed
            FROM {pairs}
            WHERE {told} OR is_removed
            GROUP BY id
        ),
        filled AS (
            SELECT row.*{selected} FROM row {joins}
        ),
        rendered AS (
            SELECT dp_uuid AS id, segments, removed, {content.expression} AS line FROM filled
        )
        SELECT
            CASE WHEN {breaks} THEN id END AS broken,
            CASE WHEN NOT ({breaks}) THEN concat(line, chr(10)) END AS line
        FROM rendered
        ORDER BY id
    """
    return Plan(rows, params, parts)


def _row_columns(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    destination: Destination,
    day: date,
    content: Content,
    params: dict[str, Any],
) -> tuple[str, str]:
    """Columns a template asks for beyond the ID and its segments, as (select list, joins); their tables are made here."""
    namespace = destination.master_dpid
    selected, joins = "", ""
    wanted = content.columns - {"dp_uuid", "segments", "removed"}
    if wanted:
        make(con, "row_device", sql(__file__, "row_device.sql"), {"is_platform": namespace == 0})
        joins += " LEFT JOIN row_device ON row_device.id = row.dp_uuid"
        selected += ", CASE WHEN row_device.device_dpid = 0 THEN row_device.device_id END AS uuid"
    if wanted & {"mcid", "dp_uuid_list", "maps"}:
        # The links of the rows' devices, of whichever namespace: one pass over all links.
        link = state_as_of("id_links")
        make(
            con,
            "device_link",
            "WITH link AS (" + link + ") SELECT * FROM (" + sql(__file__, "device_link.sql") + ")",
            {"day": day},
        )
    for column in sorted(wanted & {"mcid", "dp_uuid_list", "maps"}):
        make(
            con, f"row_{column}", sql(__file__, f"row_{column}.sql"), {"namespace": namespace} if column == "dp_uuid_list" else {}
        )
        joins += f" LEFT JOIN row_{column} ON row_{column}.id = row.dp_uuid"
        selected += f", row_{column}.{column}" if column == "mcid" else f", coalesce(row_{column}.{column}, []) AS {column}"
    if "traits" in wanted:
        _traits(con, catalog, destination, day)
        joins += " LEFT JOIN row_traits ON row_traits.id = row.dp_uuid"
        selected += ", coalesce(row_traits.traits, []) AS traits"
    if content.times:
        make(con, "segment_change", "SELECT segment_id, dpid, id, max(day) AS day FROM lake.main.segment_changes "
             "WHERE day <= $day GROUP BY ALL", {"day": day})  # fmt: skip
        params |= {"day": day, "namespace": namespace}
    return selected, joins


def _traits(con: duckdb.DuckDBPyConnection, catalog: Catalog, destination: Destination, day: date) -> None:
    """Make `row_traits`: active traits of own data sources, less those that an export control blocks (OUT-025, OUT-051)."""
    blocked = set(blocked_sources(destination.labels, catalog.data_sources))
    own = {source.id for source in catalog.data_sources.values() if source.owner is None}
    types = {"onboarded": 10, "rule": 3}
    printable = [trait for trait in catalog.traits.values() if trait.data_source in own - blocked]
    columns = (Column("trait_id", "BIGINT", "the trait"), Column("type", "INTEGER", "10 onboarded, 3 rule-based"))
    rows_table(con, "printable_trait", columns, ({"trait_id": t.id, "type": types.get(t.kind)} for t in printable))
    held = "SELECT dpid, id, trait_id, last_realized, expires_at FROM (" + state_as_of("profile_traits") + ")"
    make(con, "row_traits", "WITH held AS (" + held + ") SELECT * FROM (" + sql(__file__, "row_traits.sql") + ")",
         {"day": day, "namespace": destination.master_dpid})  # fmt: skip
