"""Why one ID is, or is not, in a segment: `bsync why`. The SQL and the set algebra that judge are those of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb

from bsync_assets.assets.segment_members.definitions import Definition, definitions, people
from bsync_assets.assets.segment_members.judging import (
    find_facts,
    find_last_users,
    merge_profiles,
    place_profiles,
)
from bsync_assets.catalog.models import Catalog
from bsync_assets.rules.segment_sets import Literal, fact_traits, members
from bsync_assets.rules.segments import parse_segment, term_text
from bsync_assets.sqlfiles import make, sql
from bsync_assets.warehouse.lake import fetch_all, view_as_of


def why_member(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, segment: int, profile: tuple[int, str], day: date
) -> dict[str, Any]:
    """Everything that decides whether `profile` (dpid, ID) is in the segment at the end of `day`, the lake being attached.

    Answers {segment, id, day, status, rule, merge_rule, member, recorded, changes, opted_out, units}: `member` is the verdict of
    the rules, `recorded` what the lake has; a unit is {profiles, member, terms}, a term {term, true, traits}, a trait {trait_id,
    profile, held, ...} with its realizations, expiry and the file and line it came from. Raises LookupError for a segment that
    is not in the catalog or deleted.
    """
    definition = definitions(catalog).get(segment)
    if definition is None:
        raise LookupError(f"there is no segment {segment} in catalog/segments.yaml, or it is deleted")
    dpid, name = profile
    make(con, "affected_profile", "SELECT $dpid::BIGINT AS dpid, $id::VARCHAR AS id", {"dpid": dpid, "id": name})
    find_last_users(con, definition.merge.sources, day, "_now")
    merge_profiles(con, definition.merge, "_now")
    make(con, "concerned", sql(__file__, "concerned.sql"))
    make(con, "judged_profile", sql(__file__, "judged_profile.sql"))
    place_profiles(con, definition.merge, people(catalog))
    view_as_of(con, "traits_now", "profile_traits", day, only="concerned")
    view_as_of(con, "counts_now", "trait_counts", day, only="concerned")
    view_as_of(con, "members_then", "segment_members", day, only="affected_profile")
    units = _units(con, catalog, definition, profile, day)
    return {
        "segment": segment,
        "id": f"{dpid}:{name}",
        "day": day,
        "status": definition.status,
        "rule": definition.text,
        "merge_rule": definition.merge.rule,
        "member": any(unit["member"] for unit in units),
        "recorded": bool(fetch_all(con, "FROM members_then WHERE segment_id = $segment", {"segment": segment})),
        "changes": fetch_all(con, """
            SELECT day, change, reason FROM lake.main.segment_changes
            WHERE segment_id = $segment AND dpid = $dpid AND id = $id AND day <= $day ORDER BY day
        """, {"segment": segment, "dpid": dpid, "id": name, "day": day}),
        "opted_out": next(iter(fetch_all(con, "SELECT min(opted_out_at) AS at FROM gone_now WHERE dpid = $dpid AND id = $id",
                                         {"dpid": dpid, "id": name})), {}).get("at"),
        "units": units,
    }  # fmt: skip


def _units(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, definition: Definition, profile: tuple[int, str], day: date
) -> list[dict[str, Any]]:
    """The merged profiles that this one is part of, each with the verdict on every term of the expression."""
    having = find_facts(con, definition.rule.facts, day)
    satisfied = members(definition.rule, having)
    units: dict[int, list[tuple[int, str]]] = {}
    for row in fetch_all(con, sql(__file__, "unit_members.sql"), {"dpid": profile[0], "id": profile[1]}):
        units.setdefault(row["unit"], []).append((row["dpid"], row["id"]))
    traits = sorted({trait for fact in definition.rule.facts for trait in fact_traits(fact)})
    evidence = {part: _evidence(con, part, traits, day) for unit in units.values() for part in unit}
    texts = [term_text(term) for term in parse_segment(definition.text, None).terms]

    def true(literal: Literal, unit: int) -> bool:
        return (literal.fact is not None and unit in having[literal.fact]) is literal.present

    return [
        {
            "profiles": [f"{dpid}:{name}" for dpid, name in profiles],
            "member": unit in satisfied,
            "terms": [
                {
                    "term": text,
                    "true": true(literal, unit),
                    "traits": [
                        evidence[part][trait]
                        for trait in (fact_traits(literal.fact) if literal.fact else ())
                        for part in profiles
                        if trait in evidence[part]
                    ],
                }
                for text, literal in zip(texts, definition.rule.literals, strict=True)
            ],
        }
        for unit, profiles in units.items()
    ]


def _evidence(
    con: duckdb.DuckDBPyConnection, profile: tuple[int, str], traits: Sequence[int], day: date
) -> dict[int, dict[str, Any]]:
    """What is known of a profile and these traits: the life each one has now, or how its last one ended; by trait."""
    asked = {"dpid": profile[0], "id": profile[1], "traits": list(traits)}
    held = {row["trait_id"]: row for row in fetch_all(con, """
        SELECT trait_id, first_realized, last_realized, expires_at FROM traits_now
        WHERE dpid = $dpid AND id = $id AND list_contains($traits, trait_id)
    """, asked)}  # fmt: skip
    counts: dict[int, dict[str, int]] = {}
    for row in fetch_all(con, """
        SELECT trait_id, date, count FROM counts_now
        WHERE dpid = $dpid AND id = $id AND list_contains($traits, trait_id) ORDER BY date
    """, asked):  # fmt: skip
        counts.setdefault(row["trait_id"], {})[row["date"].isoformat()] = row["count"]
    ended = {row["trait_id"]: row for row in fetch_all(con, """
        SELECT trait_id, day, reason FROM lake.main.profile_traits_changes
        WHERE dpid = $dpid AND id = $id AND list_contains($traits, trait_id) AND day <= $day AND change = 'removed'
        QUALIFY row_number() OVER (PARTITION BY trait_id ORDER BY day DESC) = 1
    """, asked | {"day": day})}  # fmt: skip
    origins = {
        (row["trait_id"], row["operation"]): row
        for row in fetch_all(con, sql(__file__, "trait_origins.sql"), asked | {"day": day})
    }
    found: dict[int, dict[str, Any]] = {}
    for trait in traits:
        about: dict[str, Any] = {"trait_id": trait, "profile": f"{profile[0]}:{profile[1]}", "held": trait in held}
        if trait in held:
            about |= {key: held[trait][key] for key in ("first_realized", "last_realized", "expires_at")}
            about |= {"counts": counts.get(trait, {}), "from": _place(origins.get((trait, "add")))}
        elif trait in ended:
            about |= {"ended": ended[trait]["day"], "reason": ended[trait]["reason"]}
            about |= {"from": _place(origins.get((trait, "remove")))}
        else:
            about |= {"reason": "never realized"}
        found[trait] = about
    return found


def _place(origin: Mapping[str, Any] | None) -> str | None:
    return None if origin is None else f"{origin['file']} line {origin['line']} (of {origin['dpid']}:{origin['id']})"


def in_words(answer: Mapping[str, Any]) -> list[str]:
    """The answer of `why_member` as lines for people."""
    verdict = "is in" if answer["member"] else "is not in"
    lines = [f"{answer['id']} {verdict} segment {answer['segment']} at the end of {answer['day']}: {answer['rule']}"]
    if answer["status"] != "active":
        lines.append(f"the segment is {answer['status']}: its members are those of the day before it was (SEG-041)")
    if answer["member"] is not answer["recorded"]:
        lines.append(
            f"recorded is that it {'is' if answer['recorded'] else 'is not'}: the definition changed, or the day was not run"
        )
    if answer["opted_out"]:
        lines.append(f"opted out at {answer['opted_out']}: in no segment, merged with nobody (PRV-025, PRV-027)")
    elif not answer["units"]:
        lines.append(f"merge rule {answer['merge_rule']} takes no profile of this kind, or it is merged with nobody (SEG-005)")
    for unit in answer["units"]:
        lines.append(f"{' + '.join(unit['profiles'])}: {'satisfies it' if unit['member'] else 'does not satisfy it'}")
        for term in unit["terms"]:
            lines.append(f"  {'yes' if term['true'] else 'no ':3} {term['term']}")
            lines += [f"        {_trait_in_words(trait)}" for trait in term["traits"]]
    lines += [
        f"{change['day']} {change['change']}" + (f" ({change['reason']})" if change["reason"] else "")
        for change in answer["changes"]
    ]
    return lines


def _trait_in_words(trait: Mapping[str, Any]) -> str:
    text = f"trait {trait['trait_id']} of {trait['profile']}: "
    if trait["held"]:
        end = trait["expires_at"]
        text += f"since {trait['first_realized']}, last {trait['last_realized']}, " + (f"until {end}" if end else "for ever")
        if trait["counts"]:
            text += ", visits " + ", ".join(f"{day} x {count}" for day, count in trait["counts"].items())
    elif "ended" in trait:
        text += f"ended on {trait['ended']} ({trait['reason']})"
    else:
        text += trait["reason"]
    return text + (f"; {trait['from']}" if trait.get("from") else "")
