"""Stage `matched_traits`: lines of data files -> records, whose they are, and which traits they ask for.

Nothing here depends on what profiles held before; that is the next stage's. A slice of lines passes through temp tables:
`line` -> `verdict`, `item` (exchange) -> `satisfied` (rules) -> `effect` -> `resolved` -> `operation`, `outcome`.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from bsync_assets.assets.inbound_files import to_read
from bsync_assets.assets.matched_traits.asked import Rules, ask, count_unused
from bsync_assets.assets.matched_traits.linked import LinkedIds, linked_ids
from bsync_assets.assets.slices import read_slices
from bsync_assets.catalog.models import Catalog, Trait
from bsync_assets.exchange import data_lines
from bsync_assets.exchange.namespaces import DEVICE_DPIDS, ECID, PLATFORM, id_form
from bsync_assets.exchange.octets import Flags
from bsync_assets.exchange.reasons import LINE_REASONS
from bsync_assets.rules.evaluation import load_comparisons, satisfy
from bsync_assets.rules.expressions import Expression, anchors, any_will_do
from bsync_assets.rules.trait_rules import Comparison, TraitRule, parse_trait_rule
from bsync_assets.sqlfiles import make, one, show, sql
from bsync_assets.warehouse.lake import clear_day, fetch_all, replace_day, state_as_of, transaction, view_as_of
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import BY_NAME, Column

log = logging.getLogger("bsync.matched_traits")

#: How a data file is read; `dpid` is the namespace of its user IDs, `source` the data source that its name gives.
DATA_FILE = (
    Column("file", "INTEGER", "order within the day"),
    Column("partner", "VARCHAR", "sender"),
    Column("key", "VARCHAR", "key of the file"),
    Column("file_id", "BIGINT", "number in records and operations"),
    Column("batch", "INTEGER", "pick-up"),
    Column("sha256", "VARCHAR", "kept copy"),
    Column("compression", "VARCHAR", "gz or null"),
    Column("format", "VARCHAR", "standard or odc"),
    Column("mode", "VARCHAR", "sync or overwrite"),
    Column("source", "BIGINT", "data source by the name"),
    Column("dpid", "BIGINT", "namespace of the user IDs"),
    Column("target", "BIGINT", "data source whose traits may change"),
    Column("form", "VARCHAR", "form of the user IDs"),
    Column("resolve", "VARCHAR", "device, cross_device or linked: whose profile a record is for"),
    Column("keep_unmatched_days", "INTEGER", "how long operations without a link are kept"),
    Column("context", "INTEGER", "twice the number of the target, odd for overwrite"),
)


#: What each slice adds to the lake: table -> its query.
_OF_A_SLICE = {
    "stored_records": "slice_records.sql",
    "trait_operations": "slice_operations.sql",
    "rejected_lines": "slice_rejects.sql",
}
#: What slices say of signals that no rule used; see the `.sql` files.
_UNUSED = {
    "slice_signal": "partner VARCHAR, target BIGINT, key VARCHAR, value VARCHAR, hits BIGINT",
    "near_signal": "target BIGINT, key VARCHAR, value VARCHAR, trait_id BIGINT, change VARCHAR",
    "near_user": "partner VARCHAR, target BIGINT, key VARCHAR, value VARCHAR, user_hash UBIGINT",
}


def match_records(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date, partners: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Read the day's accepted data files of these partners; answers per partner files, records received and stored.

    Fills `stored_records`, `trait_operations`, `data_figures`, `unused_signals` and `rejected_lines`.
    INB-50 to INB-96, INB-123 to INB-132, INB-147.
    """
    files = data_files(con, catalog, day, partners)
    rules = prepare(con, catalog, files)
    view_as_of(con, "current_link", "id_links", day)
    make(con, "opted_out", state_as_of("opt_outs"), {"day": day})
    linked = linked_ids(con)
    make(con, "barred_id", sql(__file__, "barred_id.sql"))
    for table, columns in _UNUSED.items():
        rows_table(con, table, columns, ())
    with transaction(con):
        for table in ("stored_records", "trait_operations"):
            clear_day(con, table, day, partners)
        clear_day(con, "rejected_lines", day, partners, stage="matched_traits")
    # One transaction a slice: a transaction holds what was replaced in it until it ends, be it temporary. A day that is broken
    # off is read anew from here.
    for given in read_slices(con, [to_read(catalog, file) for file in files]):
        is_unused = judge_slice(con, rules, linked, given)
        with transaction(con):
            for table, query in _OF_A_SLICE.items():
                rows = "SELECT $day::DATE AS day, * FROM (" + sql(__file__, query) + ")"
                con.execute("INSERT INTO lake.main." + table + " BY NAME " + rows, {"day": day})
        count_unused(con, given, is_unused)
        _note_unused(con, given)
    make(con, "figures", sql(__file__, "day_figures.sql"), {"day": day})
    make(con, "unused_signal", sql(__file__, "unused_signals.sql"), {"day": day})
    with transaction(con):
        replace_day(con, "data_figures", day, "figures", partners)
        replace_day(con, "unused_signals", day, "unused_signal", partners)
    totals = {
        row.pop("partner"): row
        for row in fetch_all(con, """
            SELECT partner, count(*) AS files, sum(records_received)::BIGINT AS received, sum(stored_records)::BIGINT AS stored
            FROM figures GROUP BY partner
        """)
    }  # fmt: skip
    return {partner: totals.get(partner, {"files": 0, "received": 0, "stored": 0}) for partner in partners}


def _note_unused(con: duckdb.DuckDBPyConnection, given: data_lines.Slice) -> None:
    """Add the slice's unused pairs to `slice_signal`, and to `near_signal` and `near_user` what nearly was used and by whom."""
    make(con, "unused", sql(__file__, "slice_signals.sql"))
    con.execute("INSERT INTO slice_signal BY NAME FROM unused")
    make(con, "near_miss", sql(__file__, "near_misses.sql"))
    if one(con, "SELECT count(*) FROM near_miss"):
        con.execute("INSERT INTO near_signal BY NAME FROM near_miss")
        data_lines.make_tokens(con, "near_token", given.tokens, "SELECT item FROM item SEMI JOIN near_miss USING (key, value)")
        con.execute("INSERT INTO near_user BY NAME " + sql(__file__, "near_users.sql"))


def data_files(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date, partners: Sequence[str]) -> list[dict[str, Any]]:
    """The day's accepted data files in order of processing (INB-155), as rows of `DATA_FILE`; `file` counts from 0."""
    rows = fetch_all(con, """
        SELECT
            partner, key, file_id, batch, sha256, compression, encryption, format, mode, dpid AS source, target, split,
            arrived_at, decided_at IS NOT NULL AS is_decided
        FROM lake.main.inbound_files
        WHERE day = $day AND family = 'data' AND status = 'accepted' AND list_contains($partners, partner)
    """, {"day": day, "partners": list(partners)})  # fmt: skip
    rows.sort(key=lambda row: (row["arrived_at"], logical_name(row["key"]), -1 if row["split"] is None else row["split"],
                               row["partner"], row["sha256"]))  # fmt: skip
    devices = {"resolve": "device", "keep_unmatched_days": 0}  # an ODC line says itself which kind of device ID it has (INB-74)
    return [
        row | reading(catalog, row["source"]) | (devices if row["format"] == "odc" else {}) | {"file": number}
        for number, row in enumerate(rows)
    ]


def logical_name(key: str) -> str:
    """What the parts of one file have in common: the key up to the mode. A part may be packed or not."""
    return re.sub(r"(\.(?:sync|overwrite))(?:\.[^/]*)?$", r"\1", key)


def reading(catalog: Catalog, source: int) -> dict[str, Any]:
    """How files of a data source are read: namespace and form of their IDs, and whose profile a record is for.

    INB-67, INB-90 to INB-94.
    """
    declared = catalog.data_sources.get(source)
    key, label = (declared.key, declared.label) if declared else ("customer", None)
    namespace = {"aam": PLATFORM, "ecid": ECID}.get(key, source)
    if namespace in DEVICE_DPIDS:
        resolve = "device"
    else:
        resolve = "cross_device" if declared and declared.type == "cross_device" else "linked"
    keep = declared.keep_unmatched_days if declared and resolve == "linked" else 0
    return {"dpid": namespace, "form": id_form(source, key, label), "resolve": resolve, "keep_unmatched_days": keep}


def prepare(con: duckdb.DuckDBPyConnection, catalog: Catalog, files: Iterable[dict[str, Any]]) -> Rules:
    """Make the temp tables that slices of these files (rows of `DATA_FILE`) are read and judged with, and answer the rules."""
    data_lines.prepare(con)
    targets: dict[int, int] = {}
    contexts: dict[int, dict[str, Any]] = {}
    rows = []
    for file in files:
        target, is_overwrite = file["target"], file["mode"] == "overwrite"
        number = 2 * targets.setdefault(target, len(targets)) + is_overwrite
        contexts[number] = {"context": number, "target": target, "is_overwrite": is_overwrite}
        rows.append(file | {"context": number, "format": "odc" if file["format"] == "odc" else "standard"})
    rows_table(con, "data_file", DATA_FILE, rows)
    rows_table(con, "context", "context INTEGER, target BIGINT, is_overwrite BOOLEAN", contexts.values())
    numbered = "SELECT file, dense_rank() OVER (ORDER BY partner, target) AS sender, partner, target FROM data_file"
    make(con, "sender", numbered)
    counters = [c for c in BY_NAME["data_figures"].columns if c.type == "BIGINT" and c.name not in ("dpid", "target")]
    rows_table(con, "slice_figure", [Column("file", "INTEGER", "order within the day"), *counters], ())
    reasons = (Column("code", "VARCHAR", "reason"), Column("counter", "VARCHAR", "what it adds to"))
    rows_table(con, "line_reason", reasons, ({"code": r.code, "counter": r.counter} for r in LINE_REASONS))
    return _load_rules(con, catalog, set(targets))


def _load_rules(con: duckdb.DuckDBPyConnection, catalog: Catalog, targets: set[int]) -> Rules:
    """Make `trait`, `comparison`, `rule_term` (one row per comparison of a rule) and an empty `effect`. INB-82, TRT-072."""
    comparisons: dict[tuple[Comparison, bool], int] = {}
    numbered: list[tuple[Trait, TraitRule, list[int]]] = []
    for trait in catalog.traits.values():
        if trait.kind == "onboarded" and trait.rule is not None and trait.data_source in targets:
            rule = parse_trait_rule(trait.rule)
            sensitive = catalog.data_sources[trait.data_source].case == "sensitive"
            numbers = [comparisons.setdefault((comparison, sensitive), len(comparisons)) for comparison in rule.comparisons]
            numbered.append((trait, rule, numbers))
    load_comparisons(con, list(comparisons))
    shared = Counter(number for _, _, numbers in numbered for number in numbers)
    terms: list[tuple[Any, ...]] = []
    expressions: dict[int, Expression] = {}
    for trait, rule, numbers in numbered:
        is_simple = any_will_do(rule.expression)
        needed = anchors(rule.expression, [shared[number] for number in numbers]) if not is_simple else set()
        if not is_simple:
            expressions[trait.id] = rule.expression
        for term, number in enumerate(numbers):
            terms.append((number, trait.id, term, trait.data_source, is_simple, term in needed))
    _arrow_table(con, "rule_term", terms, {
        "comparison": pa.int32(), "trait_id": pa.int64(), "term": pa.int32(), "target": pa.int64(), "is_simple": pa.bool_(),
        "is_anchor": pa.bool_(),
    })  # fmt: skip
    _arrow_table(con, "trait", [(t.id, t.data_source, t.kind) for t in catalog.traits.values()],
                 {"trait_id": pa.int64(), "data_source": pa.int64(), "kind": pa.string()})  # fmt: skip
    con.execute(
        "CREATE OR REPLACE TEMP TABLE effect (item INTEGER, context INTEGER, effect VARCHAR, trait_id BIGINT, term INTEGER)"
    )
    return Rules(expressions)


def _arrow_table(
    con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]], types: dict[str, pa.DataType]
) -> None:
    columns = zip(*rows, strict=True) if rows else ((),) * len(types)
    given = pa.table([pa.array(column, kind) for column, kind in zip(columns, types.values(), strict=True)], names=list(types))
    con.register("given_rows", given)
    make(con, table, "FROM given_rows")
    con.unregister("given_rows")


def judge_slice(con: duckdb.DuckDBPyConnection, rules: Rules, linked: LinkedIds, given: data_lines.Slice) -> Flags:
    """From the slice in `line` make `operation` (see `ask`) and `outcome` (rec, file, line_no, reason, ...), and add to
    `slice_figure`. `rules` is what `prepare` answered; `barred_id` must be there. Answers which tokens are unused signals.

    INB-75 to INB-96, INB-129 to INB-132.
    """
    data_lines.parse_slice(con, given)
    known = given.tokens.known
    if known == 0:
        con.execute("DELETE FROM effect")
    satisfy(con, known)
    con.execute("INSERT INTO effect BY NAME " + sql(__file__, "effects.sql"), {"first": known})
    records = con.execute("SELECT rec, namespace, user_id FROM record").to_arrow_table()
    show(con, "linked", pa.table({"rec": linked.among(records)}))
    make(con, "resolved", sql(__file__, "resolved.sql"))
    con.execute("CREATE OR REPLACE TEMP VIEW countable AS " + sql(__file__, "countable.sql"))
    is_unused = ask(con, rules, given)
    make(con, "outcome", sql(__file__, "outcomes.sql"))
    con.execute("INSERT INTO slice_figure BY NAME " + sql(__file__, "slice_figures.sql"))
    return is_unused
