"""Whether profiles whose whole state is given are in a segment (SEG-021 to SEG-037, TRT-083, TRT-084).

Belongs here: one expression over a few profiles, to explain and to check. Does not belong here: the daily
run, which judges all profiles at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, TypeAlias

from bsync_assets.rules.expressions import RuleError, holds
from bsync_assets.rules.segments import Has, Term, TraitFacts, parse_segment
from bsync_assets.rules.ttl import expires_on, is_active

Realization: TypeAlias = tuple[date, int]  # UTC date, how often on it
# Per profile and trait, the realizations of its present life.
Profiles: TypeAlias = Sequence[Mapping[int, Sequence[Realization]]]


def segment_result(asked: Mapping[str, Any]) -> bool | str:
    """The answer to one `segment` object of the batch form: whether the merged profiles are members on
    `business_day`, or the code of a refused expression.

    Keys: expression, profiles (merged when several), business_day, traits {id: {type, owner, ttl, contains}},
    state {profile: {trait: [[date, count], ...]}}. Realizations after the business day are not seen.
    """
    given = {int(trait): fields for trait, fields in asked["traits"].items()}
    facts = {
        trait: TraitFacts(fields["type"], fields.get("owner", "own") == "own", tuple(fields.get("contains", ())))
        for trait, fields in given.items()
    }
    try:
        rule = parse_segment(asked["expression"], facts)
    except RuleError as error:
        return error.code

    day = date.fromisoformat(asked["business_day"])
    profiles = [
        {
            int(trait): present_life(
                [(date.fromisoformat(when), count) for when, count in realized],
                given[int(trait)].get("ttl", 120),
                day,
            )
            for trait, realized in asked["state"].get(profile, {}).items()
            if int(trait) in given
        }
        for profile in asked["profiles"]
    ]
    return holds(rule.expression, {i for i, term in enumerate(rule.terms) if satisfies(term, profiles, facts, day)})


def present_life(realized: Sequence[Realization], ttl_days: int, day: date) -> list[Realization]:
    """The realizations that count on business day `day`, oldest first: none when the trait has expired, else
    those since it was last gone. One on or after the day of expiry starts anew, an earlier one prolongs the
    life (TRT-084)."""
    life: list[Realization] = []
    for realization in sorted(seen for seen in realized if seen[0] <= day):
        end = expires_on(life[-1][0], ttl_days) if life else None
        if end is not None and realization[0] >= end:
            life = []
        life.append(realization)
    return life if life and is_active(life[-1][0], ttl_days, day) else []


def satisfies(term: Term, profiles: Profiles, traits: Mapping[int, TraitFacts], day: date) -> bool:
    """Whether the merged `profiles` satisfy `term` on business day `day` (SEG-008, SEG-021, SEG-030)."""
    if isinstance(term, Has):
        return any(profile.get(trait) for trait in below([term.trait], traits) for profile in profiles)
    total = 0
    for trait in below(term.traits, traits):
        realized = [realization for profile in profiles for realization in profile.get(trait, ())]
        if traits[trait].kind != "rule" and realized:
            realized = [(max(realized)[0], 1)]  # at most one, dated at the last (SEG-036)
        total += sum(count for realized_on, count in realized if _in_window(realized_on, term.window, day))
    return term.fits(total)


def below(named: Sequence[int], traits: Mapping[int, TraitFacts]) -> set[int]:
    """The traits that `named` stand for: a folder for all traits at any depth below it (SEG-034, SEG-036)."""
    found: set[int] = set()
    folders: set[int] = set()
    waiting = list(named)
    while waiting:
        trait = waiting.pop()
        if trait not in traits:
            continue
        if traits[trait].kind != "folder":
            found.add(trait)
        elif trait not in folders:
            folders.add(trait)
            waiting.extend(traits[trait].contains)
    return found


def _in_window(realized: date, window: tuple[str, int] | None, day: date) -> bool:
    """SEG-033: both bounds include the day exactly so many days ago."""
    if window is None:
        return True
    op, days = window
    age = (day - realized).days
    return age <= days if op == "<=" else age >= days
