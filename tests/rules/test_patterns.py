r"""Patterns: the answers of `java.util.regex.Pattern.matches` (17), given by the engine; or refused.

`\b` next to letters outside ASCII is the one place where Java's versions differ, and is left out.
"""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.rules.patterns import PatternError, re2_pattern

MATCHES = [
    # pattern, values that match, values that do not
    pytest.param(r"[A-Z]{2}-\d+", ["AB-1"], ["xAB-1", "AB-1x", "ab-1", "AB-٣"], id="whole-value"),
    pytest.param(r"a|ab", ["a", "ab"], ["abb"], id="alternatives-whole"),
    pytest.param(r"^a$|^b\Z", ["a", "b"], ["a\n", "b\n"], id="end-before-line-end"),
    pytest.param(r".", ["x", "é", "😀", "\t", "\x0b"], ["\n", "\r", "\x85", "\u2028", "\u2029", ""], id="dot"),
    pytest.param(r"(?s).", ["\n", "\r", "\u2028"], ["ab"], id="dot-all"),
    pytest.param(r"a(?s:.)b.", ["a\nbx"], ["a\nb\n"], id="flag-of-a-group"),
    pytest.param(r"(?i)k.s", ["K-S", "k-s"], ["\u212a-s", "k-\u017f"], id="any-case-ascii-only"),
    pytest.param(r"(?i)É", ["É"], ["é"], id="any-case-not-beyond-ascii"),
    pytest.param(r"(?i)[a-cÉ]+", ["aBC", "É"], ["é", "d"], id="any-case-class"),
    pytest.param(r"(?i)[^a]", ["b", "é"], ["a", "A"], id="any-case-negated"),
    pytest.param(r"(?i)[X-b]", ["x", "Z", "A", "B", "_"], ["c", "C", "w"], id="any-case-range-across"),
    pytest.param(r"(?i:a)b", ["Ab", "ab"], ["AB"], id="flag-ends-with-group"),
    pytest.param(r"(a(?i)b|c)d", ["aBd", "Cd"], ["Abd", "aBD"], id="flag-to-end-of-group"),
    pytest.param(r"(?i)a(?-i)b", ["Ab"], ["AB"], id="flag-off"),
    pytest.param(r"\s\S", [" x", "\x0bx", "\n."], ["  ", "\u00a0x"], id="space-with-vertical-tab"),
    pytest.param(r"[\s\d]+[^\s\d]", ["1 \x0bx"], ["1 1"], id="classes-in-a-class"),
    pytest.param(r"\w\W", ["_-", "aé"], ["é-", "ab"], id="word-is-ascii"),
    pytest.param(r"\D", ["٣", "\n"], ["3"], id="not-a-digit"),
    pytest.param(r"\h\v\H\V", ["\u00a0\u2028xx", "\t\x0bxx"], ["\n\nxx", "\t\tx\n"], id="blank-and-vertical"),
    pytest.param(r"a\Rb", ["a\nb", "a\r\nb", "a\u2028b"], ["a\n\nb", "ab"], id="line-break"),
    pytest.param(r"\Qa.b*\E+", ["a.b*", "a.b**"], ["axb*"], id="quoted"),
    pytest.param(r"\\Qx", ["\\Qx"], ["x"], id="escaped-backslash-then-Q"),
    pytest.param(r"[\Q]^\E]+", ["]^"], ["a"], id="quoted-in-a-class"),
    pytest.param(r"\Qa.", ["a."], ["ab"], id="quoted-to-the-end"),
    pytest.param(r"\x41\x{1F600}\u00e9\011\cA\e\a", ["A😀é\t\x01\x1b\x07"], ["A"], id="by-number"),
    pytest.param(r"\0101\07", ["A\x07"], [], id="octal"),
    pytest.param(r"[]a][a-][-a][a-c-e]", ["]--e", "aaa-"], ["b---"], id="literal-in-class"),
    pytest.param(r"[^]a][.$*(^]", ["b^", "c$"], ["]^", "bx"], id="literal-in-negated-class"),
    pytest.param(r"[\d-x]", ["-", "x", "5"], ["w"], id="hyphen-after-class"),
    pytest.param(r"[+--]", ["+", ",", "-"], ["."], id="range-to-hyphen"),
    pytest.param(r"[a&b]", ["&"], ["c"], id="single-ampersand"),
    pytest.param(r"\p{Alpha}\p{Punct}\P{Digit}", ["a!x", "Z~٣"], ["é!x", "a!1"], id="ascii-property"),
    pytest.param(r"\pL\p{IsNd}\P{Lu}[\p{IsGreek}1]", ["é٣aω", "a1b1"], ["a1A1", "11b1"], id="unicode-property"),
    pytest.param(r"(?<year>\d{4})-(?:0[1-9]|1[0-2])", ["2025-01"], ["2025-13"], id="named-group"),
    pytest.param(r"a{2}b{1,}c{0,2}?d??e+?", ["aabe", "aabbccdee"], ["abe", "aabccce"], id="repetitions"),
    pytest.param(r"}],-\-\.\/\_\é", ["}],--./_é"], [], id="nothing-special"),
    pytest.param(r"(|a)()b", ["b", "ab"], ["aab"], id="empty-alternative"),
    pytest.param(r".*\bsale\b.*", ["a sale!", "sale"], ["sales", "a_sale"], id="word-boundary"),
    pytest.param(r"a\Bb\z", ["ab"], ["a b"], id="no-boundary"),
    pytest.param("a\x00b", ["a\x00b"], ["ab"], id="nul"),
]


@pytest.mark.parametrize(("pattern", "matching", "other"), MATCHES)
def test_trt_048_matches_as_java_does(pattern: str, matching: list[str], other: list[str]) -> None:
    compiled = re2_pattern(pattern)

    def matches(value: str) -> bool:
        row = duckdb.execute("SELECT regexp_full_match($value, $pattern)", {"value": value, "pattern": compiled})
        return bool(row.fetchall()[0][0])

    assert [value for value in matching if not matches(value)] == []
    assert [value for value in other if matches(value)] == []


REFUSED = {
    "look-ahead": r"(?=a)a",
    "negative look-ahead": r"(?!a)b",
    "look-behind": r"a(?<=a)",
    "negative look-behind": r"a(?<!b)",
    "back-reference": r"(a)\1",
    "back-reference by name": r"(?<n>a)\k<n>",
    "possessive": r"a++b",
    "possessive count": r"a{2}+",
    "atomic": r"(?>a)b",
    "not closed": r"(a",
    "not opened": r"a)",
    "class not closed": r"[a-",
    "class not closed after bracket": r"[]",
    "class upside down": r"[z-a]",
    "range to a class": r"[a-\d]",
    "nothing to repeat": r"*a",
    "nothing to repeat in a group": r"(+a)",
    "doubled quantifier": r"a**",
    "repeated anchor": r"^*a",
    "brace without a number": r"a{,5}",
    "brace alone": r"a{",
    "bounds upside down": r"a{2,1}",
    "repeated too often": r"a{1001}",
    "too big altogether": r"((a{100}){100}){100}",
    "ends in a backslash": "a\\",
    "unknown escape": r"\y",
    "unknown property": r"\p{Nonsense}",
    "union of classes": r"[a[bc]]",
    "intersection of classes": r"[a-z&&[^b]]",
    "POSIX class of the engine": r"[[:alpha:]]",
    "named group of the engine": r"(?P<n>a)",
    "any byte of the engine": r"\C",
    "negated property of the engine": r"\p{^L}",
    "bare script of the engine": r"\p{Latin}",
    "group name twice": r"(?<n>a)(?<n>b)",
    "comments": r"(?x) a",
    "Unicode case": r"(?iu)a",
    "Unix lines": r"(?d).",
    "ungreedy in the engine, Unicode in Java": r"(?U)\w",
    "line start": r"(?m)^a",
    "line end": r"(?m)a$",
    "end in the middle": r"a$\n",
    "end within a repeated group": r"(a$)*",
    "end of a group that goes on": r"(a\Z|b)\s",
    "case property in any case": r"(?i)\p{Lu}",
    "grapheme": r"\X",
    "last match": r"\Ga",
    "by name": r"\N{DIGIT ONE}",
    "unassigned": r"\p{Cn}",
    "Java's own property": r"\p{javaLowerCase}",
    "half a character": r"\ud83d",
    "beyond Unicode": r"\x{110000}",
    "octal without digits": r"\0",
    "quote closed only": r"a\E",
}


@pytest.mark.parametrize("pattern", REFUSED.values(), ids=[f"TRT-049-{name}" for name in REFUSED])
def test_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        re2_pattern(pattern)


@settings(deadline=None)
@given(st.text(r"ab01[](){}^$.*+?|\\-&,:<>=!iQEdwsRpL", max_size=12))
def test_trt_049_an_accepted_pattern_runs(pattern: str) -> None:
    try:
        compiled = re2_pattern(pattern)
    except PatternError:
        return
    duckdb.execute(
        "SELECT regexp_full_match(value, $pattern) FROM (VALUES ('a'), ('\n')) AS t(value)",
        {"pattern": compiled},
    )
