"""Which rows go out: namespaces, mappings, differences against what was published."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from .conftest import NOON, START, catalog_of, uuid

ONE_DAY = timedelta(days=1)
VECTORS = Path(__file__).parents[2] / "vectors"
DELTAS = [json.loads(line) for line in (VECTORS / "publication_deltas.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("mode", ["iter", "full"])
@pytest.mark.parametrize("vector", DELTAS, ids=lambda vector: vector["id"])
def test_publication_deltas(stage: Any, vector: dict[str, Any], mode: str) -> None:
    numbers = {name: position for position, name in enumerate("ABC", 1)}
    before = {(10 + s, numbers[name]) for name, held in vector["input"]["published"].items() for s in held}
    now = {(10 + s, numbers[name]) for name, held in vector["input"]["current"].items() for s in held}
    given = catalog_of(segments=[{"id": 10 + s, "value": str(s)} for s in range(1, 5)])
    given["segments"].append({"id": 15, "data_source": 60, "rule": "11T"})
    given["destinations"][0]["segments"].append({"id": 15, "value": "5"})
    w = stage(given)
    w.members(START, sorted(before))
    assert w.deliver(START)["deliveries"][0]["mode"] == "full"  # OUT-065
    w.members(START + ONE_DAY, sorted(now - before), sorted(before - now))
    assert w.deliver(START + ONE_DAY, full=mode == "full")["status"] == "delivered"
    lines = w.texts()[-1].splitlines()
    for name, number in numbers.items():
        lines = [line.replace(uuid(number), name) for line in lines]
    assert lines == vector["result"][mode]


def test_out_064_no_change_is_a_delivery_too(stage: Any) -> None:
    w = stage(header="id")
    w.members(START, [(10, 1)])
    w.deliver(START)
    w.deliver(START + ONE_DAY)
    assert w.texts()[-1] == "id\n"
    assert len(list(w.out().glob("*.info"))) == 2


def test_out_011_cookies_one_row_per_link_and_out_013_not_addressable(stage: Any) -> None:
    w = stage(master_dpid=888)
    w.members(START, [(10, 1), (10, 2), (11, 2), (10, 3)])
    w.link(START, [(888, "x1", 1, 1), (888, "x2", 2, 2), (888, "y2", 2, 3), (888, "x1", 2, 4)])
    w.deliver(START)
    assert w.texts() == ["x1 10,11 \nx2 10,11 \ny2 10,11 \n"]  # x1 is shared: union (OUT-010)
    reach = w.con.execute(
        "SELECT segment_id, members, addressable, not_addressable FROM lake.main.addressable_members ORDER BY 1"
    )
    assert reach.fetchall() == [(10, 3, 2, 1), (11, 1, 1, 0)]


def test_out_010_a_removal_only_when_no_member_is_left(stage: Any) -> None:
    w = stage(master_dpid=888)
    w.members(START, [(10, 1), (10, 2)])
    w.link(START, [(888, "x", 1, 1), (888, "x", 2, 2)])
    w.deliver(START)
    w.members(START + ONE_DAY, [], [(10, 1)])
    w.deliver(START + ONE_DAY)
    w.members(START + 2 * ONE_DAY, [], [(10, 2)])
    w.deliver(START + 2 * ONE_DAY)
    assert w.texts() == ["x 10 \n", "", "x  10\n"]


def test_out_014_removals_reach_ids_whose_link_is_gone(stage: Any) -> None:
    w = stage(master_dpid=888, content="<UUID>|<DP_UUID>|<SEGMENT_LIST>|<REMOVED_SEGMENT_LIST>")
    w.members(START, [(10, 1)])
    w.link(START, [(888, "x", 1, 1), (888, "y", 1, 2)])
    w.deliver(START)
    gone = (
        w.con.execute("SELECT * EXCLUDE (day, change, reason) FROM lake.main.id_links_changes WHERE id = 'x'")
        .to_arrow_table()
        .to_pylist()
    )
    w.set("id_links", START + ONE_DAY, [], gone)
    w.deliver(START + ONE_DAY)
    assert w.texts() == [f"{uuid(1)}|x|10|\n{uuid(1)}|y|10|\n", f"{uuid(1)}|x||10\n"]


def test_out_011_out_012_people_newest_id_only_and_their_merge_rules_only(stage: Any) -> None:
    given = catalog_of(master_dpid=500, segments=[{"id": 10}, {"id": 11}, {"id": 12}])
    given["segments"][0] |= {"merge_rule": "last_auth_device", "merge_sources": [500]}
    given["segments"][2] |= {"merge_rule": "all_cross_device", "merge_sources": [500]}
    w = stage(given)
    w.members(START, [(10, 1), (11, 1), (12, (500, "c7")), (10, (500, "c9"))])
    w.link(START, [(500, "c7", 1, 1), (500, "c9", 1, 2)])
    outcome = w.deliver(START)
    assert w.texts() == ["c7 12 \nc9 10 \n"]
    assert [(b["segment_id"], b["code"], b["source"]) for b in outcome["blocked"]] == [(11, "merge_rule", "device")]


def test_out_011_device_namespace_itself_or_linked_either_way(stage: Any) -> None:
    w = stage(master_dpid=20914)
    w.members(START, [(10, 1), (10, 2), (11, (20914, "g0"))])
    w.link(START, [(20914, "g1", 1, 1), (0, uuid(2), (20914, "g2"), 2)])
    w.deliver(START)
    assert w.texts() == ["g0 11 \ng1 10 \ng2 10 \n"]


def test_out_005_out_006_mappings_in_time_and_silence_after(stage: Any) -> None:
    given = catalog_of(segments=[{"id": 10, "end": START + ONE_DAY}, {"id": 11, "start": START + ONE_DAY}])
    w = stage(given)
    w.members(START, [(10, 1), (11, 1)])
    w.deliver(START)
    w.members(START + ONE_DAY, [], [(10, 1)])
    w.deliver(START + ONE_DAY)
    assert w.texts() == [f"{uuid(1)} 10 \n", f"{uuid(1)} 11 \n"]


def test_prv_025_an_opt_out_is_removed_whatever_the_mapping_says(stage: Any) -> None:
    w = stage(master_dpid=888, segments=[{"id": 10, "end": START + ONE_DAY}, {"id": 11}])
    w.members(START, [(10, 1), (11, 1), (11, 2)])
    w.link(START, [(888, "x", 1, 1), (888, "y", 2, 1)])
    w.deliver(START)
    w.set("opt_outs", START + ONE_DAY, [{"dpid": 0, "id": uuid(1), "at": NOON}])  # membership not yet recomputed
    w.deliver(START + ONE_DAY)
    w.deliver(START + 2 * ONE_DAY)
    assert w.texts() == ["x 10,11 \ny 11 \n", "x  10,11\n", ""]


def test_out_066_a_changed_value_is_taken_back_and_given_anew(stage: Any) -> None:
    w = stage(segments=[{"id": 10, "value": "old"}])
    w.members(START, [(10, 1)])
    w.deliver(START)
    changed = stage(name="other", segments=[{"id": 10, "value": "new"}]).catalog
    from bsync_assets.assets.outbound_files import deliver_segments

    catalog = type(changed)(**{**changed.__dict__, "home": w.home})
    deliver_segments(w.con, catalog, START + ONE_DAY, [1], now=NOON)
    assert w.texts()[-1] == f"{uuid(1)} new old\n"


def test_out_070_two_segments_of_one_value_are_one(stage: Any) -> None:
    w = stage(segments=[{"id": 10, "value": "A"}, {"id": 11, "value": "A"}])
    w.members(START, [(10, 1), (11, 1)])
    w.deliver(START)
    w.members(START + ONE_DAY, [], [(10, 1)])
    w.deliver(START + ONE_DAY)
    w.members(START + 2 * ONE_DAY, [], [(11, 1)])
    w.deliver(START + 2 * ONE_DAY)
    assert w.texts() == [f"{uuid(1)} A \n", "", f"{uuid(1)}  A\n"]


def test_out_053_a_row_that_would_break_its_line_is_not_written_and_not_published(stage: Any) -> None:
    w = stage(master_dpid=888)
    w.members(START, [(10, 1), (10, 2), (10, 3)])
    w.link(START, [(888, "a b", 1, 1), (888, "c,d", 2, 1), (888, "ok", 3, 1)])
    outcome = w.deliver(START)
    assert w.texts() == ["ok 10 \n"]
    assert (outcome["deliveries"][0]["records"], outcome["deliveries"][0]["failed"]) == (1, 2)
    assert w.deliver(START + ONE_DAY)["deliveries"][0]["failed"] == 2  # still owed


def test_out_065_full_on_configured_days_and_request(stage: Any) -> None:
    weekday = (START + ONE_DAY).strftime("%A").lower()
    w = stage(full_on=[weekday])
    w.members(START, [(10, 1)])
    modes = [w.deliver(START + n * ONE_DAY)["deliveries"][0]["mode"] for n in range(3)]
    assert modes == ["full", "full", "iter"]
    assert w.deliver(START + 2 * ONE_DAY)["status"] == "up_to_date"
    assert w.deliver(START + 2 * ONE_DAY, full=True)["deliveries"][0]["mode"] == "full"
    assert len({path.name for path in w.out().iterdir()}) == 8  # no name twice (OUT-034)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("<MCID>/<UUID>/<DP_UUID_LIST; separator=COMMA>", f"e1/{uuid(1)}/y,x"),
        ('<DPUUIDS; format="dpids=500,888|maxMappings=1|format=json">', '[["500","c9"],["888","y"]]'),
        ("<TRAIT_LIST:{t|<t.traitId>:<t.type>:<t.lastRealized>}; separator=COMMA>", "11:10:1767607200000"),
        ("<SEGMENT_LIST:{s|<s.sid>@<s.lastUpdateTime>}>", "10@1767571200000"),
    ],
)
def test_out_046_what_rows_can_print(stage: Any, content: str, line: str) -> None:
    given = catalog_of(master_dpid=888, content=content, labels=["pii"])
    given["data_sources"].append({"id": 61, "name": "blocked", "controls": ["pii"]})
    given["traits"] += [{"id": 12, "data_source": 61}, {"id": 13, "data_source": 888}]
    w = stage(given)
    w.members(START, [(10, 1)])
    w.link(START, [(888, "x", 1, 1), (888, "y", 1, 2), (4, "e1", 1, 3), (500, "c7", 1, 4), (500, "c9", 1, 5)])
    held = {"dpid": 0, "id": uuid(1), "last_realized": NOON.replace(day=5, hour=10)}
    w.set("profile_traits", START, [held | {"trait_id": t, "data_source": s} for t, s in ((11, 60), (12, 61), (13, 888))])
    w.deliver(START)
    assert w.texts() == [f"{line}\n{line}\n"]  # OUT-025: trait 12 stays here; 13 is not ours


def test_days_before_the_first_are_not_due(stage: Any) -> None:
    w = stage()
    assert [d["day"] for d in w.deliver(START + 3 * ONE_DAY)["deliveries"]] == [date(2026, 1, 8)]
