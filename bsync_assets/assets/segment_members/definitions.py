"""What decides who is a member: the catalog's segments as rules over facts, each with a hash that changes when it must.

Belongs here: definitions. Does not belong here: profiles.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bsync_assets.catalog.models import Catalog, Segment
from bsync_assets.rules.segment_sets import SetRule, set_rule
from bsync_assets.rules.segments import TraitFacts, parse_segment


@dataclass(frozen=True)
class Merge:
    """A merge rule and the cross-device sources it uses, in order of their number (SEG-005)."""

    rule: str
    sources: tuple[int, ...]

    @property
    def takes_devices(self) -> bool:
        """Whether devices may be members."""
        return self.rule != "all_cross_device"


@dataclass(frozen=True)
class Definition:
    """A segment as it is judged. `text` is the expression as written."""

    segment_id: int
    status: str
    text: str
    rule: SetRule
    merge: Merge
    hash: str


def definitions(catalog: Catalog) -> dict[int, Definition]:
    """Every segment that is not deleted, by ID. A trait it names that is gone reads as never realized (SEG-029)."""
    facts = trait_facts(catalog)
    kept = (segment for segment in catalog.segments.values() if segment.status != "deleted")
    return {segment.id: define(catalog, segment, facts) for segment in kept}


def define(catalog: Catalog, segment: Segment, facts: Mapping[int, TraitFacts]) -> Definition:
    """One segment as it is judged."""
    rule = set_rule(parse_segment(segment.rule, None), facts)
    sources = segment.merge_sources if segment.merge_rule != "device" else ()
    merge = Merge(segment.merge_rule, tuple(sorted(sources)))
    # Written out rather than as in the catalog: white space in an expression changes nothing, what a folder holds does.
    content = [rule.literals, rule.expression, merge.rule, merge.sources, people(catalog)]
    return Definition(segment.id, segment.status, segment.rule, rule, merge, _hash(content))


def definitions_version(catalog: Catalog) -> str:
    """A hash of everything in the catalog that decides memberships, for data versions: 64 hex digits."""
    return _hash([[d.segment_id, d.status, d.hash] for _, d in sorted(definitions(catalog).items())])


def trait_facts(catalog: Catalog) -> dict[int, TraitFacts]:
    """What segments have to know of the traits, by ID."""
    owners = {source.id: source.owner for source in catalog.data_sources.values()}
    return {
        trait.id: TraitFacts(trait.kind, owners.get(trait.data_source) is None, trait.contains)
        for trait in catalog.traits.values()
    }


def people(catalog: Catalog) -> list[int]:
    """The cross-device sources: their IDs are persons, all others devices (SEG-001)."""
    return sorted(source.id for source in catalog.data_sources.values() if source.type == "cross_device")


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
