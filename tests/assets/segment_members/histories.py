"""A small world of profiles told day by day: what happens is written into a real lake, who should be a member is worked out
by reading the rules one profile at a time (`rules.membership`), without SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb

from bsync_assets.catalog.models import Account, Catalog, DataSource, Segment, Settings, Trait
from bsync_assets.rules.expressions import holds
from bsync_assets.rules.membership import satisfies
from bsync_assets.rules.segments import TraitFacts, parse_segment
from bsync_assets.rules.ttl import expires_at, is_active
from bsync_assets.warehouse.lake import commit_changes, fetch_all, replace_day, state_as_of, transaction
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import BY_NAME, Column

Profile = tuple[int, str]  # (dpid, id)
START = date(2026, 1, 1)
PEOPLE = (500, 501)


def device(number: int) -> Profile:
    return (0, f"{number:038d}")


def person(name: str, source: int = 500) -> Profile:
    return (source, name)


def catalog(home: Path, traits: Sequence[Trait], segments: Sequence[Segment]) -> Catalog:
    sources = [DataSource(id=dpid, type="cross_device") for dpid in PEOPLE] + [DataSource(id=700)]
    return Catalog(
        home=home,
        settings=Settings(account=Account(name="Test", pid=1, start=START)),
        partners={},
        data_sources={source.id: source for source in sources},
        traits={trait.id: trait for trait in traits},
        segments={segment.id: segment for segment in segments},
        destinations={},
    )


@dataclass
class Day:
    """What happens on one day. Visits: (profile, trait, count); files: onboarded traits (profile, trait)."""

    visits: list[tuple[Profile, int, int]] = field(default_factory=list)
    onboarded: list[tuple[Profile, int]] = field(default_factory=list)
    unsegmented: list[tuple[Profile, int]] = field(default_factory=list)
    links: list[tuple[Profile, Profile]] = field(default_factory=list)  # person, device
    opt_outs: list[Profile] = field(default_factory=list)
    inactive: list[Profile] = field(default_factory=list)


class World:
    """The profiles at the end of the last day told, and the lake they are in."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        self.lives: dict[tuple[Profile, int], dict[date, int]] = {}
        self.links: dict[tuple[Profile, Profile], datetime] = {}
        self.gone: set[Profile] = set()
        self._clock = 0

    def snapshot(self) -> tuple[Any, ...]:
        """The state now, for `restore`."""
        return deepcopy((self.lives, self.links, self.gone))

    def restore(self, snapshot: tuple[Any, ...]) -> None:
        """Forget what was told since, to tell it otherwise; the lake forgets it as days are told again."""
        self.lives, self.links, self.gone = deepcopy(snapshot)

    def tell(self, catalog: Catalog, day: date, happened: Day) -> None:
        """Take the day in, as the stages before would, and write their change sets."""
        before = {key: dict(life) for key, life in self.lives.items()}
        reasons: dict[tuple[Profile, int], str] = {}
        self.gone |= set(happened.opt_outs)
        visits: dict[tuple[Profile, int], int] = defaultdict(int)
        for profile, trait, count in happened.visits:
            if profile not in self.gone and trait in catalog.traits:
                visits[profile, trait] += count
        for key in happened.unsegmented:
            if self.lives.pop(key, None):
                reasons[key] = "unsegmented_by_file"
        for key, count in visits.items():
            life = self.lives.setdefault(key, {})
            life[day] = life.get(day, 0) + count
        for profile, trait in happened.onboarded:
            if profile not in self.gone and trait in catalog.traits:
                self.lives.setdefault((profile, trait), {})[day] = 1
        for key, life in list(self.lives.items()):
            if key[1] not in catalog.traits:
                reasons[key] = "trait_deleted"
            elif key[0] in happened.inactive:
                reasons[key] = "inactive_120d"
            elif not is_active(max(life), catalog.traits[key[1]].ttl_days, day):
                reasons[key] = "ttl"
            else:
                continue
            del self.lives[key]
        self._write(catalog, day, before, reasons, visits, happened)

    def _write(
        self,
        catalog: Catalog,
        day: date,
        before: Mapping[tuple[Profile, int], dict[date, int]],
        reasons: Mapping[tuple[Profile, int], str],
        visits: Mapping[tuple[Profile, int], int],
        happened: Day,
    ) -> None:
        changes = []
        for key in before.keys() | self.lives.keys():
            life = self.lives.get(key, {})
            if life == before.get(key):
                continue
            (dpid, profile), trait = key
            change = "removed" if not life else "renewed" if key in before else "added"
            realized = life or before[key]
            ttl = catalog.traits[trait].ttl_days if trait in catalog.traits else 0
            end = expires_at(_noon(max(realized)), ttl)
            changes.append(
                {"dpid": dpid, "id": profile, "trait_id": trait, "data_source": 700, "first_realized": _noon(min(realized)),
                 "last_realized": _noon(max(realized)), "expires_at": end and end.replace(tzinfo=None), "change": change,
                 "reason": reasons.get(key) if change == "removed" else None}
            )  # fmt: skip
        links = []
        for (dpid, who), (device_dpid, device_id) in happened.links:
            self._clock += 1
            key = ((dpid, who), (device_dpid, device_id))
            seen = datetime.combine(day, time(hour=self._clock % 5))
            links.append(
                {"dpid": dpid, "id": who, "device_dpid": device_dpid, "device_id": device_id, "first_seen": seen, "seq": 0,
                 "last_seen": seen, "origin": "file", "change": "renewed" if key in self.links else "added", "reason": None}
            )  # fmt: skip
            self.links[key] = seen
        events = [
            {
                "day": day,
                "dpid": dpid,
                "id": profile,
                "trait_id": trait,
                "count": count,
                "first_at": _noon(day),
                "last_at": _noon(day),
            }
            for ((dpid, profile), trait), count in visits.items()
        ]
        out = [
            {"dpid": dpid, "id": profile, "kind": "account", "opted_out_at": _noon(day), "change": "added", "reason": None}
            for dpid, profile in set(happened.opt_outs)
        ]
        newest = {(row["dpid"], row["id"], row["device_id"]): row for row in links}
        states = {"profile_traits": changes, "id_links": list(newest.values()), "opt_outs": out}
        with transaction(self.con):
            for state, rows in states.items():
                rows_table(self.con, "told", (*BY_NAME[state].columns, *_CHANGE), rows)
                commit_changes(self.con, state, day, "told")
            rows_table(self.con, "told", BY_NAME["event_traits"].columns, events)
            replace_day(self.con, "event_traits", day, "told")

    def members(self, catalog: Catalog, segment: Segment, day: date) -> set[Profile]:
        """M(segment, day) by the letter of SEG-005 to SEG-009 and SEG-021 to SEG-037."""
        facts = {t.id: TraitFacts(t.kind, True, t.contains) for t in catalog.traits.values()}
        rule = parse_segment(segment.rule, None)
        found: set[Profile] = set()
        for unit in self._units(segment):
            profiles = [
                {trait: sorted(life.items()) for (profile, trait), life in self.lives.items() if profile == part} for part in unit
            ]
            if holds(rule.expression, {i for i, term in enumerate(rule.terms) if satisfies(term, profiles, facts, day)}):
                found |= set(unit)
        return found

    def _units(self, segment: Segment) -> Iterable[tuple[Profile, ...]]:
        everyone = ({profile for profile, _ in self.lives} | {p for link in self.links for p in link}) - self.gone
        devices = {profile for profile in everyone if profile[0] not in PEOPLE}
        people = {profile for profile in everyone if profile[0] in segment.merge_sources}
        if segment.merge_rule == "device":
            return [(profile,) for profile in devices]
        if segment.merge_rule == "all_cross_device":
            return [(profile,) for profile in people]
        last: dict[Profile, list[tuple[datetime, Profile]]] = defaultdict(list)  # by device
        for used in devices:
            for source in segment.merge_sources:
                links = [(seen, who) for (who, on), seen in self.links.items() if on == used and who[0] == source]
                if links and max(links, key=lambda link: (link[0], link[1][1].encode()))[1] not in self.gone:
                    last[used].append(max(links, key=lambda link: (link[0], link[1][1].encode())))
        if segment.merge_rule == "last_auth_device":
            units = [(used, *(who for _, who in last[used])) for used in devices]
            return units + [(who,) for who in people - {who for unit in units for who in unit[1:]}]
        owned: dict[Profile, list[Profile]] = {who: [] for who in people}
        for used, links in last.items():
            for _, who in links:
                owned[who].append(used)
        return [(who, *used) for who, used in owned.items()] + [(used,) for used in devices if not last.get(used)]

    def recorded(self, day: date) -> dict[int, set[Profile]]:
        """The members in the lake at the end of `day`, by segment."""
        found: dict[int, set[Profile]] = defaultdict(set)
        for row in fetch_all(self.con, state_as_of("segment_members"), {"day": day}):
            found[row["segment_id"]].add((row["dpid"], row["id"]))
        return found

    def changes(self, day: date) -> list[tuple[int, Profile, str, str | None]]:
        """The day's change set in the lake, sorted."""
        rows = fetch_all(self.con, "SELECT * FROM lake.main.segment_changes WHERE day = $day", {"day": day})
        return sorted((row["segment_id"], (row["dpid"], row["id"]), row["change"], row["reason"]) for row in rows)


def changed(catalog: Catalog, segment: Segment) -> Catalog:
    """The catalog with this segment in place of the one of its ID."""
    return replace(catalog, segments={**catalog.segments, segment.id: segment})


_CHANGE = (Column("change", "VARCHAR", ""), Column("reason", "VARCHAR", ""))


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12))


def days(count: int) -> list[date]:
    return [START + timedelta(days=number) for number in range(count)]
