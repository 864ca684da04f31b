"""AND, OR, NOT: what both languages share, seen through trait rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.rules.expressions import MAX_DEPTH, RuleError, holds
from bsync_assets.rules.segments import parse_segment
from bsync_assets.rules.trait_rules import parse_trait_rule

TREES = st.recursive(
    st.integers(0, 5).map(lambda i: ("term", i)),
    lambda parts: st.one_of(
        parts.map(lambda part: ("not", part)),
        st.lists(parts, min_size=2, max_size=3).map(lambda some: ("and", *some)),
        st.lists(parts, min_size=2, max_size=3).map(lambda some: ("or", *some)),
    ),
    max_leaves=12,
)


def written(tree: Any, term: str) -> str:
    """The tree as Python and rules alike write it, every operator in parentheses."""
    if tree[0] == "term":
        return term.format(tree[1])
    if tree[0] == "not":
        return f"(not {written(tree[1], term)})"
    return "(" + f" {tree[0]} ".join(written(part, term) for part in tree[1:]) + ")"


@settings(deadline=None)
@given(TREES, st.sets(st.integers(0, 5)))
def test_holds_as_python_would_say(tree: Any, satisfied: set[int]) -> None:
    names = {f"t{i}": i in satisfied for i in range(6)}
    assert holds(tree, satisfied) is eval(written(tree, "t{}"), {}, names)


@settings(deadline=None)
@given(TREES, st.sets(st.integers(0, 5)))
def test_text_keeps_the_meaning(tree: Any, satisfied: set[int]) -> None:
    """Any tree, with a conjunct that needs a signal (TRT-053), is read back with its meaning."""
    rule = parse_trait_rule(f"guard == 1 AND {written(tree, 't == {}')}")
    true = {
        i for i, comparison in enumerate(rule.comparisons) if comparison.key == "guard" or int(comparison.operand) in satisfied
    }
    assert holds(rule.expression, true) is holds(tree, satisfied)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        pytest.param("a==1 OR b==1 AND c==1", ("or", 0, ("and", 1, 2)), id="TRT-034-and-before-or"),
        pytest.param("a==1 AND NOT b==1 OR c==1", ("or", ("and", 0, ("not", 1)), 2), id="TRT-034-not-first"),
        pytest.param("(a==1 OR b==1) AND c==1", ("and", ("or", 0, 1), 2), id="TRT-034-parentheses"),
        pytest.param("a==1 NOT b==1 NOT c==1", ("and", 0, ("not", 1), ("not", 2)), id="TRT-033-infix"),
        pytest.param("a==1 NOT NOT b==1", ("and", 0, 1), id="TRT-033-infix-of-prefix"),
        pytest.param("NOT(NOT(a==1))", 0, id="TRT-033-doubled"),
        pytest.param("((a==1 AND ((b==1))) and c==1)", ("and", 0, 1, 2), id="TRT-034-flat"),
        pytest.param("a==1 AND (b==1 OR a == '1')", ("and", 0, ("or", 1, 0)), id="TRT-043-mentioned-twice"),
    ],
)
def test_expression(text: str, expression: Any) -> None:
    def spelled(short: Any) -> Any:
        return ("term", short) if isinstance(short, int) else (short[0], *map(spelled, short[1:]))

    assert parse_trait_rule(text).expression == spelled(expression)


def nested(depth: int) -> str:
    """AND in OR in AND ... `depth` operators deep."""
    text = "1T"
    for i in range(depth):
        text = f"({text} {('AND', 'OR')[i % 2]} {i + 2}T)"
    return text


def test_parentheses_and_not_nest_without_end() -> None:
    depth = 20_000
    assert parse_segment("(" * depth + "1T" + ")" * depth, None).expression == ("term", 0)
    assert parse_segment("NOT " * depth + "1T", None).expression == ("term", 0)
    assert parse_trait_rule("(" * depth + "a==1" + ")" * depth).expression == ("term", 0)


def test_operators_nest_up_to_the_limit() -> None:
    rule = parse_segment(nested(MAX_DEPTH), None)
    assert holds(rule.expression, set(range(len(rule.terms))))
    assert not holds(rule.expression, set())


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 20_000])
def test_deeper_is_a_refused_rule(depth: int) -> None:
    with pytest.raises(RuleError) as refused:
        parse_segment(nested(depth), None)
    assert refused.value.code == "E_SYNTAX"
