"""Which signals satisfy which comparisons (TRT-040 to TRT-049), in bulk: for a run and for `bsync explain`.

Belongs here: making and running the SQL of this package over temp tables. Does not belong here: reading
records, or what a satisfied rule leads to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from bsync_assets.rules.expressions import RuleError, holds
from bsync_assets.rules.patterns import re2_pattern
from bsync_assets.rules.trait_rules import Comparison, TraitRule, parse_trait_rule
from bsync_assets.sqlfiles import make, sql

_BATCH = 1_000  # inputs judged together: every signal meets every comparison of its key, also another input's


def load_comparisons(con: duckdb.DuckDBPyConnection, comparisons: Sequence[tuple[Comparison, bool]]) -> None:
    """Make the temp table `comparison(comparison INTEGER, key, op, operand VARCHAR, number DECIMAL(38, 10),
    case_sensitive BOOLEAN)`, and the macros that its operands and later the signals are read with.

    comparisons: each with whether it respects letter case; the position is its number. Patterns must be
    valid, as `parse_trait_rule` sees to.
    """
    given = pa.table(
        {
            "comparison": pa.array(range(len(comparisons)), pa.int32()),
            "key": pa.array((c.key for c, _ in comparisons), pa.string()),
            "op": pa.array((c.op for c, _ in comparisons), pa.string()),
            "operand": pa.array(
                (re2_pattern(c.operand) if c.op == "matchesregex" else c.operand for c, _ in comparisons),
                pa.string(),
            ),
            "case_sensitive": pa.array((sensitive for _, sensitive in comparisons), pa.bool_()),
        }
    )
    con.execute(sql(__file__, "macros.sql"))
    con.register("given", given)
    make(con, "comparison", sql(__file__, "comparison.sql"))
    con.unregister("given")


def satisfy(con: duckdb.DuckDBPyConnection, first: int = 0) -> None:
    """Make the temp table `satisfied(item BIGINT, comparison INTEGER)`, each pair once, for items from number `first` on.

    Reads `comparison` (see `load_comparisons`) and `item(item BIGINT, key VARCHAR, value VARCHAR)`, a temp
    table or view of distinct signals as sent, without NULLs.
    """
    make(con, "reading", sql(__file__, "reading.sql"), {"first": first})
    make(con, "satisfied", sql(__file__, "satisfied.sql"))
    make(con, "pattern_reading", sql(__file__, "pattern_reading.sql"))
    patterns = con.execute(
        "SELECT comparison, case_sensitive, key, operand AS pattern FROM comparison WHERE op = 'matchesregex'"
    ).fetchall()
    for comparison, case_sensitive, key, pattern in patterns:
        con.execute(
            "INSERT INTO satisfied " + sql(__file__, "satisfied_pattern.sql"),
            {"comparison": comparison, "case_sensitive": case_sensitive, "key": key, "pattern": pattern},
        )
    con.execute("DROP TABLE reading; DROP TABLE pattern_reading")


def verdict_name(comparison: Comparison, is_case_sensitive: bool) -> str:
    """What stands for a comparison where its text must not be kept (TRT-006): 24 hex digits."""
    return hashlib.sha256(repr((*comparison, is_case_sensitive)).encode()).hexdigest()[:24]


def trait_rule_results(con: duckdb.DuckDBPyConnection, inputs: Sequence[Mapping[str, Any]]) -> list[bool | str]:
    """The answers to `trait_rule` objects of the batch form, in order: whether the record satisfies the rule,
    or the code of a refused rule. Keys: rule, signals [[key, value], ...], case ("sensitive" or left out).

    `con` lends its engine; its own temp tables are not touched.
    """
    results: list[bool | str] = []
    with con.cursor() as scratch:
        for start in range(0, len(inputs), _BATCH):
            results += _judged(scratch, inputs[start : start + _BATCH])
    return results


def _judged(con: duckdb.DuckDBPyConnection, inputs: Sequence[Mapping[str, Any]]) -> list[bool | str]:
    rules: list[TraitRule | str] = []  # a code where refused
    comparisons: dict[tuple[Comparison, bool], int] = {}
    items: dict[tuple[str, str], int] = {}
    for given in inputs:
        try:
            parsed = parse_trait_rule(given["rule"])
        except RuleError as error:
            rules.append(error.code)
            continue
        rules.append(parsed)
        for comparison in parsed.comparisons:
            comparisons.setdefault((comparison, _sensitive(given)), len(comparisons))
        for signal in _signals(given):
            items.setdefault(signal, len(items))

    load_comparisons(con, list(comparisons))
    con.register(
        "item",
        pa.table(
            {
                "item": pa.array(items.values(), pa.int64()),
                "key": pa.array((key for key, _ in items), pa.string()),
                "value": pa.array((value for _, value in items), pa.string()),
            }
        ),
    )
    satisfy(con)
    con.unregister("item")
    satisfied = set(con.execute("FROM satisfied").fetchall())

    results: list[bool | str] = []
    for given, rule in zip(inputs, rules, strict=True):
        if isinstance(rule, str):
            results.append(rule)
            continue
        signals = [items[signal] for signal in _signals(given)]
        numbers = [comparisons[comparison, _sensitive(given)] for comparison in rule.comparisons]
        true = {i for i, number in enumerate(numbers) if any((item, number) in satisfied for item in signals)}
        results.append(holds(rule.expression, true))
    return results


def _sensitive(given: Mapping[str, Any]) -> bool:
    return given.get("case") == "sensitive"


def _signals(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """JSON can say half a surrogate pair, which is no text: it becomes a question mark."""
    return [(_text(key), _text(value)) for key, value in given["signals"]]


def _text(given: str) -> str:
    return given.encode("utf-8", "replace").decode("utf-8")
