"""`bsync import`: the state of an older system, in a workspace of its own, looked at in the lake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from workspaces import write_workspace

from bsync_assets.importing import ImportRefused, import_state
from bsync_assets.warehouse.lake import LakeBusy, attach, single_writer

START = date(2026, 1, 5)
UUID = "1" + "0" * 36 + "1"
OTHER = "1" + "0" * 36 + "2"
GAID = "3f0c9d1e-77ab-4c55-9e21-0a1b2c3d4e5f"
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CATALOG: dict[str, list[dict[str, Any]]] = {
    "partners": [{"name": "acme", "id": 1}],
    "data_sources": [
        {"id": 1001, "owner": "acme"},
        {"id": 1005, "owner": "acme", "type": "cross_device", "label": "hashed_email"},
    ],
    "traits": [
        {"id": 24, "data_source": 1001, "ttl_days": 30},
        {"id": 25, "data_source": 1001, "ttl_days": 0},
        {"id": 26, "data_source": 1001, "ttl_days": 30, "kind": "rule", "rule": "page == home"},
    ],
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_workspace(tmp_path / "ws", CATALOG, START)
    return tmp_path / "ws"


def _link(**changes: Any) -> dict[str, Any]:
    link = {"dpid": 1001, "id": "A", "device_dpid": 0, "device_id": UUID, "seen_at": "2026-01-04T12:00:00Z"}
    return {"link": link | changes}


def _email(number: int, seen_at: str) -> dict[str, Any]:
    return {"email": {"dpid": 1001, "id": "A", "email_dpid": 1005, "hash": f"{number:064x}", "seen_at": seen_at}}


def _trait(realized_at: str, trait_id: int = 24, **changes: Any) -> dict[str, Any]:
    return {"trait": {"dpid": 0, "id": UUID, "trait_id": trait_id, "realized_at": realized_at} | changes}


def _write(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def _import(home: Path, lines: list[Any]) -> dict[str, int]:
    return import_state(home, _write(home / "state.jsonl", lines))


def _base(home: Path, state: str) -> list[dict[str, Any]]:
    with duckdb.connect() as con:
        attach(con, home)
        rows = con.sql(f"SELECT * FROM lake.main.{state}_base ORDER BY ALL")
        return [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]


def test_a_link_seen_twice_is_one_link_with_its_first_and_last_sighting(home: Path) -> None:
    _import(home, [_link(), _link(seen_at="2026-01-03T01:00:00+02:00"), _link(seen_at="2026-01-02T00:00:00")])

    (link,) = _base(home, "id_links")
    assert link == {
        "as_of": date(2026, 1, 4), "dpid": 1001, "id": "A", "device_dpid": 0, "device_id": UUID,
        "first_seen": datetime(2026, 1, 2), "last_seen": datetime(2026, 1, 4, 12), "seq": 1, "origin": "import",
    }  # fmt: skip


def test_ids_71_the_ten_newest_emails_of_an_id_stay(home: Path) -> None:
    _import(home, [_email(number, "2026-01-04T12:00:00Z") for number in range(11)] + [_email(99, "2026-01-01T00:00:00Z")])

    kept = {int(row["hash"], 16) for row in _base(home, "email_links")}
    assert kept == set(range(1, 11))


def test_trt_080_trt_083_traits_end_by_their_time_to_live_or_never(home: Path) -> None:
    _import(home, [_trait("2026-01-02T23:00:00Z"), _trait("2020-01-01T00:00:00Z", trait_id=25)])

    held = {row["trait_id"]: row["expires_at"] for row in _base(home, "profile_traits")}
    assert held == {24: datetime(2026, 2, 2), 25: None}


def test_trt_084_what_has_ended_before_the_first_day_is_gone(home: Path) -> None:
    # 30 days and the rest of the day: realized on 5 December it ends at 00:00 of 5 January, the day before sees it no more
    _import(home, [_trait("2025-12-05T23:00:00Z"), _trait("2025-12-06T00:00:00Z", id=OTHER)])

    assert [row["id"] for row in _base(home, "profile_traits")] == [OTHER]


def test_trt_084_a_realization_after_the_end_begins_a_new_life(home: Path) -> None:
    _import(home, [_trait(f"{day}T10:00:00Z") for day in ("2026-01-03", "2025-12-31", "2025-11-28", "2025-11-01")])

    (held,) = _base(home, "profile_traits")
    # 28 November lasts until 29 December, so the last two are a life of their own
    assert (held["first_realized"], held["last_realized"]) == (datetime(2025, 12, 31, 10), datetime(2026, 1, 3, 10))


def test_trt_067_trt_084_visits_count_by_date_in_the_life_that_holds(home: Path) -> None:
    told = [("2026-01-03", 2), ("2026-01-03", 1), ("2025-12-31", 4), ("2025-11-01", 8)]
    _import(home, [_trait(f"{day}T10:0{n}:00Z", trait_id=26, count=count) for n, (day, count) in enumerate(told)])
    _import(home, [_trait("2025-12-31T22:00:00Z", trait_id=26), _trait("2026-01-03T10:00:00Z")])

    assert {row["date"].isoformat(): row["count"] for row in _base(home, "trait_counts")} == {"2026-01-03": 3, "2025-12-31": 5}


def test_trt_085_a_platform_id_is_known_by_its_traits_unless_its_activity_is_told(home: Path) -> None:
    told = {"activity": {"dpid": 0, "id": UUID, "last_at": "2025-06-01T00:00:00Z"}}
    _import(home, [_trait("2026-01-04T10:00:00Z"), told, _trait("2026-01-03T10:00:00Z", id=OTHER)])

    seen = {row["id"]: row["last_at"] for row in _base(home, "activity")}
    assert seen == {UUID: datetime(2025, 6, 1), OTHER: datetime(2026, 1, 3, 10)}


def test_opt_outs_keep_the_first_time_they_were_asked_for(home: Path) -> None:
    _import(home, [{"opt_out": {"dpid": 20914, "id": GAID, "at": f"2026-01-0{day}T00:00:00Z"}} for day in (3, 2, 4)])

    assert [row["opted_out_at"] for row in _base(home, "opt_outs")] == [datetime(2026, 1, 2)]


def _anything(random: Random) -> dict[str, Any]:
    seen_at = f"2025-12-{random.randint(1, 31):02}T{random.randint(0, 23):02}:00:00Z"
    match random.randrange(4):
        case 0:
            return _link(id=random.choice("ABC"), seen_at=seen_at)
        case 1:
            return _email(random.randrange(15), seen_at)
        case 2:
            return {"opt_out": {"dpid": 1001, "id": random.choice("ABC"), "at": seen_at}}
        case _:
            return {"activity": {"dpid": 0, "id": random.choice([UUID, OTHER]), "last_at": seen_at}}


def test_two_imports_bring_what_one_would(tmp_path: Path) -> None:
    random = Random(20260105)
    lines = [_anything(random) for _ in range(200)]
    at_once, in_two = tmp_path / "one", tmp_path / "two"
    for home in (at_once, in_two):
        write_workspace(home, CATALOG, START)
    _import(at_once, lines)
    # The second part keeps the line numbers it would have had: they order what is equally old.
    _import(in_two, lines[:90])
    _import(in_two, [""] * 90 + lines[90:])

    for state in ("id_links", "email_links", "opt_outs", "activity"):
        assert _base(in_two, state) == _base(at_once, state)


BAD_LINES: dict[str, tuple[Any, str]] = {
    "not JSON": ("nope", "not JSON"),
    "no object": ([1], "expected an object"),
    "nothing said": ({}, "expected exactly one of link, email, trait, opt_out, activity"),
    "two things said": (_link() | _trait("2026-01-04"), "expected exactly one of"),
    "unknown kind": ({"lnk": {}}, "unknown kind 'lnk'"),
    "missing field": ({"link": {"dpid": 1001}}, "link.id: missing, expected an ID as text"),
    "unknown field": (_link(weight=1), "link.weight: unknown field"),
    "ID as number": (_link(id=17), "link.id: expected an ID as text, got 17"),
    "empty ID": (_link(id=""), "link.id: expected an ID as text"),
    "bad time": (_link(seen_at="yesterday"), "link.seen_at: expected a time like"),
    "count of none": (_trait("2026-01-04", count=0), "trait.count: expected a number of realizations"),
    "unknown data source": (_link(dpid=9), "link.dpid: expected a data source of the catalog"),
    "a device that is none": (_link(device_dpid=1001), "link.device_dpid: expected 0, 4 or a global device namespace"),
    "no platform ID": (_link(device_id="42"), "link.device_id: invalid_aam_id"),
    "e-mail address as ID": (_link(id="jane@example.com"), "link.id: pii"),
    "unhashed e-mail": ({"email": _email(1, "2026-01-04")["email"] | {"hash": "x"}}, "email.hash: bad_hash"),
    "e-mail elsewhere": ({"email": _email(1, "2026-01-04")["email"] | {"email_dpid": 1001}}, "labelled hashed_email, got 1001"),
    "unknown trait": (_trait("2026-01-04", trait_id=7), "trait.trait_id: expected a trait of the catalog, got 7"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_is_named_and_nothing_is_taken(home: Path, case: str) -> None:
    line, complaint = BAD_LINES[case]

    with pytest.raises(ImportRefused) as refused:
        _import(home, [_link(), "", line, _link()])

    assert str(refused.value).startswith("line 3: ")
    assert complaint in str(refused.value)
    assert not (home / "lake").exists()


def test_many_bad_lines_are_named_up_to_a_limit(home: Path) -> None:
    with pytest.raises(ImportRefused) as refused:
        _import(home, ["nope"] * 50)

    assert [line.split(":")[0] for line in str(refused.value).splitlines()[:-1]] == [f"line {n}" for n in range(1, 21)]


def test_nothing_is_taken_when_a_day_was_run(home: Path) -> None:
    with duckdb.connect() as con:
        attach(con, home)
        con.execute("INSERT INTO lake.main.runs BY NAME SELECT DATE '2026-01-05' AS day, 'r' AS run_id")

    with pytest.raises(ImportRefused, match="days have been run already"):
        _import(home, [_link()])


@pytest.fixture
def busy(home: Path) -> Iterator[None]:
    with single_writer(home):
        yield


@pytest.mark.usefixtures("busy")
def test_an_import_waits_for_nobody(home: Path) -> None:
    with pytest.raises(LakeBusy):
        _import(home, [_link()])
