"""AND, OR and NOT over numbered terms: what trait rules and segment expressions have in common.

Belongs here: the error both languages raise, the expression a rule becomes, and how it is judged.
Does not belong here: what a term is and when it is satisfied.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from lark import Lark, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken

# ("term", i) | ("not", e) | ("and", e1, e2, ...) | ("or", e1, e2, ...)
Expression: TypeAlias = tuple[Any, ...]

# Operators inside each other, after needless parentheses are gone. Far above what a person writes, far below
# what Python's stack bears, so whoever walks an expression may do so recursively.
MAX_DEPTH = 200


class RuleError(ValueError):
    """A rule or segment expression that is refused (TRT-051).

    code: one of TRT-052 or SEG-027. column: where it was detected, in characters from the start of the text,
    counted from 1; one past the end when the text stops too early.
    """

    def __init__(self, code: str, column: int) -> None:
        super().__init__(f"{code} at column {column}")
        self.code = code
        self.column = column


def holds(expression: Expression, satisfied: Collection[int]) -> bool:
    """Whether `expression` is true if just the terms in `satisfied` (a set, best) are (TRT-034, SEG-022)."""
    operator = expression[0]
    if operator == "term":
        return expression[1] in satisfied
    if operator == "not":
        return not holds(expression[1], satisfied)
    decisive = operator == "or"
    for part in expression[1:]:
        if holds(part, satisfied) is decisive:
            return decisive
    return not decisive


def any_will_do(expression: Expression) -> bool:
    """Whether one satisfied term, whichever it is, makes `expression` true."""
    return expression[0] == "term" or (expression[0] == "or" and all(part[0] == "term" for part in expression[1:]))


def anchors(expression: Expression, cost: Sequence[int]) -> set[int]:
    """Terms of which at least one is satisfied whenever `expression` is true; of the possible sets a cheap one.

    `cost` = what it costs to look at term i. The expression must be false when no term is satisfied (TRT-053, SEG-026): then
    there is such a set.
    """
    found = _anchors(expression, cost, negated=False)
    if found is None:
        raise ValueError(f"an expression that is true without any term has no anchor: {expression}")
    return found


def _anchors(expression: Expression, cost: Sequence[int], negated: bool) -> set[int] | None:
    """None when the expression (or its negation) may be true though no term is satisfied."""
    operator = expression[0]
    if operator == "term":
        return None if negated else {expression[1]}
    if operator == "not":
        return _anchors(expression[1], cost, not negated)
    parts = [_anchors(part, cost, negated) for part in expression[1:]]
    known = [part for part in parts if part is not None]
    if (operator == "and") is not negated:
        return min(known, key=lambda part: sum(cost[term] for term in part), default=None)
    return set().union(*known) if len(known) == len(parts) else None


class ExpressionBuilder(Transformer[Any, Expression]):
    """The parser's callbacks for what both grammars share.

    Needless nesting (parentheses, AND in AND, a doubled NOT) disappears here. A term stays
    ("term", <what the grammar found>) until `number_terms`.
    """

    def any_of(self, parts: list[Expression]) -> Expression:
        """`a OR b`."""
        return _joined("or", parts)

    def all_of(self, parts: list[Expression]) -> Expression:
        """`a AND b`, `a NOT b`."""
        return _joined("and", parts)

    def negated(self, parts: list[Expression]) -> Expression:
        """`NOT a`."""
        (part,) = parts
        negated: Expression = part[1] if part[0] == "not" else ("not", part)
        return negated

    def term(self, found: list[Any]) -> Expression:
        """A comparison or a trait, still as found."""
        return ("term", found)


def _joined(operator: str, parts: list[Expression]) -> Expression:
    joined: list[Any] = [operator]
    for part in parts:
        if part[0] == operator:
            joined.extend(part[1:])
        else:
            joined.append(part)
    return tuple(joined)


def number_terms(tree: Expression, number: Callable[[list[Any]], int], depth: int = 0) -> Expression:
    """`tree` with every term replaced by `number(what the grammar found)`, called in the order of the text.

    Raises RuleError E_SYNTAX when operators nest deeper than MAX_DEPTH, before the stack does.
    """
    if depth > MAX_DEPTH:
        while tree[0] != "term":
            tree = tree[1]
        raise RuleError("E_SYNTAX", column_of(tree[1][0]))
    if tree[0] == "term":
        return ("term", number(tree[1]))
    return (tree[0], *[number_terms(part, number, depth + 1) for part in tree[1:]])


@cache
def parser(grammar: str) -> Lark:
    """The parser for a `.lark` file of this package; building takes milliseconds, so each is built once."""
    return Lark(
        Path(__file__).with_name(grammar).read_text(encoding="utf-8"),
        parser="lalr",
        lexer="contextual",
        transformer=ExpressionBuilder(),
    )


def column_of(token: Any) -> int:
    """The column of a token the grammar found."""
    return int(token.start_pos) + 1


def stopped_at(error: UnexpectedInput, text: str) -> int:
    """Offset into `text` of what the parser could not use; the length of the text when it needed more."""
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return len(text)
    return error.pos_in_stream or 0
