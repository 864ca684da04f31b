"""The rules in the catalog, judged by the parsers of this room: a `Check` for `load_catalog`.

Not here: the languages themselves (`trait_rules`, `segments`), and what else a declaration has to satisfy.
"""

from __future__ import annotations

from collections.abc import Iterator

from bsync_assets.catalog.checks import Declared, Problem
from bsync_assets.rules.expressions import RuleError
from bsync_assets.rules.segments import TraitFacts, parse_segment
from bsync_assets.rules.trait_rules import parse_trait_rule

_EXCERPT = 60  # characters of a long rule that are shown around the column


def rule_problems(declared: Declared) -> Iterator[Problem]:
    """Every trait rule and segment expression that is refused, as code and column (TRT-050, SEG-027).

    A deleted segment may still name traits that are gone (SEG-029); only its grammar is judged.
    """
    for i, trait in enumerate(declared.traits):
        if trait.kind in ("onboarded", "rule") and trait.rule is not None:
            try:
                parse_trait_rule(trait.rule)
            except RuleError as error:
                yield Problem(("traits", i, "rule"), _sentence(error, trait.rule))

    facts = _trait_facts(declared)
    for i, segment in enumerate(declared.segments):
        try:
            parse_segment(segment.rule, None if segment.status == "deleted" else facts)
        except RuleError as error:
            yield Problem(("segments", i, "rule"), _sentence(error, segment.rule))


def _trait_facts(declared: Declared) -> dict[int, TraitFacts] | None:
    """What segments need to know of the traits, by ID; None when the traits cannot be read.

    What is unknown because of a mistake elsewhere is taken for what every segment may use: own, of kind rule.
    """
    if ("traits",) in declared.wrong:
        return None
    foreign = {source.id for source in declared.data_sources if source.owner is not None}
    return {
        trait.id: TraitFacts(
            kind="rule" if ("traits", i, "kind") in declared.wrong else trait.kind,
            own=trait.data_source not in foreign,
            contains=trait.contains,
        )
        for i, trait in enumerate(declared.traits)
    }


def _sentence(error: RuleError, text: str) -> str:
    start = max(0, error.column - 1 - _EXCERPT // 2) if len(text) > _EXCERPT else 0
    before, after = "..." if start else "", "..." if start + _EXCERPT < len(text) else ""
    excerpt = f"{before}{text[start : start + _EXCERPT]}{after}"
    return f"{error.code} at column {error.column} in {excerpt!r}"  # repr keeps a rule of several lines on one
