"""Delivering: order, retries, outages, kills, holds, and the history of it."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bsync_assets.assets.outbound_files import deliver_segments, history, resend

from .conftest import NOON, START, catalog_of, uuid

ONE_DAY = timedelta(days=1)


def _block(w: Any) -> None:
    """Something is in the way of the partner's folder."""
    w.out().parent.mkdir(exist_ok=True)
    w.out().write_text("not a folder")


def test_out_072_missing_days_go_out_in_order_each_on_its_own(stage: Any) -> None:
    w = stage()
    w.members(START, [(10, 1)])
    w.deliver(START)
    w.members(START + ONE_DAY, [(10, 2)])
    w.members(START + 2 * ONE_DAY, [(10, 3)], [(10, 2)])
    outcome = w.deliver(START + 2 * ONE_DAY)
    assert [d["day"] for d in outcome["deliveries"]] == [START + ONE_DAY, START + 2 * ONE_DAY]
    assert w.texts()[1:] == [f"{uuid(2)} 10 \n", f"{uuid(2)}  10\n{uuid(3)} 10 \n"]
    stamps = [ts for (ts,) in w.con.execute("SELECT ts_ms FROM lake.main.deliveries ORDER BY day").fetchall()]
    assert len({ts // 1000 for ts in stamps}) == 3 and stamps == sorted(stamps)  # OUT-034


def test_out_071_out_103_a_retry_sends_the_same_bytes_before_anything_newer(stage: Any) -> None:
    w = stage()
    w.members(START, [(10, 1)])
    _block(w)
    failed = w.deliver(START)
    assert failed["status"] == "failed" and str(w.out()) in failed["why"]
    w.members(START + ONE_DAY, [(10, 2)])
    assert w.deliver(START + ONE_DAY)["status"] == "failed"
    assert w.con.execute("SELECT count(*) FROM lake.main.published_changes").fetchone() == (0,)  # OUT-070
    frozen = next((w.home / "lake/outbound/1").glob("*/*.sync"))
    name, content = frozen.name, frozen.read_bytes()
    w.out().unlink()
    w.members(START, [(10, 1), (10, 99)])  # the past changes; what is frozen does not
    outcome = w.deliver(START + ONE_DAY, now=NOON + ONE_DAY)
    assert [d["day"] for d in outcome["deliveries"]] == [START, START + ONE_DAY]
    assert (w.out() / name).read_bytes() == content
    assert w.texts()[1].splitlines()[0] == f"{uuid(2)} 10 "
    files = w.con.execute("SELECT status, attempts > 0, seconds IS NOT NULL FROM lake.main.outbound_files").fetchall()
    assert set(files) == {("delivered", True, True)} and len(files) == 4


def test_a_delivered_day_is_never_rendered_again(stage: Any) -> None:
    w = stage()
    w.members(START, [(10, 1)])
    w.deliver(START)
    before = {path: path.stat().st_mtime_ns for path in w.out().iterdir()}
    w.members(START, [(10, 1), (10, 2)])  # the day is run again
    assert w.deliver(START)["status"] == "up_to_date"
    assert {path: path.stat().st_mtime_ns for path in w.out().iterdir()} == before
    w.deliver(START + ONE_DAY)  # the correction flows into the next one
    assert w.texts()[-1] == f"{uuid(2)} 10 \n"


def test_one_destination_stops_no_other(stage: Any) -> None:
    given = catalog_of()
    given["destinations"].append({**given["destinations"][0], "id": 2, "to": "outbox/2"})
    w = stage(given)
    w.members(START, [(10, 1)])
    _block(w)
    outcomes = deliver_segments(w.con, w.catalog, START, [1, 2], now=NOON)
    assert {number: outcome["status"] for number, outcome in outcomes.items()} == {1: "failed", 2: "delivered"}
    assert w.texts(2) == [f"{uuid(1)} 10 \n"]


def test_a_second_delivery_of_a_day_changes_its_base_too(stage: Any) -> None:
    w = stage()
    w.members(START, [(10, 1), (10, 2)])
    w.deliver(START)
    tuesday = START + ONE_DAY
    w.members(tuesday, [(10, 4)])
    w.deliver(tuesday)  # with the second day's changes a base is due
    assert w.con.execute("SELECT count(*) FROM lake.main.published_members_base").fetchone() == (3,)
    w.members(tuesday, [(10, 3)])  # a late file
    w.deliver(tuesday, full=True)
    assert f"{uuid(1)} 10 \n{uuid(2)} 10 \n{uuid(3)} 10 \n{uuid(4)}  10\n" in w.texts()
    w.con.execute("DELETE FROM lake.main.published_changes")  # history that a base covers may go
    w.deliver(tuesday + ONE_DAY)
    assert w.texts()[-1] == ""


def test_a_new_destination_begins_with_the_newest_day(stage: Any) -> None:
    w = stage()
    w.con.execute("INSERT INTO lake.main.runs BY NAME SELECT $day AS day, 'r' AS run_id", {"day": START + ONE_DAY})
    w.members(START, [(10, 1)])
    assert w.deliver(START)["status"] == "up_to_date"  # the past is run again
    assert w.deliver(START + ONE_DAY)["status"] == "delivered"


def test_a_name_that_was_used_is_not_used_again(stage: Any) -> None:
    w = stage(file_name='x_<TIMESTAMP; format="yyyyMMdd">.sync')
    w.members(START, [(10, 1)])
    w.deliver(START)
    outcome = w.deliver(START + ONE_DAY)
    assert outcome["status"] == "failed" and "2026-01-05 was called x_20260106" in outcome["why"]
    assert w.deliver(START + ONE_DAY, now=NOON + ONE_DAY)["status"] == "delivered"


def test_out_134_an_unusual_volume_waits_for_a_person(stage: Any) -> None:
    w = stage()
    w.members(START, [(10, n) for n in range(400)])
    for n in range(1, 7):
        w.deliver(START + (n - 1) * ONE_DAY)
        w.members(START + n * ONE_DAY, [(11, n)])
    day = START + 7 * ONE_DAY
    w.deliver(day - ONE_DAY)
    w.members(day, [], [(10, n) for n in range(400)])
    held = w.deliver(day)
    assert held["status"] == "held"
    assert "400 removals, usual are 0 to 100" in held["why"] and "segment 10 (+0 -400)" in held["why"]
    assert w.deliver(day + ONE_DAY)["status"] == "held"  # nothing passes it
    assert len(w.texts()) == 7
    assert history.release(w.con, 1) == 1
    assert [d["day"] for d in w.deliver(day + ONE_DAY)["deliveries"]] == [day, day + ONE_DAY]
    assert len(w.texts()[7].splitlines()) == 400


def test_resend_and_out_105_eight_days(stage: Any) -> None:
    w = stage()
    w.members(START, [(10, 1)])
    w.deliver(START)
    content = {path.name: path.read_bytes() for path in w.out().iterdir()}
    for path in w.out().iterdir():
        path.unlink()
    assert sorted(resend(w.con, w.catalog, w.catalog.destinations[1], START)) == sorted(content)
    assert {path.name: path.read_bytes() for path in w.out().iterdir()} == content
    w.deliver(START, now=NOON + timedelta(days=400))  # the clock of the lake is ours: what ended long ago goes
    assert not list((w.home / "lake/outbound/1").iterdir())


# --- A partner's reader, written from the specification alone


def _read(folder: Path, held: dict[str, set[str]]) -> dict[str, set[str]]:
    """What a partner holds after it has taken in every complete delivery, in order; a full one replaces nothing."""
    import json

    for control in sorted(folder.glob("*.info"), key=lambda path: int(path.stem.rsplit("_", 1)[1])):
        for file in json.loads(control.read_text())["Files"]:
            for line in (folder / file["FileName"]).read_text().splitlines():
                user, added, removed = line.split(" ")
                values = held.setdefault(user, set())
                values |= set(filter(None, added.split(",")))
                values -= set(filter(None, removed.split(",")))
    return {user: values for user, values in held.items() if values}


_numbers = itertools.count()
_days = st.lists(
    st.dictionaries(st.tuples(st.sampled_from([10, 11]), st.integers(1, 4)), st.booleans(), max_size=4), min_size=2, max_size=4
)


@given(_days, st.data())
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_reader_rebuilds_the_membership(stage: Any, days: list[dict[tuple[int, int], bool]], data: Any) -> None:
    """First full, then iter, with days that are lost, repeated, or sent in full: the partner holds exactly `segment_members`."""
    w = stage(name=f"r{next(_numbers)}")
    inside: set[tuple[int, int]] = set()
    for number, wishes in enumerate(days):
        day = START + number * ONE_DAY
        now_inside = {pair for pair in inside if wishes.get(pair, True)} | {pair for pair, wish in wishes.items() if wish}
        w.members(day, sorted(now_inside - inside), sorted(inside - now_inside))
        inside = now_inside
        last = number == len(days) - 1
        for how in data.draw(st.lists(st.sampled_from(["run", "full"]), min_size=1 if last else 0, max_size=2)):
            w.deliver(day, full=how == "full")
    expected: dict[str, set[str]] = {}
    for segment, number in inside:
        expected.setdefault(uuid(number), set()).add(str(segment))
    assert _read(w.out(), {}) == expected


# --- kill -9

_SENDER = """
import sys
from datetime import date
from pathlib import Path
import duckdb
from bsync_assets.assets.outbound_files import deliver_segments
from bsync_assets.catalog import load_catalog
from bsync_assets.warehouse.lake import attach
home = Path(sys.argv[1])
con = duckdb.connect()
attach(con, home)
print("go", flush=True)
print(deliver_segments(con, load_catalog(home), date.fromisoformat(sys.argv[2]), [1])[1]["status"], flush=True)
"""
KILLS = int(os.environ.get("BSYNC_KILLS", "6"))  # 50 for the figure in docs


def test_kill_9_leaves_complete_deliveries_only_each_once(stage: Any) -> None:
    w = stage(split_bytes=20_000)
    w.members(START, [(10 + n % 2, n) for n in range(3000)])
    w.con.close()
    command = [sys.executable, "-c", _SENDER, str(w.home)]
    chance = random.Random(7)
    day, killed = START, 0
    while killed < KILLS:
        with subprocess.Popen([*command, str(day)], stdout=subprocess.PIPE, text=True) as sender:
            assert sender.stdout is not None and any(line == "go\n" for line in sender.stdout)
            time.sleep(chance.uniform(0, 1.2))
            if sender.poll() is None:
                sender.send_signal(signal.SIGKILL)
                killed += 1
        if sender.returncode == 0:
            day += ONE_DAY
        _complete_deliveries(w.out(), finished=False)
    assert subprocess.run([*command, str(day)], capture_output=True, text=True, check=True).stdout.split()[-1] in (
        "delivered",
        "up_to_date",
    )
    names = _complete_deliveries(w.out(), finished=True)
    assert len(names) == (day - START).days + 1  # one for each day, none twice
    assert _read(w.out(), {}) == {uuid(n): {str(10 + n % 2)} for n in range(3000)}


def _complete_deliveries(folder: Path, finished: bool) -> list[str]:
    """Control files, each of whose parts is there in full; when all is done there is nothing else."""
    import hashlib
    import json

    seen, controls = set(), sorted(folder.glob("*.info")) if folder.exists() else []
    for control in controls:
        files = json.loads(control.read_text())["Files"]
        for file in files:
            content = (folder / file["FileName"]).read_bytes()
            assert file["md5"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
        seen |= {control.name, *(file["FileName"] for file in files)}
    if finished:
        assert {path.name for path in folder.iterdir()} == seen
    return [path.name for path in controls]
