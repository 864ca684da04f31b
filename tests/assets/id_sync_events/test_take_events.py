"""Captured calls into the lake, through the real run: once however often, opt-outs first, links, activity and traits."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sync_workspace import U, serve_workspace
from typer.testing import CliRunner
from workspaces import write_import, write_inbound

from bsync_assets.assets.id_sync import link_ids, read_sync_files
from bsync_assets.assets.id_sync_events import DamagedCaptureError, take_events
from bsync_assets.cli import app
from bsync_assets.importing import import_state
from bsync_assets.rules.evaluation import verdict_name
from bsync_assets.rules.trait_rules import Comparison
from bsync_assets.runs import run_days
from bsync_assets.transport.captures import capture_folder
from bsync_assets.warehouse.lake import attach, state_as_of
from bsync_assets.workspace import open_catalog

DAY = date(2026, 1, 5)
INCOME = verdict_name(Comparison("p_income", ">", "50000"), False)


class Lake:
    """A workspace with a lake, calls to be captured, and stages to run over them."""

    def __init__(self, home: Path) -> None:
        self.home = serve_workspace(home, start=DAY)
        self.catalog = open_catalog(self.home)
        self.con = duckdb.connect()
        attach(self.con, self.home)

    def capture(self, *records: dict[str, Any], day: date = DAY, file: str = "a", end: str = "\n") -> None:
        folder = capture_folder(self.home, day)
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"{file}.jsonl", "a", encoding="utf-8") as lines:
            for number, record in enumerate(records):
                lines.write(json.dumps({"at": f"{day} 10:00:{number:02d}.000000", "call": "event", "outcome": "taken", **record}))
                lines.write(end)

    def run(self, day: date = DAY) -> dict[str, int]:
        figures = take_events(self.con, self.catalog, day)
        read_sync_files(self.con, self.catalog, day)
        link_ids(self.con, self.catalog, day)
        return figures

    def rows(self, query: str) -> list[Any]:
        return self.con.execute(query).fetchall()

    def state(self, table: str, columns: str, day: date = DAY) -> list[Any]:
        return self.con.execute(f"SELECT {columns} FROM ({state_as_of(table)}) ORDER BY ALL", {"day": day}).fetchall()

    def everything(self) -> dict[str, list[Any]]:
        tables = ("id_sync_events", "event_ids", "event_signals", "event_traits", "opt_outs_changes", "activity_changes",
                  "id_links_changes")  # fmt: skip
        return {table: self.rows(f"FROM lake.main.{table} ORDER BY ALL") for table in tables}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "ws")


def test_links_of_calls(lake: Lake) -> None:
    lake.capture({"call": "ibs", "device": U[1], "ids": [[4101, "p", None], [4103, "c", 2]]}, {"device": U[1]})
    lake.run()
    expected = [(4101, "p", 0, U[1], "http"), (4103, "c", 0, U[1], "http")]
    assert lake.state("id_links", "dpid, id, device_dpid, device_id, origin") == expected
    assert lake.state("activity", "dpid, id") == [(0, U[1])]


def test_two_parallel_syncs_of_one_visitor_both_stay(lake: Lake) -> None:
    lake.capture({"call": "ibs", "device": U[1], "ids": [[4101, "p", None]], "at": f"{DAY} 10:00:00.000001"}, file="a")
    lake.capture({"call": "ibs", "device": U[2], "ids": [[4101, "p", None]], "at": f"{DAY} 10:00:00.000001"}, file="b")
    lake.run()
    assert lake.state("id_links", "id, device_id, origin") == [("p", U[1], "http"), ("p", U[2], "http")]


def test_a_day_is_the_same_however_often_it_is_run(lake: Lake) -> None:
    lake.capture({"call": "ibs", "device": U[1], "ids": [[4101, "p", None]]}, {"device": U[1], "signals": [["page", "shop"]]})
    lake.run()
    once = lake.everything()
    lake.run()
    assert lake.everything() == once
    lake.capture({"device": U[2], "at": f"{DAY} 09:00:00.000000"}, file="b")  # the day is still open
    assert lake.run()["calls"] == 3
    assert [row[1] for row in lake.rows("FROM lake.main.id_sync_events ORDER BY event")] == [1, 2, 3]


def test_cut_off_last_line_was_never_answered(lake: Lake) -> None:
    lake.capture({"device": U[1]}, {"device": U[2]})
    path = capture_folder(lake.home, DAY) / "a.jsonl"
    whole = path.read_bytes()
    for length in (len(whole) - 1, len(whole) - 2, len(whole) - 50):
        path.write_bytes(whole[:length])
        assert lake.run()["calls"] == (2 if length == len(whole) - 1 else 1)


def test_damaged_capture_is_loud(lake: Lake) -> None:
    lake.capture({"device": U[1]}, {"device": U[2]})
    path = capture_folder(lake.home, DAY) / "a.jsonl"
    path.write_bytes(b"{" + path.read_bytes())
    with pytest.raises(DamagedCaptureError, match=r"a\.jsonl line 1"):
        lake.run()


def test_PRV_029_opt_outs_act_before_their_day(lake: Lake) -> None:
    lake.capture(
        {"call": "ibs", "device": U[1], "ids": [[4101, "p", None]]},
        {"device": U[1], "signals": [["page", "shop"]]},
        {"device": U[2], "ids": [[4101, "q", None]]},
        {"call": "demoptout", "outcome": "opt_out", "opt_outs": [[0, U[1], "global"]], "at": f"{DAY} 23:50:00.000000"},
    )
    lake.run()
    assert lake.rows("SELECT outcome, device_id FROM lake.main.id_sync_events ORDER BY event") == [
        ("opted_out", None), ("opted_out", None), ("taken", U[2]), ("opt_out", None),
    ]  # fmt: skip
    assert lake.state("id_links", "id, device_id") == [("q", U[2])]
    assert lake.state("opt_outs", "dpid, id, kind") == [(0, U[1], "global")]
    assert lake.rows("FROM lake.main.event_traits") == [] == lake.rows("FROM lake.main.event_signals")
    assert lake.state("activity", "id") == [(U[2],)]


def test_PRV_026_opted_out_stays_opted_out(lake: Lake) -> None:
    lake.capture({"call": "demoptout", "outcome": "opt_out", "opt_outs": [[4101, "p", "account"]]})
    lake.run()
    tomorrow = DAY + timedelta(days=1)
    lake.capture({"call": "ibs", "device": U[1], "ids": [[4101, "p", None], [4102, "q", None]]}, day=tomorrow)
    lake.run(tomorrow)
    assert lake.state("id_links", "id", tomorrow) == []
    assert lake.state("opt_outs", "dpid, id", tomorrow) == [(4101, "p")]


def test_PRV_022_device_of_the_day_before(tmp_path: Path) -> None:
    home = serve_workspace(tmp_path / "ws", start=DAY)
    before = {"mappings": [["4103:c", f"0:{U[1]}"], ["4103:c", f"0:{U[2]}"]]}
    import_state(home, write_import(tmp_path / "before.jsonl", before, [], DAY))
    lake = Lake.__new__(Lake)
    lake.home, lake.catalog, lake.con = home, open_catalog(home), duckdb.connect()
    attach(lake.con, home)
    lake.capture(
        {"call": "demoptout", "outcome": "opt_out", "opt_outs": [[4103, "c", "account"]], "unlinked": [[4103, "c", "account"]]}
    )
    lake.run()
    assert lake.state("opt_outs", "dpid, id") == [(0, U[2]), (4103, "c")]


def test_TRT_061_each_event_realizes_a_trait_once(lake: Lake) -> None:
    lake.capture(
        {"device": U[1], "signals": [["page", "shop", "shelf"]]},
        {"device": U[1], "signals": [["page", "SHOP"], ["price", "120"]]},  # TRT-042, TRT-045
        {"device": U[1], "signals": [["page", "home"]], "traits": [50, 53]},  # INB-171; 53 is onboarded (TRT-022)
        {"device": U[2], "satisfied": [INCOME]},  # TRT-006
        {"call": "ibs", "device": U[2]},
    )
    lake.run()
    query = "SELECT id, trait_id, count FROM lake.main.event_traits ORDER BY ALL"
    assert lake.rows(query) == [(U[1], 50, 2), (U[1], 52, 2), (U[2], 51, 1)]


def test_INB_175_one_data_source_only(lake: Lake) -> None:
    lake.capture({"device": U[1], "signals": [["page", "shop"]], "only": 4101}, {"device": U[2], "traits": [50], "only": -1})
    lake.run()
    assert lake.rows("SELECT id, trait_id FROM lake.main.event_traits ORDER BY ALL") == [(U[1], 52)]


@pytest.mark.parametrize(
    ("ids", "profiles"),
    [
        ([[4103, "c", 1]], [(4103, "c")]),
        ([[4103, "c", 0]], [(0, U[1])]),
        ([[4103, "c", 2]], [(0, U[1])]),
        ([[4103, "c", None]], [(0, U[1])]),
        ([[4101, "c", 1]], [(0, U[1])]),  # a cookie source has no authenticated profiles (SEG-001)
        ([[4103, "c", 1], [4103, "d", 1], [4105, "e", 2]], [(4103, "c"), (4103, "d")]),  # SEG-004
        ([], [(0, U[1])]),
    ],
)
def test_SEG_002_whose_profile(lake: Lake, ids: list[Any], profiles: list[Any]) -> None:
    lake.capture({"device": U[1], "ids": ids, "signals": [["page", "shop"]]})
    lake.run()
    assert lake.rows("SELECT dpid, id FROM lake.main.event_traits WHERE trait_id = 50 ORDER BY ALL") == profiles
    assert len(lake.state("id_links", "id")) == len(ids), "synced in all states"


def test_a_file_and_a_call_of_one_day(lake: Lake) -> None:
    lake.con.close()
    for name, content in {
        "adobe_id_0_4101_1767600001.sync": f"{U[2]}\tp\n{U[1]}\tq\n",
        "adobe_id_4101_4102_1767600002.sync": "p\tr\n",  # chained to what the call linked, too
    }.items():
        write_inbound(lake.home, "acme", DAY, name, content.encode(), datetime.combine(DAY, time(12), UTC))
    lake.capture(
        {"call": "ibs", "device": U[1], "ids": [[4101, "p", None]]}, {"call": "ibs", "device": U[1], "ids": [[4101, "q", None]]}
    )

    assert run_days(lake.home, DAY, DAY)

    with duckdb.connect(str(lake.home / "lake" / "bsync.duckdb"), read_only=True) as con:
        links = con.execute("SELECT id, device_id, origin FROM id_links ORDER BY ALL").fetchall()
        figures = con.execute(
            "SELECT records_received, stored_records, new_mappings, refreshed_mappings FROM id_sync_receipts ORDER BY file"
        )
        assert links == [("p", U[1], "http"), ("p", U[2], "file"), ("q", U[1], "file"), ("r", U[1], "file"), ("r", U[2], "file")]
        assert figures.fetchall() == [(2, 2, 1, 1), (1, 1, 2, 0)]


def test_IDS_88_who_is_linked_with_which_partner(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.con.close()
    lake.capture(
        {"call": "ibs", "device": U[1], "ids": [[4101, "p", None]]},
        {"device": U[2]},
        {"device": U[3]},
        {"call": "demoptout", "outcome": "opt_out", "opt_outs": [[0, U[3], "global"]]},
    )
    assert run_days(lake.home, DAY, DAY)
    with duckdb.connect(str(lake.home / "lake" / "bsync.duckdb"), read_only=True) as con:
        found = con.execute("SELECT partner, device_id, is_linked, since FROM partner_syncs ORDER BY ALL").fetchall()
    at = [datetime(2026, 1, 5, 10, 0, second) for second in range(2)]
    assert found == [
        ("acme", U[1], True, at[0]),
        ("acme", U[2], False, at[1]),
        ("vend", U[1], False, at[0]),
        ("vend", U[2], False, at[1]),
    ]

    monkeypatch.setenv("BSYNC_HOME", str(lake.home))
    listed = CliRunner().invoke(app, ["unlinked", "acme"])
    assert (listed.exit_code, listed.stdout) == (0, f"{U[2]}\n")
