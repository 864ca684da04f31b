"""What a day judges because something changed, against everybody judged one by one: the same members on every day."""

from __future__ import annotations

import os
import random
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import pytest
from assets.segment_members.histories import Day, Profile, World, catalog, changed, days, device, person

from bsync_assets.assets.segment_members import count_realizations, judge_segments, populations
from bsync_assets.catalog.models import Catalog, Segment, Trait
from bsync_assets.warehouse.lake import fetch_all, state_as_of

DAYS = 60
#: `make fuzz` asks for more.
HISTORIES = int(os.environ.get("BSYNC_FUZZ_HISTORIES", "1"))
DEVICES = [device(number) for number in range(6)]
PERSONS = [person("ann"), person("bo"), person("cy"), person("ann", 501), person("dee", 501)]
TRAITS = [
    Trait(id=1, data_source=700, kind="rule", rule="a==1", ttl_days=5),
    Trait(id=2, data_source=700, kind="rule", rule="a==2", ttl_days=0),
    Trait(id=3, data_source=700, ttl_days=4),
    Trait(id=4, data_source=700, kind="algorithmic", ttl_days=9),
    Trait(id=5, data_source=700, kind="folder", contains=(1, 3, 6)),
    Trait(id=6, data_source=700, kind="folder", contains=(4,)),
]
EXPRESSIONS = [
    "1T",
    "1T AND NOT 3T",
    "(1T OR 3T) AND 2T",
    "5T AND NOT 4T",
    "FREQUENCY([1T]) >= 3",
    "FREQUENCY([1T,2T] <= 2D) == 2",
    "3T AND FREQUENCY([1T] >= 3D) <= 1",
    "FREQUENCY([5T] <= 3D) >= 2",
    "2T AND FREQUENCY([6T] >= 2D) == 0",
    "2T AND (NOT 1T OR FREQUENCY([2T] <= 1D) >= 1)",
]
MERGES: list[dict[str, Any]] = [
    {"merge_rule": "device"},
    {"merge_rule": "last_auth_device", "merge_sources": (500,)},
    {"merge_rule": "last_auth_device", "merge_sources": (500, 501)},
    {"merge_rule": "profile_link", "merge_sources": (500,)},
    {"merge_rule": "all_cross_device", "merge_sources": (500, 501)},
]


def _happening(chance: random.Random) -> Day:
    """A quiet day more often than a busy one, so that things age out by themselves."""
    profiles: list[Profile] = DEVICES + PERSONS
    often = chance.choice([0, 0, 1, 3])
    happened = Day()
    happened.visits = [(chance.choice(profiles), chance.choice([1, 2]), chance.randint(1, 2)) for _ in range(often)]
    happened.onboarded = [(chance.choice(profiles), chance.choice([3, 4])) for _ in range(often)]
    if chance.random() < 0.2:
        happened.unsegmented = [(chance.choice(profiles), chance.choice([3, 4]))]
    if chance.random() < 0.3:
        happened.links = [(chance.choice(PERSONS), chance.choice(DEVICES)) for _ in range(2)]
    if chance.random() < 0.03:
        happened.opt_outs = [chance.choice(profiles)]
    if chance.random() < 0.05:
        happened.inactive = [chance.choice(DEVICES)]
    return happened


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_seg_050_seg_054_a_day_leads_to_what_judging_everybody_leads_to(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """With days that are not judged, changed definitions, and a late file that has two days told again."""
    monkeypatch.setattr(populations, "_MOVES_TOGETHER", 5)
    chance = random.Random(seed)
    segments = [
        Segment(id=100 * number + position, rule=rule, **merge)
        for number, merge in enumerate(chance.sample(MERGES, 2), 1)
        for position, rule in enumerate(chance.sample(EXPRESSIONS, 4))
    ]
    now, world = catalog(tmp_path, TRAITS, segments), World(con)
    told: dict[date, tuple[Day, tuple[Any, ...]]] = {}
    for day in days(DAYS):
        if chance.random() < 0.15:
            old = chance.choice(list(now.segments.values()))
            now = changed(now, old.model_copy(update={"rule": chance.choice(EXPRESSIONS)}))
        told[day] = (_happening(chance), world.snapshot())
        world.tell(now, day, told[day][0])
        if chance.random() < 0.5:
            count_realizations(con, day)  # the segments are not judged on this day: the next one makes up for it
            continue
        judge_segments(con, now, day)
        _assert_right(world, now, day)

    late = days(DAYS)[-2]
    told[late][0].onboarded += [(device, 3) for device in DEVICES[:3]]
    world.restore(told[late][1])
    for day in days(DAYS)[-2:]:
        world.tell(now, day, told[day][0])
        judge_segments(con, now, day)
        _assert_right(world, now, day)


def _assert_right(world: World, now: Catalog, day: date) -> None:
    recorded = world.recorded(day)
    expected = {segment.id: world.members(now, segment, day) for segment in now.segments.values()}
    assert {segment: recorded.get(segment, set()) for segment in now.segments} == expected, f"on {day}"
    counts = fetch_all(world.con, "SELECT segment_id, members FROM lake.main.segment_runs WHERE day = $day", {"day": day})
    assert {row["segment_id"]: row["members"] for row in counts} == {s: len(ids) for s, ids in expected.items()}
    assert all((reason is None) == (change == "added") for _, _, change, reason in world.changes(day))
    overlaps = fetch_all(world.con, state_as_of("segment_overlaps"), {"day": day})
    assert {(row["segment_id"], row["other_id"]): row["shared"] for row in overlaps} == {
        (one, other): len(recorded[one] & recorded[other])
        for one, other in combinations(sorted(recorded), 2)
        if recorded[one] & recorded[other]
    }
