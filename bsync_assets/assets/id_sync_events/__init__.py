"""Stage `id_sync_events`: the calls that the HTTP service answered on the day, taken into the lake.

The captures are the truth and the day is replaced, so a call is there once however often the day is run, also while the day is
still open. Opt-outs act before everything else of their day (PRV-029). Where calls lead to links is the next stage's.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from bsync_assets.assets.slices import ToRead, read_slices
from bsync_assets.catalog.models import Catalog
from bsync_assets.rules.evaluation import load_comparisons, satisfy, verdict_name
from bsync_assets.rules.expressions import Expression, holds
from bsync_assets.rules.trait_rules import Comparison, parse_trait_rule
from bsync_assets.sqlfiles import make, one, sql
from bsync_assets.transport.captures import capture_files
from bsync_assets.warehouse.lake import commit_changes, fetch_all, rebase_if_due, replace_day, transaction, view_as_of

log = logging.getLogger("bsync.id_sync_events")

_DAILY = ("id_sync_events", "event_ids", "event_signals", "event_traits")


class DamagedCaptureError(RuntimeError):
    """A kept record cannot be read, other than a last line that was never answered: the disk or somebody's hand changed it."""


def take_events(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date) -> dict[str, int]:
    """Take in the calls of `day`; answers how many there were, were taken, and what they led to.

    Fills `id_sync_events`, `event_ids`, `event_signals` and `event_traits`, and the day's changes of `opt_outs` and `activity`.
    A day without captures stays as it is: it had none, or they are gone by retention.
    TRT-021, TRT-060 to TRT-062, SEG-002, SEG-004, PRV-016, PRV-020 to PRV-029. Raises DamagedCaptureError.
    """
    if not capture_files(catalog.home, day):
        return {"calls": 0, "taken": 0, "opt_outs": 0, "realized": 0}
    _read(con, catalog, day)
    before = day - timedelta(days=1)
    for state, view in (("opt_outs", "opt_outs_before"), ("activity", "activity_before"), ("id_links", "links_before")):
        view_as_of(con, view, state, before)
    make(con, "opt_out", sql(__file__, "opt_outs.sql"))
    make(con, "id_sync_events", sql(__file__, "outcomes.sql"), {"day": day})
    make(con, "event_ids", sql(__file__, "event_ids.sql"), {"day": day})
    make(con, "event_signals", sql(__file__, "event_signals.sql"), {"day": day})
    make(con, "activity_changes", sql(__file__, "activity.sql"))
    _realize(con, catalog)
    make(con, "event_traits", sql(__file__, "event_traits.sql"), {"day": day})
    with transaction(con):
        for table in _DAILY:
            replace_day(con, table, day, "temp." + table)
        commit_changes(con, "opt_outs", day, "opt_out")
        commit_changes(con, "activity", day, "temp.activity_changes")
    for state in ("opt_outs", "activity"):
        rebase_if_due(con, state, day)
    return {
        "calls": one(con, "SELECT count(*) FROM captured"),
        "taken": one(con, "SELECT count(*) FROM temp.id_sync_events WHERE outcome = 'taken'"),
        "opt_outs": one(con, "SELECT count(*) FROM opt_out"),
        "realized": one(con, "SELECT coalesce(sum(count), 0)::BIGINT FROM temp.event_traits"),
    }


def _read(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date) -> None:
    """Make `captured`, one row per call, numbered by time."""
    files = capture_files(catalog.home, day)
    make(con, "record", sql(__file__, "no_records.sql"))
    for _ in read_slices(con, [ToRead(number, path, None) for number, path in enumerate(files)]):
        con.execute("INSERT INTO record BY NAME " + sql(__file__, "records.sql"))
    damaged = con.execute(sql(__file__, "damaged.sql")).fetchall()
    if damaged:
        places = ", ".join(f"{files[file].name} line {line_no}" for file, line_no in damaged[:5])
        raise DamagedCaptureError(f"captured calls of {day} cannot be read: {places}")
    make(con, "captured", sql(__file__, "captured.sql"))


def _realize(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Make `event_shape` and `realized(shape, trait_id)`: which kind of visit realizes which rule-based traits."""
    comparisons: dict[tuple[Comparison, bool], int] = {}
    expressions: dict[int, Expression] = {}
    terms: dict[str, list[int]] = {"trait_id": [], "data_source": [], "term": [], "comparison": []}
    traits = [trait for trait in catalog.traits.values() if trait.kind == "rule"]
    for trait in traits:
        rule = parse_trait_rule(trait.rule or "")
        expressions[trait.id] = rule.expression
        is_case_sensitive = catalog.data_sources[trait.data_source].case == "sensitive"
        for term, comparison in enumerate(rule.comparisons):
            number = comparisons.setdefault((comparison, is_case_sensitive), len(comparisons))
            for name, value in zip(terms, (trait.id, trait.data_source, term, number), strict=True):
                terms[name].append(value)
    _given(con, "rule_term", {name: pa.array(values, pa.int64()) for name, values in terms.items()})
    _given(con, "rule_trait", {
        "trait_id": pa.array([trait.id for trait in traits], pa.int64()),
        "data_source": pa.array([trait.data_source for trait in traits], pa.int64()),
    })  # fmt: skip
    _given(con, "verdict", {
        "comparison": pa.array(comparisons.values(), pa.int64()),
        "name": pa.array([verdict_name(*comparison) for comparison in comparisons], pa.string()),
    })  # fmt: skip
    _given(con, "cross_device", {
        "dpid": pa.array([s.id for s in catalog.data_sources.values() if s.type == "cross_device"], pa.int64()),
    })  # fmt: skip
    make(con, "item", sql(__file__, "items.sql"))
    load_comparisons(con, list(comparisons))
    satisfy(con)
    make(con, "event_shape", sql(__file__, "event_shapes.sql"))
    make(con, "signature", sql(__file__, "signatures.sql"))
    held = [
        row
        for row in fetch_all(con, "SELECT DISTINCT trait_id, terms FROM signature")
        if holds(expressions[row["trait_id"]], set(row["terms"]))
    ]
    _given(con, "fulfilled", {
        "trait_id": pa.array([row["trait_id"] for row in held], pa.int64()),
        "terms": pa.array([row["terms"] for row in held], pa.list_(pa.int64())),
    })  # fmt: skip
    make(con, "realized", sql(__file__, "realized.sql"))


def _given(con: duckdb.DuckDBPyConnection, table: str, columns: dict[str, pa.Array]) -> None:
    con.register("given_columns", pa.table(columns))
    make(con, table, "FROM given_columns")
    con.unregister("given_columns")
