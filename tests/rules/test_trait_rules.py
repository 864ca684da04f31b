"""The trait-rule language: what is accepted, and what is refused with which code and column."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.rules.expressions import RuleError
from bsync_assets.rules.trait_rules import RESERVED_KEYS, Comparison, is_key_name, parse_trait_rule

REFUSED = [
    # text, code, column
    pytest.param("", "E_SYNTAX", 1, id="TRT-052-empty"),
    pytest.param("  \t ", "E_SYNTAX", 5, id="TRT-052-blank"),
    pytest.param("a", "E_SYNTAX", 2, id="TRT-052-key-only"),
    pytest.param("a ==", "E_SYNTAX", 5, id="TRT-052-no-value"),
    pytest.param('== "x"', "E_SYNTAX", 1, id="TRT-031-no-key"),
    pytest.param('"a" == "x"', "E_SYNTAX", 1, id="TRT-031-literal-left"),
    pytest.param("a == 'x", "E_SYNTAX", 6, id="TRT-036-unclosed"),
    pytest.param('a == "x\\"', "E_SYNTAX", 6, id="TRT-036-escaped-end"),
    pytest.param('a == "x"y', "E_SYNTAX", 9, id="TRT-036-after-quote"),
    pytest.param("a == x,y", "E_SYNTAX", 7, id="TRT-030-comma-in-bareword"),
    pytest.param("a == NOT", "E_SYNTAX", 6, id="TRT-030-keyword-as-bareword"),
    pytest.param("a == and", "E_SYNTAX", 6, id="TRT-032-keyword-any-case"),
    pytest.param("or == 1", "E_SYNTAX", 1, id="TRT-032-keyword-as-key"),
    pytest.param("a == 1 OR OR b == 2", "E_SYNTAX", 11, id="TRT-030-doubled-or"),
    pytest.param("a == 1 ANDb == 2", "E_SYNTAX", 8, id="TRT-030-word-not-keyword"),
    pytest.param("a == 1 b == 2", "E_SYNTAX", 8, id="TRT-030-no-connective"),
    pytest.param("a containsx 2", "E_SYNTAX", 3, id="TRT-030-no-operator"),
    pytest.param("a == 1)", "E_SYNTAX", 7, id="TRT-030-unopened"),
    pytest.param("()", "E_SYNTAX", 2, id="TRT-030-empty-parentheses"),
    pytest.param("a === 1", "E_SYNTAX", 5, id="TRT-037-three-equals"),
    pytest.param("a <> 1", "E_SYNTAX", 4, id="TRT-037-angle-brackets"),
    pytest.param("a =< 1", "E_SYNTAX", 4, id="TRT-037-equals-less"),
    pytest.param("a => = 1", "E_SYNTAX", 6, id="TRT-037-split-operator"),
    pytest.param("a == 1 && b == 2", "E_SYNTAX", 8, id="TRT-037-ampersands"),
    pytest.param("a == 1 || b == 2", "E_SYNTAX", 8, id="TRT-037-bars"),
    pytest.param("!a == 1", "E_SYNTAX", 1, id="TRT-037-bang"),
    pytest.param("price!123 == 1", "E_SYNTAX", 6, id="TRT-037-bang-in-word"),
    pytest.param('a == "\ud800"', "E_SYNTAX", 6, id="TRT-030-half-a-character"),
    pytest.param("123 == x", "E_KEY", 1, id="TRT-003-digits"),
    pytest.param("_x == 1", "E_KEY", 1, id="TRT-003-underscore-first"),
    pytest.param("a == 1 AND -x == 1", "E_KEY", 12, id="TRT-003-hyphen-first"),
    pytest.param(".a == 1", "E_KEY", 1, id="TRT-003-dot-first"),
    pytest.param("preis_€ == 1", "E_KEY", 1, id="TRT-003-other-character"),
    pytest.param("größe == 1", "E_KEY", 1, id="TRT-003-other-letter"),
    pytest.param("123 == x AND", "E_SYNTAX", 13, id="TRT-052-grammar-before-key"),
    pytest.param("D_SID == 1", "E_RESERVED_KEY", 1, id="TRT-045-reserved-any-case"),
    pytest.param("a == 1 OR gdpr == 0", "E_RESERVED_KEY", 11, id="TRT-007-later"),
    pytest.param('a > ""', "E_NUMBER", 5, id="TRT-044-nothing"),
    pytest.param("a >= 1e3", "E_NUMBER", 6, id="TRT-044-exponent"),
    pytest.param("a < $5", "E_NUMBER", 5, id="TRT-044-currency"),
    pytest.param('a < "1,000"', "E_NUMBER", 5, id="TRT-044-thousands"),
    pytest.param("a < .", "E_NUMBER", 5, id="TRT-044-point-only"),
    pytest.param("a < +-5", "E_NUMBER", 5, id="TRT-044-two-signs"),
    pytest.param(f"a < 1{'0' * 28}", "E_NUMBER", 5, id="TRT-044-29-digits"),
    pytest.param("a < 0.00000000001", "E_NUMBER", 5, id="TRT-044-11-places"),
    pytest.param("a < ٣", "E_NUMBER", 5, id="TRT-044-other-digits"),
    pytest.param('a contains ""', "E_EMPTY_OPERAND", 12, id="TRT-046-contains"),
    pytest.param("a startswith ''", "E_EMPTY_OPERAND", 14, id="TRT-046-startswith"),
    pytest.param('a endswith ""', "E_EMPTY_OPERAND", 12, id="TRT-046-endswith"),
    pytest.param('a matchesregex ""', "E_EMPTY_OPERAND", 16, id="TRT-052-empty-pattern"),
    pytest.param('a matcheswords "-_ -"', "E_EMPTY_OPERAND", 16, id="TRT-047-no-word"),
    pytest.param('a matchesregex "("', "E_REGEX", 16, id="TRT-049-not-compiled"),
    pytest.param("a > x AND 123 == 1", "E_NUMBER", 5, id="TRT-052-left-to-right"),
    pytest.param("123 > x", "E_KEY", 1, id="TRT-052-key-before-operand"),
    pytest.param("NOT a > x", "E_NUMBER", 9, id="TRT-052-matches-empty-last"),
    pytest.param("NOT a == 1", "E_MATCHES_EMPTY", 1, id="TRT-053-not"),
    pytest.param("NOT (a == 1 AND b == 2)", "E_MATCHES_EMPTY", 1, id="TRT-053-not-and"),
    pytest.param("a == 1 OR NOT (b == 2 OR c != 3)", "E_MATCHES_EMPTY", 1, id="TRT-053-or-not"),
]


@pytest.mark.parametrize(("text", "code", "column"), REFUSED)
def test_refused(text: str, code: str, column: int) -> None:
    with pytest.raises(RuleError) as refused:
        parse_trait_rule(text)
    assert (refused.value.code, refused.value.column) == (code, column)


@pytest.mark.parametrize(
    ("text", "comparison"),
    [
        pytest.param("a = 1", ("a", "==", "1"), id="TRT-037-equals"),
        pytest.param("a=>1", ("a", ">=", "1"), id="TRT-037-equals-greater"),
        pytest.param("a EndsWITH 'x'", ("a", "endswith", "x"), id="TRT-032-operator-case"),
        pytest.param("a\n==\r\n'x y'", ("a", "==", "x y"), id="TRT-030-white-space"),
        pytest.param("h_accept-language==es", ("h_accept-language", "==", "es"), id="TRT-003-hyphen"),
        pytest.param("123price=='x'", ("123price", "==", "x"), id="TRT-003-digits-first"),
        pytest.param("contains contains contains", ("contains", "contains", "contains"), id="TRT-030-by-place"),
        pytest.param("notable == 1", ("notable", "==", "1"), id="TRT-030-begins-like-not"),
        pytest.param("a == 50%/day;x", ("a", "==", "50%/day;x"), id="TRT-036-bareword"),
        pytest.param('a == ""', ("a", "==", ""), id="TRT-043-empty"),
        pytest.param(r'a == "\"\\\d\'"', ("a", "==", "\"\\\\d\\'"), id="TRT-036-double-quoted"),
        pytest.param(r"a == '\'\\\d\"'", ("a", "==", "'\\\\d\\\""), id="TRT-036-single-quoted"),
        pytest.param(r"a == C:\dir", ("a", "==", r"C:\dir"), id="TRT-036-bare-backslash"),
        pytest.param(f"a > {'0' * 50}.5{'0' * 50}", ("a", ">", f"{'0' * 50}.5{'0' * 50}"), id="TRT-044-zeros"),
        pytest.param("a < ' -5. '", ("a", "<", " -5. "), id="TRT-044-blanks"),
    ],
)
def test_comparison(text: str, comparison: tuple[str, str, str]) -> None:
    assert parse_trait_rule(text).comparisons == (Comparison(*comparison),)


@pytest.mark.parametrize("key", sorted(RESERVED_KEYS), ids=lambda key: f"TRT-007-{key}")
def test_reserved_key(key: str) -> None:
    with pytest.raises(RuleError, match="E_RESERVED_KEY at column 1"):
        parse_trait_rule(f"{key.title()} == 1")


@pytest.mark.parametrize("key", ["d_dst_filter", "d_rs", "d_sid2", "gdpr_", "p_age", "ic"])
def test_key_that_only_looks_reserved(key: str) -> None:
    assert parse_trait_rule(f"{key} == 1").comparisons[0].key == key


@settings(deadline=None)
@given(st.text("0123456789abzABZ_.-é ٣", max_size=6))
def test_key_name_is_digits_then_a_letter_then_anything_allowed(text: str) -> None:
    """TRT-003, said once more without a regular expression."""
    rest = text.lstrip("0123456789")
    allowed = set("0123456789abzABZ_.-")
    assert is_key_name(text) is (rest[:1] in set("abzABZ") and set(rest) <= allowed)


KEYS = st.from_regex(r"[0-9]{0,2}x[A-Za-z][A-Za-z0-9_.-]{0,3}", fullmatch=True)
NUMBERS = st.from_regex(r"[+-]?[0-9]{1,28}(\.[0-9]{1,10})?", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
COMPARISONS = st.one_of(
    st.builds(Comparison, KEYS, st.sampled_from(["==", "!="]), TEXTS),
    st.builds(Comparison, KEYS, st.sampled_from(["<", ">", "<=", ">="]), NUMBERS),
    st.builds(Comparison, KEYS, st.sampled_from(["contains", "startswith", "endswith"]), TEXTS.filter(bool)),
    st.builds(Comparison, KEYS, st.just("matcheswords"), TEXTS.map(lambda text: text + "x")),
)


def rendered(comparison: Comparison, quote: str) -> str:
    escaped = comparison.operand.replace("\\", "\\\\").replace(quote, "\\" + quote)
    return f"{comparison.key} {comparison.op} {quote}{escaped}{quote}"


@settings(deadline=None)
@given(
    st.lists(st.tuples(COMPARISONS, st.sampled_from("'\"")), min_size=1, max_size=6),
    st.sampled_from(["AND", "or"]),
)
def test_what_is_written_is_read_back(written: list[tuple[Comparison, str]], connective: str) -> None:
    """TRT-030, TRT-036: any operand survives either quoting; equal comparisons are one."""
    rule = parse_trait_rule(f" {connective} ".join(rendered(*one) for one in written))
    distinct = list(dict.fromkeys(comparison for comparison, _ in written))
    assert list(rule.comparisons) == distinct
    if len(written) > 1:
        terms = [("term", distinct.index(comparison)) for comparison, _ in written]
        assert rule.expression == (connective.lower(), *terms)


@settings(deadline=None)
@given(st.text("ab1\"'=<>!()\\ \tandornotANDORNOT_-.,€\ud800", max_size=25))
def test_any_text_is_a_rule_or_refused_in_place(text: str) -> None:
    """TRT-050, TRT-051: nothing but RuleError, and its column lies in the text or just behind."""
    try:
        parse_trait_rule(text)
    except RuleError as error:
        assert 1 <= error.column <= len(text) + 1
