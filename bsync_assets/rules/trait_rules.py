"""Trait rules (TRT-003, TRT-030 to TRT-053): from text to comparisons and how they combine, or to a code and
column.

Belongs here: the language and its checks. Does not belong here: what a comparison means for a signal. That is
SQL (`satisfied.sql`), so that a rule is judged in one place whoever asks.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from lark.exceptions import UnexpectedInput

from bsync_assets.rules.expressions import Expression, RuleError, column_of, holds, number_terms, parser, stopped_at
from bsync_assets.rules.patterns import PatternError, re2_pattern

ORDERINGS = frozenset({"<", ">", "<=", ">="})

# Consumed by the platform, never signals (TRT-007).
RESERVED_KEYS = frozenset(
    {
        "d_sid",
        "d_unsid",
        "d_uuid",
        "d_cid",
        "d_cid_ic",
        "d_dpid",
        "d_dpuuid",
        "d_mid",
        "d_orgid",
        "d_rtbd",
        "d_cb",
        "d_dst",
        "d_jsonv",
        "d_cts",
        "d_nsid",
        "d_caller",
        "d_coppa",
        "d_tdpid",
        "d_tdpid_ic",
        "gdpr",
        "gdpr_consent",
    }
)

_SPELLINGS = {"=": "==", "=>": ">="}
_KEY_NAME = re.compile(r"[0-9]*[A-Za-z][A-Za-z0-9_.-]*")
# The same form as the macro `rule_number`, which reads the signals.
_NUMBER = re.compile(r"[ \t]*[+-]?(0*[0-9]{1,28}(\.[0-9]{0,10}0*)?|\.[0-9]{1,10}0*)[ \t]*")
_ESCAPES = {'"': re.compile(r'\\(["\\])'), "'": re.compile(r"\\(['\\])")}


class Comparison(NamedTuple):
    """`key op operand`. The operand is the literal's text without quotes and escapes; `op` is one of
    == != > < >= <= contains startswith endswith matcheswords matchesregex (TRT-037)."""

    key: str
    op: str
    operand: str


class TraitRule(NamedTuple):
    """A valid rule: its distinct comparisons in order of first mention, and how they combine, by index."""

    comparisons: tuple[Comparison, ...]
    expression: Expression


class _Columns(NamedTuple):
    key: int
    operand: int


def is_key_name(text: str) -> bool:
    """Whether `text` may be the key of a signal (TRT-003)."""
    return _KEY_NAME.fullmatch(text) is not None


@lru_cache(maxsize=200_000)  # a run asks twice: when the catalog is checked, and when its rules are put to work
def parse_trait_rule(text: str) -> TraitRule:
    """The rule that `text` says. Raises RuleError with a code of TRT-052: grammar first, then each comparison
    from left to right, then whether a record without signals would satisfy it (TRT-053).

    A word that stands for a key but is none (`123 == "x"`, `_x == 1`) is E_KEY. A character that no word may
    hold stops the grammar: `price!123 == 1` is E_SYNTAX at the `!` (TRT-037).
    """
    try:
        tree: Any = parser("trait_rule.lark").parse(text)
    except UnexpectedInput as error:
        raise RuleError("E_SYNTAX", stopped_at(error, text) + 1) from None

    comparisons: dict[Comparison, int] = {}
    columns: list[_Columns] = []

    def number(found: list[str]) -> int:
        key, operator, literal = found
        op = operator.lower()
        comparison = Comparison(str(key), _SPELLINGS.get(op, op), _unquoted(literal))
        if comparison not in comparisons:
            comparisons[comparison] = len(columns)
            columns.append(_Columns(column_of(key), column_of(literal)))
        return comparisons[comparison]

    rule = TraitRule(expression=number_terms(tree, number), comparisons=tuple(comparisons))
    for comparison, at in zip(comparisons, columns, strict=True):
        _check(comparison, at)
    if holds(rule.expression, ()):
        raise RuleError("E_MATCHES_EMPTY", 1)
    return rule


def _unquoted(literal: str) -> str:
    """TRT-036: in quotes, a backslash escapes that quote and itself; elsewhere it is a backslash."""
    escapes = _ESCAPES.get(literal[0])
    if escapes is None:
        return str(literal)
    return escapes.sub(r"\1", literal[1:-1])


def _check(comparison: Comparison, at: _Columns) -> None:
    key, op, operand = comparison
    if not is_key_name(key):
        raise RuleError("E_KEY", at.key)
    if key.lower() in RESERVED_KEYS:  # keys compare without case (TRT-045)
        raise RuleError("E_RESERVED_KEY", at.key)
    if op in ORDERINGS:
        if not _NUMBER.fullmatch(operand):
            raise RuleError("E_NUMBER", at.operand)
    elif op not in ("==", "!="):
        if not operand or (op == "matcheswords" and not any(c.isalpha() or c.isdecimal() for c in operand)):
            raise RuleError("E_EMPTY_OPERAND", at.operand)
        if op == "matchesregex":
            try:
                re2_pattern(operand)
            except PatternError:
                raise RuleError("E_REGEX", at.operand) from None
