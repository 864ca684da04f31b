"""The vectors of deltas, merge rules and time to live, told as days in a lake: who comes, who leaves, and why."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from assets.segment_members.histories import Day, Profile, World, catalog, changed, days, device, person

from bsync_assets.assets.segment_members import count_realizations, judge_segments
from bsync_assets.assets.segment_members.definitions import definitions_version
from bsync_assets.catalog.models import Segment, Trait
from bsync_assets.rules.ttl import expires_at, is_active

VECTORS = Path(__file__).parents[2] / "vectors"


def _vectors(name: str) -> dict[str, dict[str, Any]]:
    lines = (VECTORS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return {vector["id"].split("/")[1]: vector for vector in map(json.loads, lines)}


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["id"]) for v in _vectors("ttl").values()])
def test_ttl(vector: dict[str, Any]) -> None:
    asked = vector["input"]
    if vector["kind"] == "active_on":
        last, day = date.fromisoformat(asked["last_date"]), date.fromisoformat(asked["business_day"])
        assert is_active(last, asked["ttl_days"], day) is vector["result"]
    else:
        end = expires_at(datetime.fromisoformat(asked["last_realization"]), asked["ttl_days"])
        assert end == (vector["result"] and datetime.fromisoformat(vector["result"]).astimezone(UTC))


def test_merge_rules(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """All vectors as segments of one catalog, their history told day by day."""
    vectors = [vector for vector in _vectors("merge_rules").values() if vector["result"] != "refused"]
    asked = vectors[0]["input"]
    traits = [
        Trait(
            id=int(number),
            data_source=700,
            ttl_days=t["ttl"],
            **({"kind": "rule", "rule": "a==1"} if t["type"] == "rule" else {}),
        )
        for number, t in asked["traits"].items()
    ]
    names = {name: person(name) if name in asked["authenticated"] else device(int(name[1:])) for name in asked["state"]}
    told: dict[date, Day] = {date.fromisoformat(asked["business_day"]): Day()}
    for name, held in asked["state"].items():
        for trait, realized in held.items():
            for when, count in realized:
                happened = told.setdefault(date.fromisoformat(when), Day())
                if asked["traits"][trait]["type"] == "rule":
                    happened.visits.append((names[name], int(trait), count))
                else:
                    happened.onboarded.append((names[name], int(trait)))
    told[min(told)].links = [(names[who], names[used]) for used, who in asked["last_authenticated"]]
    segments = [
        Segment(id=number, rule=v["input"]["expression"], merge_rule=v["input"]["merge_rule"],
                merge_sources=() if v["input"]["merge_rule"] == "device" else (500,))
        for number, v in enumerate(vectors, 1)
    ]  # fmt: skip
    now, world = catalog(tmp_path, traits, segments), World(con)
    first = min(told)
    for day in (first + timedelta(days=number) for number in range((max(told) - first).days + 1)):
        if day in told or (day - first).days % 30 == 0 or (max(told) - day).days < 5:
            world.tell(now, day, told.get(day, Day()))
            count_realizations(con, day)
    judge_segments(con, now, max(told))
    members = world.recorded(max(told))
    expected = {vector["id"]: {names[name] for name in vector["result"]} for vector in vectors}
    assert {vector["id"]: members.get(number, set()) for number, vector in enumerate(vectors, 1)} == expected


#: Trait 10 n and its short-lived twin 10 n + 1 for the story of vector SD-n.
def _traits() -> list[Trait]:
    rule = {"kind": "rule", "rule": "a==1"}
    return [Trait(id=10 * n + short, data_source=700, ttl_days=1 if short else 60, **(rule if n == 6 else {}))
            for n in range(1, 20) for short in (0, 1)]  # fmt: skip


def _named(number: int, name: str) -> Profile:
    return device(100 * number + int(name[1:]))


class Story:
    """Some days of many segments at once, each with devices of its own."""

    def __init__(self, con: duckdb.DuckDBPyConnection, home: Path) -> None:
        self.world = World(con)
        self.con = con
        self.catalog = catalog(home, _traits(), [])

    def run(self, day: date, **happened: Any) -> dict[int, dict[str, Any]]:
        """The day's changes by segment, profiles by their short names."""
        self.world.tell(self.catalog, day, Day(**happened))
        judge_segments(self.con, self.catalog, day)
        return self.changes(day)

    def changes(self, day: date) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        for segment, (_, profile), change, reason in self.world.changes(day):
            entry = found.setdefault(segment, {"added": [], "removed": [], "reason": None})
            entry[change].append(f"D{int(profile) % 100}" if profile.isdecimal() else profile)
            entry["reason"] = entry["reason"] or reason
        return found

    def declare(self, *segments: Segment) -> None:
        for segment in segments:
            self.catalog = changed(self.catalog, segment)

    def restate(self, segment: int, **fields: Any) -> None:
        self.declare(self.catalog.segments[segment].model_copy(update=fields))


QUIET = {"added": [], "removed": [], "reason": None}


def test_deltas(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    story, vectors = Story(con, tmp_path), {name: vector["result"] for name, vector in _vectors("deltas").items()}
    first, second, third, fourth = days(4)
    story.declare(
        Segment(id=2, rule="20T OR 21T"),
        Segment(id=3, rule="30T"),
        Segment(id=4, rule="41T"),
        Segment(id=5, rule="50T"),
        Segment(id=6, rule="FREQUENCY([60T] <= 2D) >= 1"),
        Segment(id=7, rule="70T OR 71T"),
        Segment(id=9, rule="90T"),
        Segment(id=11, rule="110T"),
    )
    story.run(
        first,
        onboarded=[
            (_named(2, "D1"), 20), (_named(2, "D2"), 21), (_named(3, "D1"), 30), (_named(3, "D2"), 30), (_named(4, "D1"), 41),
            (_named(5, "D1"), 50), (_named(7, "D1"), 71), (_named(9, "D1"), 90), (_named(9, "D2"), 90), (_named(11, "D1"), 110),
        ],
        visits=[(_named(6, "D1"), 60, 1)],
    )  # fmt: skip
    story.declare(Segment(id=1, rule="10T"))
    story.restate(7, status="paused")
    story.restate(9, status="deleted")
    story.restate(11, status="paused")
    version = definitions_version(story.catalog)
    changes = story.run(
        second,
        onboarded=[(_named(1, "D1"), 10), (_named(1, "D2"), 10), (_named(7, "D2"), 70)],
        unsegmented=[(_named(3, "D1"), 30)],
        opt_outs=[_named(4, "D1"), _named(11, "D1")],
    )
    expected = {number: vectors[f"SD-0{number}"] for number in (1, 2, 3, 4, 5, 7, 9)}
    assert {n: changes.get(n, QUIET) for n in expected} == {
        n: {key: result[key] for key in QUIET} for n, result in expected.items()
    }
    assert changes[11] == {"added": [], "removed": ["D1"], "reason": "opt_out"}  # SEG-041, PRV-025: while paused

    judge_segments(con, story.catalog, second)
    assert story.changes(second) == changes, "SD-10"

    story.restate(7, status="active")
    assert definitions_version(story.catalog) != version
    resumed = {key: vectors["SD-08"][key] for key in QUIET}
    assert story.run(third) == {7: resumed}
    assert story.run(fourth) == {6: {key: vectors["SD-06"][key] for key in QUIET}}
    left = con.execute("SELECT segment_id, status, members, evaluated_on FROM lake.main.segment_runs WHERE day = $d",
                       {"d": fourth}).fetchall()  # fmt: skip
    assert {row[0]: row[1:] for row in left}[11] == ("paused", 0, first)
    assert 9 not in {row[0] for row in left}, "SEG-042"


def test_seg_053_reasons(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """The first reason that applies; losing what an expression does not ask for is none."""
    story = Story(con, tmp_path)
    first, second = days(2)
    linked = {"merge_rule": "last_auth_device", "merge_sources": (500,)}
    story.declare(
        Segment(id=1, rule="10T AND NOT 120T"),
        Segment(id=2, rule="20T AND 21T"),
        Segment(id=3, rule="30T"),
        Segment(id=4, rule="40T"),
        Segment(id=5, rule="50T", **linked),
        Segment(id=8, rule="80T"),
    )
    story.run(
        first,
        onboarded=[
            (_named(1, "D1"), 10), (_named(1, "D2"), 10), (_named(2, "D1"), 20), (_named(2, "D1"), 21), (_named(3, "D1"), 30),
            (_named(4, "D1"), 40), (person("ann"), 50), (_named(8, "D1"), 80),
        ],
        links=[(person("ann"), _named(5, "D1"))],
    )  # fmt: skip
    story.restate(3, rule="31T")
    del story.catalog.traits[40]
    changes = story.run(
        second,
        onboarded=[(_named(1, "D1"), 120)],
        unsegmented=[(_named(2, "D1"), 20)],  # and 21 expires
        links=[(person("bo"), _named(5, "D1"))],
        inactive=[_named(8, "D1")],
    )
    gone = {"added": [], "removed": ["D1"]}
    assert changes == {
        1: gone | {"reason": "rule"},
        2: gone | {"reason": "unsegmented_by_file"},
        3: gone | {"reason": "rule"},
        4: gone | {"reason": "trait_deleted"},
        5: gone | {"reason": "link_changed"},
        8: gone | {"reason": "inactive_120d"},
    }


def test_prv_027_who_opted_out_is_merged_with_nobody(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    story = Story(con, tmp_path)
    first, second = days(2)
    for number, rule in enumerate(("last_auth_device", "profile_link"), 1):
        story.declare(Segment(id=number, rule="50T", merge_rule=rule, merge_sources=(500,)))
    story.run(
        first, onboarded=[(person("ann"), 50), (device(7), 50)], links=[(person("ann"), device(1)), (person("bo"), device(7))]
    )
    assert story.world.recorded(first)[1] == {person("ann"), device(1), person("bo"), device(7)}
    story.run(second, opt_outs=[person("ann"), device(7)])
    assert story.world.recorded(second) == {}
    assert {reason for _, _, _, reason in story.world.changes(second)} == {"opt_out", "link_changed"}
