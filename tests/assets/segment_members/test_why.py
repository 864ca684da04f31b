"""`bsync why` and `bsync preview` over a lake of told days."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from assets.segment_members.histories import Day, World, catalog, days, device, person

from bsync_assets.assets.segment_members import judge_segments
from bsync_assets.assets.segment_members.preview import preview_rule, preview_segment
from bsync_assets.assets.segment_members.why import in_words, why_member
from bsync_assets.catalog.models import Destination, Segment, Trait
from bsync_assets.rules.expressions import RuleError


def test_why_and_preview(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    first, second = days(2)
    traits = [
        Trait(id=1, data_source=700, kind="rule", rule="a==1", ttl_days=5),
        Trait(id=2, data_source=700, ttl_days=1),
        Trait(id=3, data_source=700),
    ]
    segment = Segment(id=7, rule="2T OR FREQUENCY([1T] <= 3D) >= 3", merge_rule="last_auth_device", merge_sources=(500,))
    now, world = catalog(tmp_path, traits, [segment]), World(con)
    now.destinations[1] = Destination(id=1, dpid=700, to="x")
    world.tell(now, first, Day(
        visits=[(device(1), 1, 2), (person("ann"), 1, 1)], onboarded=[(device(2), 2), (device(3), 2)],
        links=[(person("ann"), device(1)), ((700, "p2"), device(2))],
    ))  # fmt: skip
    judge_segments(con, now, first)
    world.tell(now, second, Day(opt_outs=[device(3)]))
    judge_segments(con, now, second)

    answer = why_member(con, now, 7, person("ann"), second)
    assert answer["member"] and answer["recorded"]
    (unit,) = answer["units"]
    assert set(unit["profiles"]) == {"500:ann", f"0:{device(1)[1]}"}
    assert [term["true"] for term in unit["terms"]] == [False, True]
    assert {t["profile"]: t["counts"] for t in unit["terms"][1]["traits"]} == {
        "500:ann": {str(first): 1}, f"0:{device(1)[1]}": {str(first): 2},
    }  # fmt: skip
    assert answer["changes"] == [{"day": first, "change": "added", "reason": None}]

    expired = why_member(con, now, 7, device(2), second)
    assert not expired["member"] and expired["units"][0]["terms"][0]["traits"][0]["reason"] == "ttl"
    assert [change["reason"] for change in expired["changes"]] == [None, "ttl"]
    assert "ended on 2026-01-02 (ttl)" in "\n".join(in_words(expired))

    out = why_member(con, now, 7, device(3), second)
    assert out["opted_out"] == datetime(2026, 1, 2, 12) and not out["units"] and not out["member"]
    with pytest.raises(LookupError, match="no segment 8"):
        why_member(con, now, 8, device(1), second)

    draft = preview_segment(con, now, "2T OR 1T", first, instead_of=7)
    assert {key: draft[key] for key in ("members", "devices", "people", "current", "kept", "gained", "lost")} == {
        "members": 4, "devices": 3, "people": 1, "current": 4, "kept": 4, "gained": 0, "lost": 0,
    }  # fmt: skip
    assert draft["addressable"] == {1: 1}
    alone = preview_segment(con, now, "FREQUENCY([1T]) >= 2", second)
    assert (alone["members"], alone["devices"]) == (1, 1) and "current" not in alone
    with pytest.raises(RuleError, match="E_UNKNOWN_TRAIT"):
        preview_segment(con, now, "99T", second)


def test_preview_of_a_trait_rule_asks_the_kept_visits(con: duckdb.DuckDBPyConnection) -> None:
    first, second = days(2)
    visits = [(1, "u1", "page", "tent"), (1, "u1", "price", "20"), (2, "u1", "page", "tent"), (3, "u2", "page", "boot")]
    for event, who, key, value in visits:
        con.execute(
            "INSERT INTO lake.main.event_signals (day, event, key, value) VALUES (?, ?, ?, ?)", [first, event, key, value]
        )
        con.execute("INSERT INTO lake.main.id_sync_events (day, event, device_id) SELECT ?, ?, ? WHERE NOT EXISTS "
                    "(FROM lake.main.id_sync_events WHERE event = ?)", [first, event, who, event])  # fmt: skip
    assert preview_rule(con, "page == tent", second, 7) | {"first": None} == {
        "rule": "page == tent", "first": None, "last": second, "events": 3, "realizations": 2, "devices": 1,
    }  # fmt: skip
    assert preview_rule(con, "page == tent AND price > 10", second, 2)["realizations"] == 1
    assert preview_rule(con, "page == tent", second, 1)["events"] == 0
    with pytest.raises(RuleError, match="E_SYNTAX"):
        preview_rule(con, "page ==", second, 1)
