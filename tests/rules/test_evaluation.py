"""What comparisons mean, asked of the SQL in bulk, as the daily run and `bsync explain` ask it."""

from __future__ import annotations

import operator
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.rules.evaluation import load_comparisons, satisfy, trait_rule_results
from bsync_assets.rules.expressions import holds
from bsync_assets.rules.trait_rules import Comparison, parse_trait_rule

Signals = list[tuple[str, str]]

asking_the_engine = settings(deadline=None, max_examples=50)  # 15 ms each


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        yield con


def pairs(con: duckdb.DuckDBPyConnection, signals: Signals, comparisons: list[tuple[Comparison, bool]]) -> list[tuple[int, int]]:
    """Satisfied (position of signal, position of comparison), as often as the engine says so."""
    load_comparisons(con, comparisons)
    con.register(
        "item",
        pa.table(
            {
                "item": pa.array(range(len(signals)), pa.int64()),
                "key": pa.array((key for key, _ in signals), pa.string()),
                "value": pa.array((value for _, value in signals), pa.string()),
            }
        ),
    )
    satisfy(con)
    con.unregister("item")
    return sorted(con.execute("FROM satisfied").fetchall())


CASES = [
    # rule, signals, result
    pytest.param("a == 23", [["a", "24"], ["a", "23"]], True, id="TRT-040-any-signal"),
    pytest.param("a != 23", [["a", "24"], ["a", "23"]], True, id="TRT-040-any-other"),
    pytest.param("a != 23", [["a", "23"]], False, id="TRT-040-only-that"),
    pytest.param("a != 23", [["b", "24"]], False, id="TRT-041-absent-key"),
    pytest.param("a contains x", [["b", "x"]], False, id="TRT-041-other-key"),
    pytest.param("b == 1 AND NOT a != 23", [["b", "1"]], True, id="TRT-041-negated-absent-key"),
    pytest.param("a == 1", [["a", "1.0"]], False, id="TRT-043-text"),
    pytest.param('a == "1"', [["a", "1"]], True, id="TRT-043-quotes"),
    pytest.param('a == " 1"', [["a", "1"]], False, id="TRT-043-blanks-count"),
    pytest.param('a == ""', [["a", ""]], True, id="TRT-043-empty-value"),
    pytest.param("a == é", [["a", "É"]], True, id="TRT-045-letters-beyond-ascii"),
    pytest.param("a == e", [["a", "é"]], False, id="TRT-045-accents-count"),
    pytest.param("a == é", [["a", "e\u0301"]], False, id="TRT-045-no-normalisation"),
    pytest.param("a == ß", [["a", "SS"]], False, id="TRT-045-simple-folding"),
    pytest.param("a == İ", [["a", "i"]], True, id="TRT-045-one-letter-to-one"),
    pytest.param("k == 1", [["\u212a", "1"]], True, id="TRT-045-key-folds-as-values-do"),
    pytest.param("a != X", [["a", "x"]], False, id="TRT-045-not-equal"),
    pytest.param("a contains ÄB", [["a", "xäbx"]], True, id="TRT-046-contains"),
    pytest.param("a contains %", [["a", "50"]], False, id="TRT-046-no-wildcard"),
    pytest.param("a startswith X_", [["a", "x_1"]], True, id="TRT-046-startswith"),
    pytest.param("a startswith X_", [["a", "xy1"]], False, id="TRT-046-no-one-letter-wildcard"),
    pytest.param("a endswith .PDF", [["a", ".pdf"]], True, id="TRT-046-endswith-all"),
    pytest.param("a endswith .pdf", [["a", "xpdf"]], False, id="TRT-046-endswith-dot"),
    pytest.param('a matcheswords "red-car"', [["a", "a RED, car"]], True, id="TRT-047-separators"),
    pytest.param('a matcheswords "red car"', [["a", "red_car"]], True, id="TRT-047-underscore"),
    pytest.param('a matcheswords "red car"', [["a", "red old car"]], False, id="TRT-047-contiguous"),
    pytest.param('a matcheswords "red"', [["a", "redcar"]], False, id="TRT-047-whole-words"),
    pytest.param('a matcheswords "größe ٣"', [["a", "(GRÖSSE)"], ["a", "Größe: ٣!"]], True, id="TRT-047-unicode"),
    pytest.param('a matcheswords "größe ٣"', [["a", "GRÖSSE ٣"]], False, id="TRT-047-simple-folding"),
    pytest.param('a matcheswords "a"', [["a", "-"], ["a", ""]], False, id="TRT-047-no-words"),
    pytest.param('a matcheswords "x"', [["a", "x٣"], ["a", "éx"]], False, id="TRT-047-digits-beyond-ascii"),
    pytest.param('a matchesregex "x.*"', [["a", "X1"]], False, id="TRT-048-no-folding"),
    pytest.param('a matchesregex "X.*"', [["a", "X1"]], True, id="TRT-048-capital-in-pattern"),
    pytest.param('A matchesregex "x"', [["a", "x"]], True, id="TRT-048-key-folds"),
    pytest.param("a < 1e3", [["a", "5"]], "E_NUMBER", id="TRT-052-code"),
    pytest.param('a == "\ud800"', [], "E_SYNTAX", id="TRT-052-half-a-character"),
    pytest.param("a == ?", [["a", "\ud800"]], True, id="TRT-001-half-a-character-is-no-text"),
]


@pytest.mark.parametrize(("rule", "signals", "result"), CASES)
def test_rule(con: duckdb.DuckDBPyConnection, rule: str, signals: list[list[str]], result: bool | str) -> None:
    assert trait_rule_results(con, [{"rule": rule, "signals": signals}]) == [result]


@pytest.mark.parametrize(
    ("rule", "signals", "result"),
    [
        pytest.param("a == x", [["a", "X"]], False, id="TRT-045-value"),
        pytest.param("a == x", [["A", "x"]], False, id="TRT-045-key"),
        pytest.param("a == x", [["a", "x"]], True, id="TRT-045-both"),
        pytest.param("a != x", [["a", "X"]], True, id="TRT-045-not-equal"),
        pytest.param("a contains Bc", [["a", "abc"]], False, id="TRT-045-contains"),
        pytest.param('a matcheswords "Red"', [["a", "red"]], False, id="TRT-045-words"),
        pytest.param('A matchesregex "x"', [["a", "x"]], False, id="TRT-045-pattern-key"),
        pytest.param("a > 1", [["a", " 2 "]], True, id="TRT-045-number"),
    ],
)
def test_sensitive_rule(con: duckdb.DuckDBPyConnection, rule: str, signals: list[list[str]], result: bool) -> None:
    asked = {"rule": rule, "signals": signals}
    assert trait_rule_results(con, [{**asked, "case": "sensitive"}]) == [result]


def test_trt_045_folding_is_simple_lower_casing_of_every_character(con: duckdb.DuckDBPyConnection) -> None:
    def simple(character: str) -> str:
        return character.lower()[0]  # only İ has a longer full form, and its simple one comes first

    characters = [chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000 and unicodedata.category(chr(i)) != "Cn"]
    con.register("every", pa.table({"character": characters}))
    folded = con.execute("SELECT character, lower(character) FROM every").fetchall()
    con.unregister("every")
    assert [character for character, lower in folded if lower != simple(character)] == []


def number_of(text: str) -> Decimal | None:
    """TRT-044, without a regular expression."""
    bare = text.strip(" \t")
    bare = bare[1:] if bare[:1] in ("+", "-") else bare
    whole, _, fraction = bare.partition(".")
    if not (whole + fraction).isascii() or not (whole + fraction).isdigit():
        return None
    if len(whole.lstrip("0")) > 28 or len(fraction.rstrip("0")) > 10:
        return None
    return Decimal(text.strip(" \t"))


NUMBER_LIKE = st.one_of(
    st.text("+-.0123 \te,$", max_size=8),
    st.from_regex(r"[ ]?[+-]?0{0,40}[0-9]{25,30}(\.[0-9]{0,12}0{0,30})?\t?", fullmatch=True),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: format(number, "f")),
    st.integers(-10, 10).map(str),
    st.text(max_size=3),
)
ORDERINGS = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}


@asking_the_engine
@given(
    values=st.lists(NUMBER_LIKE.filter(str.isprintable), min_size=1, max_size=6),
    literals=st.lists(NUMBER_LIKE.filter(lambda text: number_of(text) is not None), min_size=1, max_size=4),
)
def test_trt_044_numbers_are_exact(con: duckdb.DuckDBPyConnection, values: list[str], literals: list[str]) -> None:
    comparisons = [Comparison("a", op, literal) for literal in literals for op in ORDERINGS]
    found = pairs(con, [("a", value) for value in values], [(c, False) for c in comparisons])
    expected = []
    for i, value in enumerate(values):
        number = number_of(value)
        for j, comparison in enumerate(comparisons):
            bound = number_of(comparison.operand)
            if number is not None and bound is not None and ORDERINGS[comparison.op](number, bound):
                expected.append((i, j))
    assert found == expected


@asking_the_engine
@given(NUMBER_LIKE)
def test_trt_044_a_literal_is_a_number_when_a_signal_is(con: duckdb.DuckDBPyConnection, text: str) -> None:
    """The check of a rule and the reading of signals have the form written down twice: they must agree."""
    literal = text.replace("\\", "\\\\").replace("'", "\\'")
    (accepted,) = trait_rule_results(con, [{"rule": f"a <= '{literal}'", "signals": [["a", text]]}])
    assert accepted == ("E_NUMBER" if number_of(text) is None else True)


def words_of(text: str) -> list[str]:
    spaced = "".join(c if unicodedata.category(c)[0] == "L" or unicodedata.category(c) == "Nd" else " " for c in text)
    return spaced.split(" ")


def satisfies(value: str, op: str, operand: str) -> bool:
    """One value, both sides folded already: TRT-043, TRT-046, TRT-047."""
    if op == "matcheswords":
        words = [word for word in words_of(value) if word]
        wanted = [word for word in words_of(operand) if word]
        return any(words[i : i + len(wanted)] == wanted for i in range(len(words)))
    return {
        "==": value == operand,
        "!=": value != operand,
        "contains": operand in value,
        "startswith": value.startswith(operand),
        "endswith": value.endswith(operand),
    }[op]


def fold(text: str) -> str:
    return "".join(character.lower()[0] for character in text)


VALUES = st.text("aAbB éÉİ-_1%", max_size=6)
COMPARISONS = st.builds(
    Comparison,
    st.sampled_from(["a", "A", "b"]),
    st.sampled_from(["==", "!=", "contains", "startswith", "endswith", "matcheswords"]),
    st.text("aAbB éÉİ-_1%", max_size=3).map(lambda text: text + "a"),
)
SIGNALS = st.lists(st.tuples(st.sampled_from(["a", "A", "b", "c"]), VALUES), max_size=8, unique=True)


@asking_the_engine
@given(signals=SIGNALS, comparisons=st.lists(st.tuples(COMPARISONS, st.booleans()), max_size=8))
def test_trt_040_each_pair_once_and_no_other(
    con: duckdb.DuckDBPyConnection, signals: Signals, comparisons: list[tuple[Comparison, bool]]
) -> None:
    """Insensitive and sensitive comparisons together (TRT-045), against Python one by one."""

    def true(signal: tuple[str, str], comparison: Comparison, sensitive: bool) -> bool:
        read = str if sensitive else fold
        return read(signal[0]) == read(comparison.key) and satisfies(read(signal[1]), comparison.op, read(comparison.operand))

    assert pairs(con, signals, comparisons) == [
        (i, j)
        for i, signal in enumerate(signals)
        for j, (comparison, sensitive) in enumerate(comparisons)
        if true(signal, comparison, sensitive)
    ]


RULES = st.recursive(
    COMPARISONS.map(lambda c: f'{c.key} {c.op} "{c.operand}"'),
    lambda parts: st.one_of(
        parts.map(lambda part: f"NOT ({part})"),
        st.tuples(parts, st.sampled_from(["AND", "OR", "NOT", "AND NOT"]), parts).map(
            lambda some: f"({some[0]} {some[1]} {some[2]})"
        ),
    ),
    max_leaves=6,
)


@asking_the_engine
@given(asked=st.lists(st.tuples(RULES, SIGNALS), min_size=1, max_size=5))
def test_trt_060_each_record_by_itself(con: duckdb.DuckDBPyConnection, asked: list[tuple[str, Signals]]) -> None:
    """Rules judged together see the signals of their own record only."""
    guarded = [(f"c contains z AND ({rule})", [*signals, ("c", "zz")]) for rule, signals in asked]

    def expected(text: str, signals: Signals) -> bool:
        rule = parse_trait_rule(text)
        true = {
            i
            for i, (key, op, operand) in enumerate(rule.comparisons)
            if any(fold(k) == fold(key) and satisfies(fold(v), op, fold(operand)) for k, v in signals)
        }
        return holds(rule.expression, true)

    inputs: list[dict[str, Any]] = [{"rule": rule, "signals": signals} for rule, signals in guarded]
    assert trait_rule_results(con, inputs) == [expected(rule, signals) for rule, signals in guarded]


def test_more_inputs_than_are_judged_at_once(con: duckdb.DuckDBPyConnection) -> None:
    inputs = [{"rule": f"a > {i}", "signals": [["a", str(i + i % 2)]]} for i in range(2_500)]
    assert trait_rule_results(con, inputs) == [i % 2 == 1 for i in range(2_500)]


def test_the_lender_keeps_its_tables(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE OR REPLACE TEMP TABLE comparison AS SELECT 1 AS mine")
    assert trait_rule_results(con, [{"rule": "a == 1", "signals": [["a", "1"]]}]) == [True]
    assert con.execute("FROM comparison").fetchall() == [(1,)]


@pytest.mark.timeout(120)
def test_trt_043_equality_costs_the_same_for_any_number_of_rules(con: duckdb.DuckDBPyConnection) -> None:
    """20,000 rules, 200,000 values of their key: under a second; minutes if every pair were compared."""
    comparisons = [(Comparison("ic", "==", f"V{20 * i}"), False) for i in range(20_000)]
    signals = [("IC", f"v{i}") for i in range(200_000)]
    found = pairs(con, signals, comparisons)
    assert found == [(20 * i, i) for i in range(10_000)]


def test_rows_that_are_no_signals_are_passed_over(con: duckdb.DuckDBPyConnection) -> None:
    """The day's items include trait tokens, which have neither key nor value (TRT-068)."""
    load_comparisons(con, [(Comparison("a", "!=", "1"), False), (Comparison("a", "!=", "1"), True)])
    con.execute("CREATE OR REPLACE TEMP TABLE item AS FROM (VALUES (7, NULL, NULL), (8, 'a', '2')) AS t(item, key, value)")
    satisfy(con)
    con.execute("DROP TABLE item")
    assert sorted(con.execute("FROM satisfied").fetchall()) == [(8, 0), (8, 1)]
