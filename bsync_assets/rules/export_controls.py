"""Export controls (OUT-020 to OUT-026): which segment may not go to which destination, and because of what.

One rule, asked twice: by the catalog, which refuses to map a segment that is blocked, and by a run, which drops a mapping that
has become blocked since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from bsync_assets.catalog.checks import Check, Declared, Problem
from bsync_assets.catalog.models import DataSource, Segment, Trait
from bsync_assets.rules.expressions import RuleError
from bsync_assets.rules.segments import Has, parse_segment


class Block(NamedTuple):
    """Why a segment is blocked: a control that matches a label, and the data source (or "merge rule") that carries it."""

    code: str
    source: str


def blocks(
    segment: Segment, labels: Collection[str], traits: Mapping[int, Trait], sources: Mapping[int, DataSource]
) -> list[Block]:
    """Everything that keeps `segment` away from a destination with these labels; empty = it may go there (OUT-021 to OUT-024).

    Raises RuleError for a segment whose expression cannot be read.
    """
    if not labels:
        return []
    named = [trait for term in parse_segment(segment.rule, None).terms for trait in _traits_of(term)]
    dpids = {traits[trait].data_source for trait in _with_contents(named, traits) if trait in traits}
    dpids.update(segment.merge_sources)
    found = [Block(code, "merge rule") for code in segment.merge_controls]
    found += [Block(code, str(dpid)) for dpid in sorted(dpids) if dpid in sources for code in sources[dpid].controls]
    return [block for block in found if block.code in labels]


def blocked_sources(labels: Collection[str], sources: Mapping[int, DataSource]) -> list[int]:
    """Data sources whose traits may not be printed for a destination with these labels (OUT-025)."""
    return [dpid for dpid, source in sources.items() if set(source.controls) & set(labels)]


def _traits_of(term: object) -> Sequence[int]:
    return (term.trait,) if isinstance(term, Has) else getattr(term, "traits", ())


def _with_contents(named: Sequence[int], traits: Mapping[int, Trait]) -> set[int]:
    """The traits, and all that lie in folders among them (OUT-023)."""
    found: set[int] = set()
    pending = list(named)
    while pending:
        trait = pending.pop()
        if trait not in found:
            found.add(trait)
            pending.extend(traits[trait].contains if trait in traits else ())
    return found


def export_problems(in_force: Collection[tuple[int, int]]) -> Check:
    """A `Check`: a blocked segment cannot be mapped, nor a mapped one be given a trait that blocks it (OUT-026).

    `in_force` has the mappings (destination, segment) that went out before. One that has become blocked since is no mistake in
    the catalog: the run drops it and says so, and everything else goes on.
    """

    def check(declared: Declared) -> Iterator[Problem]:
        segments = {segment.id: segment for segment in declared.segments}
        traits = {trait.id: trait for trait in declared.traits}
        sources = {source.id: source for source in declared.data_sources}
        for i, destination in enumerate(declared.destinations):
            for j, mapping in enumerate(destination.segments):
                segment = segments.get(mapping.id)
                if segment is None or segment.status == "deleted" or (destination.id, mapping.id) in in_force:
                    continue
                try:
                    found = blocks(segment, destination.labels, traits, sources)
                except RuleError:
                    continue  # said where the rule stands
                if found:
                    why = ", ".join(f"{block.code} of {_what(block)}" for block in found)
                    place = ("destinations", i, "segments", j, "id")
                    yield Problem(place, f"segment {mapping.id} must not go there by its export controls: {why} (OUT-026)")

    return check


def _what(block: Block) -> str:
    return f"data source {block.source}" if block.source.isdigit() else f"its {block.source}"
