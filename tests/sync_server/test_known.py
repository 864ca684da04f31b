"""What the service knows: of the published views, of calls since, of workers that died, and what it forgets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from sync_workspace import U, serve_workspace

from bsync_assets.sync_server.known import Known, copy_published, forget
from bsync_assets.transport.captures import capture_folder
from bsync_assets.warehouse.publish import published_file

TODAY = datetime.now(UTC).date()


def publish(home: Path, links: Sequence[tuple[int, str, str, str]], opted_out: Sequence[tuple[int, str]] = ()) -> None:
    """A stand-in for the published file, with the views the service reads."""
    published_file(home).parent.mkdir(parents=True, exist_ok=True)
    draft = published_file(home).with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with duckdb.connect(str(draft)) as con:
        con.execute(
            "CREATE TABLE id_links (dpid BIGINT, id TEXT, device_dpid BIGINT, device_id TEXT, last_seen TIMESTAMP, seq BIGINT)"
        )
        con.execute("CREATE TABLE opt_outs (dpid BIGINT, id VARCHAR)")
        con.execute("CREATE TABLE runs AS SELECT CAST($day AS DATE) AS day", {"day": TODAY})
        for number, (dpid, value, device, seen) in enumerate(links):
            con.execute("INSERT INTO id_links VALUES (?, ?, 0, ?, ?, ?)", [dpid, value, device, seen, number])
        for row in opted_out:
            con.execute("INSERT INTO opt_outs VALUES (?, ?)", row)
    draft.replace(published_file(home))


def write(home: Path, name: str, *records: dict[str, object], end: str = "\n") -> Path:
    folder = capture_folder(home, TODAY)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with open(path, "a") as file:
        file.write("\n".join(json.dumps({"at": f"{TODAY} 10:00:00.000000", "outcome": "taken"} | r) for r in records) + end)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    return serve_workspace(tmp_path / "ws")


def test_published_links_and_opt_outs(home: Path) -> None:
    publish(
        home, [(4101, "p", U[3], "2026-01-01"), (4101, "p", U[4], "2026-01-02"), (4102, "q", U[3], "2026-01-01")], [(0, U[9])]
    )
    known = Known(home)
    assert known.newest_device(4101, "p") == U[4] and known.newest_device(4101, "q") is None
    assert known.last_linked(U[3]) == {4101: "2026-01-01 00:00:00.000000", 4102: "2026-01-01 00:00:00.000000"}
    assert known.is_opted_out(0, U[9]) and not known.is_opted_out(0, U[8])


def test_calls_since_count_too(home: Path) -> None:
    publish(home, [(4101, "p", U[4], "2026-01-02")])
    known = Known(home)
    file = capture_folder(home, TODAY) / "w.jsonl"
    known.settle([{"at": f"{TODAY} 10:00:00.000000", "device": U[1], "ids": [[4101, "p", None]]}], file, 10)
    known.settle([{"at": f"{TODAY} 10:00:01.000000", "opt_outs": [[4102, "x", "account"]]}], file, 20)
    assert known.newest_device(4101, "p") == U[1] and known.is_opted_out(4102, "x")
    other = Known(home)  # a second worker
    assert other.newest_device(4101, "p") == U[1] and other.is_opted_out(4102, "x")


def test_records_of_a_worker_that_died(home: Path) -> None:
    write(home, "dead.jsonl", {"device": U[1], "ids": [[4101, "a", None]]}, {"device": U[2], "ids": [[4101, "b", None]]})
    with open(capture_folder(home, TODAY) / "dead.jsonl", "a") as file:
        file.write('{"at": "cut off')
    known = Known(home)
    assert (known.newest_device(4101, "a"), known.newest_device(4101, "b")) == (U[1], U[2])
    write(home, "other.jsonl", {"device": U[3], "ids": [[4101, "c", None]]})
    assert Known(home).newest_device(4101, "c") == U[3]


def test_a_new_run_is_noticed(home: Path) -> None:
    known = Known(home)
    assert not known.is_stale()
    publish(home, [(4101, "p", U[5], "2026-01-02")])
    assert known.is_stale()
    copy_published(home)
    known.refresh()
    assert known.newest_device(4101, "p") == U[5] and not known.is_stale()
    assert len(list((home / "lake" / "events").glob(".published-*.sqlite"))) == 1


def test_forgets_what_is_published(home: Path) -> None:
    known = Known(home)
    days = [TODAY - timedelta(days=n) for n in range(4)]
    for day in days:
        records = [
            {
                "at": f"{day} 10:00:00.000000",
                "device": U[1],
                "ids": [[4101, f"d{day}", None]],
                "opt_outs": [[4102, f"d{day}", ""]],
            }
        ]
        known.settle(records, capture_folder(home, day) / "w.jsonl", 10)
    publish(home, [])
    forget(home)
    assert [known.newest_device(4101, f"d{day}") is not None for day in days] == [True, True, False, False]
    assert [known.is_opted_out(4102, f"d{day}") for day in days] == [True, True, False, False]
