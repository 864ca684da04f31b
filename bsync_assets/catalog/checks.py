"""What declared items must agree on: unique keys, references, fields that fit each other, limits.

Not here: what one field alone may hold (`models`), and the grammar of rules, which the rules room judges
through the same interface (`Check`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bsync_assets.catalog.models import (
    SHARED_NAMESPACES,
    DataSource,
    Destination,
    Partner,
    Segment,
    Settings,
    Trait,
)

#: Where in the declarations: section, then item number from 0 and fields, e.g. ("traits", 3, "rule").
Place = tuple[str | int, ...]


class Problem(NamedTuple):
    """One thing that is wrong at one place, as a phrase that says what was expected."""

    place: Place
    text: str


@dataclass(frozen=True)
class Declared:
    """All that could be read, in file order, one entry per item of the file: a position here is one there.

    `wrong` has the places where reading failed; a field there has its default or an empty stand-in. What a
    check says of such a place is dropped, so it looks there only before it calls another place wrong because
    of that one. A section alone in `wrong` means that nothing is known of it.
    """

    settings: Settings
    partners: Sequence[Partner]
    data_sources: Sequence[DataSource]
    traits: Sequence[Trait]
    segments: Sequence[Segment]
    destinations: Sequence[Destination]
    wrong: frozenset[Place]


Check = Callable[[Declared], Iterable[Problem]]

MAX_FOLDER_DEPTH = 5  # TRT-012


def item_problems(declared: Declared) -> Iterator[Problem]:
    """The `Check` of this room: everything below, in one go."""
    yield from _settings(declared)
    yield from _duplicates(declared)
    yield from _references(declared)
    yield from _data_sources(declared)
    yield from _traits(declared)
    yield from _folders(declared)
    yield from _segments(declared)
    yield from _destinations(declared)
    yield from _limits(declared)


def _settings(declared: Declared) -> Iterator[Problem]:
    mail = declared.settings.mail
    if mail.transport == "smtp" and "sender" not in mail.model_fields_set:
        yield Problem(("settings", "mail", "from"), "missing, transport smtp needs an address to send from")
    if (mail.user is None) != (mail.password_env is None):
        lacking = "user" if mail.user is None else "password_env"
        yield Problem(("settings", "mail", lacking), "missing, user and password_env go together")


def _duplicates(declared: Declared) -> Iterator[Problem]:
    keys: dict[tuple[str, str], list[str | int]] = {
        ("partners", "name"): [partner.name for partner in declared.partners],
        ("partners", "id"): [partner.id for partner in declared.partners],
        ("data_sources", "id"): [source.id for source in declared.data_sources],
        ("data_sources", "integration_code"): [source.integration_code or "" for source in declared.data_sources],
        ("traits", "id"): [trait.id for trait in declared.traits],
        ("segments", "id"): [segment.id for segment in declared.segments],
        ("destinations", "id"): [destination.id for destination in declared.destinations],
        ("destinations", "name"): [destination.name for destination in declared.destinations],
    }
    for (section, field), values in keys.items():
        first: dict[str | int, int] = {}
        for position, value in enumerate(values):
            if value != "" and first.setdefault(value, position) != position:
                yield Problem((section, position, field), f"{value!r} is taken by {section}[{first[value]}]")

    for position, destination in enumerate(declared.destinations):
        first = {}
        for mapped, mapping in enumerate(destination.segments):
            if first.setdefault(mapping.id, mapped) != mapped:
                place = ("destinations", position, "segments", mapped, "id")
                yield Problem(place, f"{mapping.id} is mapped by segments[{first[mapping.id]}] already")


def _references(declared: Declared) -> Iterator[Problem]:
    partners: set[str | int] = {partner.name for partner in declared.partners}
    sources: set[str | int] = {source.id for source in declared.data_sources}
    namespaces = sources | SHARED_NAMESPACES
    traits: set[str | int] = {trait.id for trait in declared.traits}
    segments: set[str | int] = {segment.id for segment in declared.segments}

    def wanted() -> Iterator[tuple[str | int | None, str, set[str | int], Place]]:
        """(what is named, section that should have it, keys of that section, where it is named)"""
        for i, partner in enumerate(declared.partners):
            for j, dpid in enumerate(partner.access):
                yield dpid, "data_sources", sources, ("partners", i, "access", j)
        for i, source in enumerate(declared.data_sources):
            yield source.owner, "partners", partners, ("data_sources", i, "owner")
        for i, trait in enumerate(declared.traits):
            yield trait.data_source, "data_sources", sources, ("traits", i, "data_source")
            for j, trait_id in enumerate(trait.contains):
                yield trait_id, "traits", traits, ("traits", i, "contains", j)
        for i, segment in enumerate(declared.segments):
            yield segment.data_source, "data_sources", sources, ("segments", i, "data_source")
            for j, dpid in enumerate(segment.merge_sources):
                yield dpid, "data_sources", sources, ("segments", i, "merge_sources", j)
        for i, destination in enumerate(declared.destinations):
            yield destination.master_dpid, "data_sources", namespaces, ("destinations", i, "master_dpid")
            for j, mapping in enumerate(destination.segments):
                yield mapping.id, "segments", segments, ("destinations", i, "segments", j, "id")

    for key, section, known, place in wanted():
        if key is not None and key not in known and (section,) not in declared.wrong:
            yield Problem(place, f"there is no {key!r} in catalog/{section}.yaml")


def _data_sources(declared: Declared) -> Iterator[Problem]:
    for i, source in enumerate(declared.data_sources):
        if source.id in SHARED_NAMESPACES:
            text = f"{source.id} is reserved: a namespace all accounts share, known without declaration"
            yield Problem(("data_sources", i, "id"), text)
        if source.integration_code in ("DSID_20914", "DSID_20915"):
            text = f"{source.integration_code!r} is reserved for a global data source (IDS-102)"
            yield Problem(("data_sources", i, "integration_code"), text)
        if source.type == "cross_device" and source.key != "customer":
            text = f"expected 'customer' for a cross_device source (IDS-08), got {source.key!r}"
            yield Problem(("data_sources", i, "key"), text)


def _traits(declared: Declared) -> Iterator[Problem]:
    for i, trait in enumerate(declared.traits):
        if trait.kind == "rule" and trait.rule is None:
            yield Problem(("traits", i, "rule"), "missing, a trait of kind rule needs one (TRT-054)")
        if trait.kind in ("folder", "algorithmic") and trait.rule is not None:
            text = f"a trait of kind {trait.kind} takes no rule (TRT-023, TRT-025)"
            yield Problem(("traits", i, "rule"), text)
        if trait.kind != "folder" and trait.contains and ("traits", i, "kind") not in declared.wrong:
            text = f"only a folder contains traits (TRT-023), this is of kind {trait.kind}"
            yield Problem(("traits", i, "contains"), text)


def _folders(declared: Declared) -> Iterator[Problem]:
    """A trait lies in one folder (TRT-010); folders lie at most five deep and never in a circle."""
    folders = {i: trait for i, trait in enumerate(declared.traits) if trait.kind == "folder"}
    parent: dict[int, int] = {}
    for i, folder in folders.items():
        for j, trait_id in enumerate(folder.contains):
            if trait_id in parent:
                text = f"trait {trait_id} lies in folder {parent[trait_id]} already (TRT-010)"
                yield Problem(("traits", i, "contains", j), text)
            parent.setdefault(trait_id, folder.id)
    for i, folder in folders.items():
        above = [folder.id]
        while (next_up := parent.get(above[-1])) is not None and next_up not in above:
            above.append(next_up)
        if next_up == folder.id:
            yield Problem(("traits", i, "contains"), f"folder {folder.id} contains itself")
        elif len(above) > MAX_FOLDER_DEPTH:
            text = f"folder {folder.id} lies {len(above)} deep, at most {MAX_FOLDER_DEPTH} (TRT-012)"
            yield Problem(("traits", i, "id"), text)


def _segments(declared: Declared) -> Iterator[Problem]:
    # How many data sources a merge rule chooses. SEG-005
    chosen = {"last_auth_device": (1, 3), "profile_link": (1, 1), "all_cross_device": (1, None)}
    types = {
        source.id: source.type
        for i, source in enumerate(declared.data_sources)
        if ("data_sources", i, "type") not in declared.wrong
    }
    for i, segment in enumerate(declared.segments):
        for j, dpid in enumerate(segment.merge_sources):
            place = ("segments", i, "merge_sources", j)
            if types.get(dpid, "cross_device") != "cross_device":
                yield Problem(place, f"expected a cross_device source, {dpid} is of type {types[dpid]}")
            if dpid in segment.merge_sources[:j]:
                yield Problem(place, f"{dpid} is named twice")
        if segment.merge_rule in chosen:
            least, most = chosen[segment.merge_rule]
            count = len(segment.merge_sources)
            if count < least or (most is not None and count > most):
                wanted = "1 or more" if most is None else "exactly 1" if most == 1 else f"{least} to {most}"
                text = f"expected {wanted} for merge_rule {segment.merge_rule} (SEG-005), got {count}"
                yield Problem(("segments", i, "merge_sources"), text)


def _destinations(declared: Declared) -> Iterator[Problem]:
    for i, destination in enumerate(declared.destinations):
        for j, mapping in enumerate(destination.segments):
            if mapping.start is not None and mapping.end is not None and mapping.end <= mapping.start:
                text = f"expected a day after start ({mapping.start}), got {mapping.end} (OUT-003)"
                yield Problem(("destinations", i, "segments", j, "end"), text)


def _limits(declared: Declared) -> Iterator[Problem]:
    """Limits per account; the first item past one is named. TRT-012, SEG-028, OUT-007."""
    kinds = [(i, trait.kind) for i, trait in enumerate(declared.traits)]
    live = [i for i, segment in enumerate(declared.segments) if segment.status != "deleted"]
    counted: tuple[tuple[str, Sequence[int], int, str], ...] = (
        ("traits", range(len(kinds)), 100_000, "traits (TRT-012)"),
        ("traits", [i for i, kind in kinds if kind == "algorithmic"], 50, "algorithmic traits (TRT-012)"),
        ("traits", [i for i, kind in kinds if kind == "folder"], 2_000, "folders (TRT-012)"),
        ("segments", live, 20_000, "segments (SEG-028)"),
        ("destinations", range(len(declared.destinations)), 1_000, "destinations (OUT-007)"),
    )
    for section, positions, limit, what in counted:
        if len(positions) > limit:
            text = f"expected at most {limit:,} {what}, got {len(positions):,}"
            yield Problem((section, positions[limit]), text)
