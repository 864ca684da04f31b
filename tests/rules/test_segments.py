"""The language of segment expressions: what is accepted, and what is refused with which code and column."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.rules.expressions import RuleError
from bsync_assets.rules.segments import (
    MAX_TRAITS,
    Frequency,
    Has,
    Term,
    TraitFacts,
    parse_segment,
)

TRAITS = {
    1: TraitFacts("rule", own=True),
    2: TraitFacts("rule", own=True),
    3: TraitFacts("onboarded", own=True),
    4: TraitFacts("rule", own=False),
    5: TraitFacts("algorithmic", own=True),
    6: TraitFacts("folder", own=True, contains=(1, 3)),
    7: TraitFacts("onboarded", own=False),
}

REFUSED = [
    # text, code, column
    pytest.param("", "E_SYNTAX", 1, id="SEG-027-empty"),
    pytest.param("1", "E_SYNTAX", 2, id="SEG-027-no-T"),
    pytest.param("T1", "E_SYNTAX", 1, id="SEG-020-T-first"),
    pytest.param("1T 2T", "E_SYNTAX", 4, id="SEG-020-no-connective"),
    pytest.param("1T AND", "E_SYNTAX", 7, id="SEG-020-nothing-after-and"),
    pytest.param("1T AND OR 2T", "E_SYNTAX", 8, id="SEG-020-doubled"),
    pytest.param("(1T", "E_SYNTAX", 4, id="SEG-020-unclosed"),
    pytest.param("1T > 5", "E_SYNTAX", 4, id="SEG-020-trait-compared"),
    pytest.param("1S", "E_SYNTAX", 2, id="SEG-025-segment"),
    pytest.param("1234567890123456789T", "E_SYNTAX", 1, id="SEG-020-too-long-a-number"),
    pytest.param("FREQUENCY([]) >= 1", "E_SYNTAX", 12, id="SEG-020-no-trait-listed"),
    pytest.param("FREQUENCY([1T,]) >= 1", "E_SYNTAX", 15, id="SEG-020-comma-left-over"),
    pytest.param("FREQUENCY([1T] 2D) >= 1", "E_SYNTAX", 16, id="SEG-020-no-recency-operator"),
    pytest.param("FREQUENCY([1T] <= D) >= 1", "E_SYNTAX", 19, id="SEG-031-no-days"),
    pytest.param("FREQUENCY([1T] <= 2) >= 1", "E_SYNTAX", 20, id="SEG-031-no-D"),
    pytest.param("FREQUENCY([1T])", "E_SYNTAX", 16, id="SEG-020-no-comparison"),
    pytest.param("FREQUENCY([1T]) >=", "E_SYNTAX", 19, id="SEG-032-no-count"),
    pytest.param("FREQUENCY([1T]) >= -1", "E_SYNTAX", 20, id="SEG-032-negative"),
    pytest.param("FREQUENCY([1T]) >= 1.5", "E_SYNTAX", 21, id="SEG-032-fraction"),
    pytest.param("FREQUENCY([1T] > 2D) >= 1", "E_REC_OP", 16, id="SEG-031-greater"),
    pytest.param("FREQUENCY([1T] != 2D) >= 1", "E_REC_OP", 16, id="SEG-031-not-equal"),
    pytest.param("FREQUENCY([1T] =< 2D) >= 1", "E_REC_OP", 16, id="SEG-031-equals-less"),
    pytest.param("FREQUENCY([1T] >= 00D) >= 1", "E_REC_VALUE", 19, id="SEG-031-zeros"),
    pytest.param("FREQUENCY([1T] >= -1D) >= 1", "E_REC_VALUE", 19, id="SEG-031-negative"),
    pytest.param("FREQUENCY([1T] >= 1.5D) >= 1", "E_REC_VALUE", 19, id="SEG-031-fraction"),
    pytest.param("FREQUENCY([1T]) < 1", "E_FREQ_OP", 17, id="SEG-032-less"),
    pytest.param("FREQUENCY([1T]) = 1", "E_FREQ_OP", 17, id="SEG-032-single-equals"),
    pytest.param("FREQUENCY([1T]) === 1", "E_FREQ_OP", 17, id="SEG-032-three-equals"),
    pytest.param("FREQUENCY([9T] == 2D) > 1 AND", "E_REC_OP", 16, id="SEG-027-first-met-in-parsing"),
    pytest.param("AND FREQUENCY([1T]) > 1", "E_SYNTAX", 1, id="SEG-027-grammar-met-first"),
    pytest.param("3T AND FREQUENCY([3T,9T]) >= 1", "E_UNKNOWN_TRAIT", 22, id="SEG-027-unknown-before-type"),
    pytest.param("FREQUENCY([3T]) >= 1 OR FREQUENCY([4T]) >= 1", "E_THIRD_PARTY", 36, id="SEG-027-party-first"),
    pytest.param("FREQUENCY([7T]) >= 1", "E_THIRD_PARTY", 12, id="SEG-035-party-and-type"),
    pytest.param("FREQUENCY([1T, 5T]) >= 1", "E_TRAIT_TYPE", 16, id="SEG-035-algorithmic"),
    pytest.param("FREQUENCY([3T]) <= 1", "E_TRAIT_TYPE", 12, id="SEG-027-matches-empty-last"),
    pytest.param("1T OR NOT 2T", "E_MATCHES_EMPTY", 1, id="SEG-026-or-not"),
    pytest.param("FREQUENCY([1T]) >= 0", "E_MATCHES_EMPTY", 1, id="SEG-026-at-least-none"),
    pytest.param("FREQUENCY([1T]) == 0 OR 1T", "E_MATCHES_EMPTY", 1, id="SEG-026-exactly-none"),
    pytest.param("NOT FREQUENCY([1T]) >= 1", "E_MATCHES_EMPTY", 1, id="SEG-026-not-frequency"),
]


@pytest.mark.parametrize(("text", "code", "column"), REFUSED)
def test_refused(text: str, code: str, column: int) -> None:
    with pytest.raises(RuleError) as refused:
        parse_segment(text, TRAITS)
    assert (refused.value.code, refused.value.column) == (code, column)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        pytest.param("1T", Has(1), id="SEG-021"),
        pytest.param("0007 t", Has(7), id="SEG-020-zeros-and-case"),
        pytest.param("4T", Has(4), id="SEG-035-third-party-alone"),
        pytest.param("frequency([1T,2T,1T])>=2", Frequency((1, 2), None, ">=", 2), id="SEG-034-listed-twice"),
        pytest.param("( Frequency ( [ 2 T ] => 03 d ) => 1 )", Frequency((2,), (">=", 3), ">=", 1), id="SEG-024"),
        pytest.param("FREQUENCY([6T]<=1D)==1", Frequency((6,), ("<=", 1), "==", 1), id="SEG-036-folder"),
    ],
)
def test_term(text: str, term: Term) -> None:
    assert parse_segment(text, TRAITS).terms == (term,)


def test_white_space_may_be_left_out() -> None:
    """SEG-020."""
    assert parse_segment("1TAND(2TORNOT3T)", TRAITS) == parse_segment("1T AND ( 2T OR NOT 3T )", TRAITS)


def test_infix_not_is_and_not() -> None:
    """SEG-023."""
    assert parse_segment("1T NOT 2T", TRAITS) == parse_segment("1T AND NOT 2T", TRAITS)


def test_without_traits_only_the_text_is_judged() -> None:
    assert parse_segment("99T AND FREQUENCY([3T]) >= 1", None).terms == (
        Has(99),
        Frequency((3,), None, ">=", 1),
    )
    with pytest.raises(RuleError, match="E_MATCHES_EMPTY"):
        parse_segment("NOT 99T", None)


def test_as_many_traits_as_allowed() -> None:
    """SEG-028; naming one again costs nothing."""
    text = " OR ".join(f"{i}T" for i in range(1, MAX_TRAITS + 1))
    assert len(parse_segment(f"{text} OR FREQUENCY([1T,2T]) >= 1", None).terms) == MAX_TRAITS + 1


def test_one_trait_too_many() -> None:
    """SEG-028; before E_MATCHES_EMPTY, at the trait that is too many, also inside FREQUENCY."""
    listed = ",".join(f"{i}T" for i in range(1, MAX_TRAITS + 2))
    with pytest.raises(RuleError) as refused:
        parse_segment(f"FREQUENCY([{listed}]) >= 0", None)
    assert refused.value.code == "E_TOO_MANY_TRAITS"
    assert refused.value.column == len("FREQUENCY([" + listed) - len(f"{MAX_TRAITS + 1}T") + 1


TERMS = st.one_of(
    st.builds(Has, st.integers(0, 10**18 - 1)),
    st.builds(
        Frequency,
        st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True).map(tuple),
        st.none() | st.tuples(st.sampled_from(["<=", ">="]), st.integers(1, 10**18 - 1)),
        st.sampled_from(["<=", ">=", "=="]),
        st.integers(0, 10**18 - 1),
    ),
)


def rendered(term: Term) -> str:
    if isinstance(term, Has):
        return f"{term.trait}T"
    window = f" {term.window[0]} {term.window[1]}D" if term.window else ""
    return f"FREQUENCY([{','.join(f'{trait}T' for trait in term.traits)}]{window}) {term.op} {term.count}"


@settings(deadline=None)
@given(st.lists(TERMS, min_size=1, max_size=6))
def test_what_is_written_is_read_back(terms: list[Term]) -> None:
    """SEG-020, SEG-030; a conjunct keeps it from matching the empty profile (SEG-026)."""
    guard = Has(0)
    rule = parse_segment(f"0T AND ({' OR '.join(map(rendered, terms))})", None)
    assert list(rule.terms) == list(dict.fromkeys([guard, *terms]))


@settings(deadline=None)
@given(st.text("12TtD[](),<>=!ANDORNOTandfrequencyFREQUENCY. -", max_size=30))
def test_any_text_is_an_expression_or_refused_in_place(text: str) -> None:
    try:
        parse_segment(text, TRAITS)
    except RuleError as error:
        assert 1 <= error.column <= len(text) + 1
