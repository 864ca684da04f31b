"""Segments judged for all profiles at once: every fact is the set of units that have it, an expression is set algebra.

A *unit* is what an expression is asked of: a device, a person, or several profiles merged (SEG-005); it has a small number.
SQL finds the units of each fact, roaring bitmaps hold and combine them. Belongs here: what facts a set of expressions needs,
and how members follow from them. Does not belong here: finding the units (`assets.segment_members`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import NamedTuple, TypeAlias

from pyroaring import BitMap

from bsync_assets.rules.expressions import Expression
from bsync_assets.rules.membership import below
from bsync_assets.rules.segments import Frequency, Has, SegmentRule, Term, TraitFacts


class Held(NamedTuple):
    """The unit has at least one of these traits (SEG-021, SEG-036)."""

    traits: tuple[int, ...]


class Counted(NamedTuple):
    """The realizations of the unit inside the window are `times` or more, or, with op ==, just `times`; never 0.

    summed: rule-based traits, whose realizations count; capped: others, each adds at most 1, dated at its last (SEG-036).
    window: None or ("<=" | ">=", days).
    """

    summed: tuple[int, ...]
    capped: tuple[int, ...]
    window: tuple[str, int] | None
    op: str
    times: int


Fact: TypeAlias = Held | Counted


class Literal(NamedTuple):
    """A term as a fact that only units with something can have, or as its absence; fact None = nobody has it."""

    fact: Fact | None
    present: bool


class SetRule(NamedTuple):
    """An expression over literals, by index."""

    literals: tuple[Literal, ...]
    expression: Expression

    @property
    def facts(self) -> list[Fact]:
        """The facts it needs."""
        return [literal.fact for literal in self.literals if literal.fact is not None]


def set_rule(rule: SegmentRule, traits: Mapping[int, TraitFacts]) -> SetRule:
    """`rule` over facts. A trait that is not among `traits` was deleted: nobody has it (SEG-029)."""
    return SetRule(tuple(_literal(term, traits) for term in rule.terms), rule.expression)


def _literal(term: Term, traits: Mapping[int, TraitFacts]) -> Literal:
    if isinstance(term, Has):
        held = tuple(sorted(below([term.trait], traits)))
        return Literal(Held(held) if held else None, present=True)
    assert isinstance(term, Frequency)
    counted = sorted(below(term.traits, traits))
    summed = tuple(trait for trait in counted if traits[trait].kind == "rule")
    capped = tuple(trait for trait in counted if traits[trait].kind != "rule")
    op, count, present = term.op, term.count, True
    if op == "<=":  # not more than n: not n + 1 or more
        op, count, present = ">=", count + 1, False
    elif count == 0:  # == 0: not 1 or more; >= 0: the absence of what nobody has
        present = False
        if op == ">=":
            return Literal(None, present)
        op, count = ">=", 1
    return Literal(Counted(summed, capped, term.window, op, count) if counted else None, present)


@dataclass(frozen=True, slots=True)
class _Side:
    """The units in `units`, or with `outside` all others: the units that have nothing need no number."""

    units: BitMap
    outside: bool


def members(rule: SetRule, having: Mapping[Fact, BitMap]) -> BitMap:
    """The units that satisfy `rule`, given the units that have each fact (SEG-022, SEG-023).

    The answer is finite because a unit without any trait satisfies no valid expression (SEG-026).
    """
    sides = [_Side(having[fact] if fact is not None else BitMap(), not present) for fact, present in rule.literals]
    result = _combined(rule.expression, sides)
    assert not result.outside, "an expression that is true without any trait (SEG-026)"
    return result.units


def _combined(expression: Expression, sides: Sequence[_Side]) -> _Side:
    operator = expression[0]
    if operator == "term":
        return sides[expression[1]]
    if operator == "not":
        return _other(_combined(expression[1], sides))
    parts = [_combined(part, sides) for part in expression[1:]]
    if operator == "and":
        return _all_of(parts)
    return _other(_all_of([_other(part) for part in parts]))


def _other(side: _Side) -> _Side:
    return _Side(side.units, not side.outside)


def _all_of(parts: Sequence[_Side]) -> _Side:
    inside = sorted((part.units for part in parts if not part.outside), key=len)
    outside = [part.units for part in parts if part.outside]
    if not inside:
        return _Side(reduce(or_, outside), True)
    both = reduce(and_, inside)
    return _Side(reduce(lambda units, without: units - without, outside, both), False)


def losing_traits(rule: SetRule) -> set[int]:
    """The traits whose loss can end a membership: those of facts that are asked for, rather than excluded (SEG-053)."""
    found: set[int] = set()

    def walk(expression: Expression, wanted: bool) -> None:
        if expression[0] == "term":
            fact, present = rule.literals[expression[1]]
            if fact is not None and (present is wanted or (isinstance(fact, Counted) and fact.op == "==")):
                found.update(fact_traits(fact))
            return
        for part in expression[1:]:
            walk(part, wanted is not (expression[0] == "not"))

    walk(rule.expression, True)
    return found


def fact_traits(fact: Fact) -> tuple[int, ...]:
    """The traits that a fact is about."""
    return fact.traits if isinstance(fact, Held) else (*fact.summed, *fact.capped)
