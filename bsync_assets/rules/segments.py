"""Segment expressions (SEG-020 to SEG-037): from text to terms and how they combine, or to a code and column.

Belongs here: the language and its checks. Does not belong here: which profiles satisfy a term.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from bsync_assets.rules.expressions import Expression, RuleError, column_of, holds, number_terms, parser, stopped_at

MAX_TRAITS = 5_000  # distinct, in one expression (SEG-028)
MAX_SEGMENTS = 20_000  # of an account (SEG-028)

_FITS = {">=": operator.ge, "<=": operator.le, "==": operator.eq}
_SIGNED_NUMBER = re.compile(r"[+-]?\.?[0-9]")


class TraitFacts(NamedTuple):
    """What the checks need to know of a trait: its kind (onboarded, rule, folder, algorithmic), whether its
    data source belongs to the account, and for a folder the traits and folders right below it."""

    kind: str
    own: bool
    contains: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Has:
    """`nT`: the trait is active (SEG-021)."""

    trait: int


@dataclass(frozen=True, slots=True)
class Frequency:
    """`FREQUENCY([traits] window) op count` (SEG-030 to SEG-034): traits distinct in the order named, window
    None or ("<=" | ">=", days), op one of >= <= ==."""

    traits: tuple[int, ...]
    window: tuple[str, int] | None
    op: str
    count: int

    def fits(self, realizations: int) -> bool:
        """Whether so many realizations in the window satisfy the term (SEG-032)."""
        return bool(_FITS[self.op](realizations, self.count))


Term: TypeAlias = Has | Frequency


class SegmentRule(NamedTuple):
    """A valid expression: its distinct terms in order of first mention, and how they combine, by index."""

    terms: tuple[Term, ...]
    expression: Expression


def term_text(term: Term) -> str:
    """A term in its plainest spelling."""
    if isinstance(term, Has):
        return f"{term.trait}T"
    window = f" {term.window[0]} {term.window[1]}D" if term.window else ""
    return f"FREQUENCY([{', '.join(f'{trait}T' for trait in term.traits)}]{window}) {term.op} {term.count}"


def named_traits(rule: SegmentRule) -> set[int]:
    """The traits that an expression names, folders as such."""
    return {trait for term in rule.terms for trait in ((term.trait,) if isinstance(term, Has) else term.traits)}


class _Mention(NamedTuple):
    column: int
    trait: int
    counted: bool  # inside FREQUENCY


def parse_segment(text: str, traits: Mapping[int, TraitFacts] | None) -> SegmentRule:
    """The expression that `text` says. Raises RuleError with a code of SEG-027, checked in the order there.

    Without `traits` only what the text alone shows is checked: grammar, operators, values, limits and
    E_MATCHES_EMPTY. White space may be left out (`1TAND2T`); numbers have at most 18 digits.
    """
    rule, mentions = _read(text)
    if traits is not None:
        _check_traits(mentions, traits)
    _check_limit(mentions)
    # The profile that never realized anything: no trait, every count 0 (SEG-026).
    if holds(
        rule.expression,
        {i for i, term in enumerate(rule.terms) if isinstance(term, Frequency) and term.fits(0)},
    ):
        raise RuleError("E_MATCHES_EMPTY", 1)
    return rule


@lru_cache(maxsize=MAX_SEGMENTS)
def _read(text: str) -> tuple[SegmentRule, tuple[_Mention, ...]]:
    """What the text says, and where it names traits. Kept, because a run reads each expression to check it and to judge by it."""
    try:
        tree: Any = parser("segment.lark").parse(text)
    except UnexpectedInput as error:
        at = stopped_at(error, text)
        raise RuleError(_code(error, text[at:]), at + 1) from None

    terms: dict[Term, int] = {}
    mentions: list[_Mention] = []

    def number(found: list[Any]) -> int:
        term: Term
        if len(found) == 1:
            named, term = found, Has(int(found[0]))
        else:
            *named, recency, days, op, count = found
            distinct = tuple(dict.fromkeys(int(trait) for trait in named))
            window = (_spelling(recency), int(days)) if recency else None
            term = Frequency(distinct, window, _spelling(op), int(count))
        mentions.extend(_Mention(column_of(trait), int(trait), len(found) > 1) for trait in named)
        return terms.setdefault(term, len(terms))

    rule = SegmentRule(expression=number_terms(tree, number), terms=tuple(terms))
    return rule, tuple(mentions)


def _code(error: UnexpectedInput, rest: str) -> str:
    """Which of parsing's codes it is, by what was expected where the grammar stopped (SEG-031, SEG-032)."""
    expected: set[str] = set()
    if isinstance(error, UnexpectedCharacters):
        expected = set(error.allowed or ())
    elif isinstance(error, UnexpectedToken):
        expected = set(error.expected)
    if rest.startswith(("<", ">", "=", "!")):
        if "RECENCY_OPERATOR" in expected:
            return "E_REC_OP"
        if "FREQUENCY_OPERATOR" in expected:
            return "E_FREQ_OP"
    if "DAYS" in expected and _SIGNED_NUMBER.match(rest):
        return "E_REC_VALUE"
    return "E_SYNTAX"


def _spelling(op: str) -> str:
    return ">=" if op == "=>" else str(op)


def _check_traits(mentions: Sequence[_Mention], traits: Mapping[int, TraitFacts]) -> None:
    """SEG-027, SEG-035: each code over the whole expression before the next."""
    for column, trait, _ in mentions:
        if trait not in traits:
            raise RuleError("E_UNKNOWN_TRAIT", column)
    counted = [mention for mention in mentions if mention.counted]
    for column, trait, _ in counted:
        if not traits[trait].own:
            raise RuleError("E_THIRD_PARTY", column)
    for column, trait, _ in counted:
        if traits[trait].kind not in ("rule", "folder"):
            raise RuleError("E_TRAIT_TYPE", column)


def _check_limit(mentions: Sequence[_Mention]) -> None:
    seen: set[int] = set()
    for column, trait, _ in mentions:
        seen.add(trait)
        if len(seen) > MAX_TRAITS:
            raise RuleError("E_TOO_MANY_TRAITS", column)
