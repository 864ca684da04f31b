"""Stage `outbound_files`: segments on their way to partners (OUT-001 to OUT-134).

A delivery is planned (`plan`), frozen as bytes on disk (`frozen`) and sent until it is complete. Only then does the publication
state advance: it is what the next delivery is compared with. A delivered day is never rendered again.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.compute as pc

from bsync_assets.assets.outbound_files import frozen as on_disk
from bsync_assets.assets.outbound_files import history
from bsync_assets.assets.outbound_files.frozen import DELTA, Frozen, delivery_folder, freeze, frozen_folder
from bsync_assets.assets.outbound_files.plan import NOW, members_of_day, plan_rows, read_rows
from bsync_assets.catalog.models import Catalog, Destination
from bsync_assets.exchange.destination_names import control_names, file_name
from bsync_assets.exchange.templates import Delivery, parse_template, render
from bsync_assets.sqlfiles import make, one
from bsync_assets.transport.places import ATTEMPTS, PAUSE_SECONDS, Place, PlaceError, draft_name, open_place
from bsync_assets.warehouse.lake import fetch_all, lake_folder, quoted, rebase_if_due, state_as_of, transaction
from bsync_assets.workspace import mappings_file

log = logging.getLogger("bsync.outbound")

KEPT_DAYS = 8  # OUT-105
_DAYS_OF_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class NotPlanned(ValueError):
    """A delivery cannot be made as things are; says why."""


def deliver_segments(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    day: date,
    destinations: Sequence[int],
    *,
    full: bool = False,
    now: datetime | None = None,
) -> dict[int, dict[str, Any]]:
    """Send to each destination what is open and what is due up to `day`, in order; answers an outcome for each.

    An outcome has `status` (delivered, held, failed, up_to_date, skipped), `why`, `deliveries` (newest last) and `blocked`.
    `full` asks for a full delivery of `day` now, whatever was delivered (OUT-065). `now` is UTC without zone. What goes wrong at
    one destination stops no other; a fault of ours is raised when all have had their turn.
    """
    clean_up(con, catalog, now or _now())
    outcomes: dict[int, dict[str, Any]] = {}
    faults: list[Exception] = []
    members = _MembersOfDay(con, catalog, [catalog.destinations[number] for number in destinations])
    for number in destinations:
        destination = catalog.destinations[number]
        try:
            outcomes[number] = _deliver(con, catalog, destination, day, members, full, now)
        except (PlaceError, NotPlanned) as error:
            outcomes[number] = {"status": "failed", "why": str(error), "deliveries": [], "blocked": []}
        except Exception as fault:
            fault.add_note(f"while delivering {day} to destination {number}")
            outcomes[number] = {"status": "failed", "why": f"a fault of ours: {fault}", "deliveries": [], "blocked": []}
            faults.append(fault)
        log.info("destination %d: %s %s", number, outcomes[number]["status"], outcomes[number]["why"] or "")
    _remember_mappings(catalog)
    if all(outcome["status"] in ("delivered", "up_to_date", "skipped") for outcome in outcomes.values()) and set(
        destinations
    ) == set(catalog.destinations):
        rebase_if_due(con, "published_members", day)
    if faults:
        raise faults[0]
    return outcomes


class _MembersOfDay:
    """The members of all mapped segments, read once for all destinations of a day."""

    def __init__(self, con: duckdb.DuckDBPyConnection, catalog: Catalog, destinations: Sequence[Destination]) -> None:
        self._con, self._catalog, self._destinations = con, catalog, destinations
        self._day: date | None = None

    def of(self, day: date) -> None:
        """Make `member_of_day` and `opted_out`."""
        if self._day != day:
            members_of_day(self._con, self._catalog, self._destinations, day)
            self._day = day


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _deliver(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    destination: Destination,
    day: date,
    members: _MembersOfDay,
    full: bool,
    now: datetime | None,
) -> dict[str, Any]:
    outcome: dict[str, Any] = {"status": "up_to_date", "why": None, "deliveries": [], "blocked": []}
    if destination.method == "http":
        return outcome | {"status": "skipped", "why": "method http sends no files"}
    with closing(open_place(destination.to, catalog.home)) as place:
        for delivery in history.deliveries(con, destination.id):
            if delivery["status"] != "delivered":
                folder = delivery_folder(catalog.home, destination.id, delivery["day"], delivery["ts_ms"])
                _send(con, on_disk.load(folder), place, delivery, outcome)
                if outcome["status"] != "delivered":
                    return outcome  # nothing newer goes out before it (OUT-103)
        for due in _days_due(con, destination, day, full):
            members.of(due)
            made, delivery, blocked = _freeze(con, catalog, destination, due, full and due == day, now)
            outcome["blocked"] = blocked
            _send(con, made, place, delivery, outcome)
            if outcome["status"] != "delivered":
                break
    return outcome


def _days_due(con: duckdb.DuckDBPyConnection, destination: Destination, day: date, full: bool) -> Iterator[date]:
    """Every day after the last one delivered, each on its own (OUT-072, OUT-112); a new destination begins with the newest."""
    before = history.deliveries(con, destination.id)
    newest = one(con, "SELECT max(day) FROM lake.main.runs")
    if not before and newest is not None and day < newest:
        return  # a day of the past is run again: nothing was owed then
    due = max(delivery["day"] for delivery in before) + timedelta(days=1) if before else day
    while due <= day:
        yield due
        due += timedelta(days=1)
    if full and before and before[-1]["day"] >= day:
        yield day


def mode_for(con: duckdb.DuckDBPyConnection, destination: Destination, day: date, full: bool = False) -> str:
    """`full` for the first delivery, on configured days and on request, else `iter` (OUT-065)."""
    first = not history.deliveries(con, destination.id)
    return "full" if full or first or _DAYS_OF_WEEK[day.weekday()] in destination.full_on else "iter"


def delivery_of(catalog: Catalog, destination: Destination, mode: str, ts_ms: int) -> Delivery:
    """What every line of the delivery shares."""
    return Delivery(
        sync_type=destination.method, sync_mode=mode, order_id=destination.id, dpid=destination.dpid,
        master_dpid=destination.master_dpid, pid=catalog.settings.account.pid, pid_alias=destination.pid_alias, ts_ms=ts_ms,
    )  # fmt: skip


def _freeze(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, destination: Destination, day: date, full: bool, now: datetime | None
) -> tuple[Frozen, dict[str, Any], list[dict[str, Any]]]:
    """Plan and freeze the delivery of one day, and record it. Raises NotPlanned."""
    moment = now or _now()
    ts_ms = _time_stamp(con, destination, moment)
    mode = mode_for(con, destination, day, full)
    shared = delivery_of(catalog, destination, mode, ts_ms)
    template = parse_template(destination.file_name, "name") if destination.file_name else None
    unsplit = file_name(template, shared, destination.gzip)
    control, whole = control_names(unsplit)
    _refuse_taken_names(con, destination, {unsplit, control})
    with _pairs_folder(catalog) as folder:
        plan, blocked = plan_rows(con, catalog, destination, day, shared, folder)
        made = freeze(
            con, plan, delivery_folder(catalog.home, destination.id, day, ts_ms),
            {"destination": destination.id, "day": day, "ts_ms": ts_ms, "mode": mode}, destination.master_dpid,
            render(parse_template(destination.header, "header"), shared) if destination.header is not None else None,
            destination.split_bytes, destination.gzip,
            lambda number: file_name(template, replace(shared, part=number), destination.gzip), (control, whole),
        )  # fmt: skip
        added, removed = con.execute(
            "SELECT count(*) FILTER (change = 'added'), count(*) FILTER (change = 'removed') FROM " + quoted(made.folder / DELTA)
        ).fetchone() or (0, 0)
        delivery = {
            "day": day, "destination": destination.id, "ts_ms": ts_ms, "mode": mode, "status": "frozen", "why": None,
            "records": made.records, "failed": made.failed, "added": added, "removed": removed, "attempts": 0,
            "frozen_at": moment,
        }  # fmt: skip
        strange = history.unusual(con, delivery)
        if strange is not None:
            delivery |= {"status": "held", "why": f"{strange}. {_where_to_look(con)}"}
    files = [
        {"day": day, "destination": destination.id, "name": file.name, "mode": mode, "bytes": file.bytes, "lines": file.lines,
         "md5": file.md5, "ts_ms": ts_ms, "part": number, "method": destination.method, "records": file.records, "attempts": 0}
        for number, file in enumerate([made.control, *made.parts])
    ]  # fmt: skip
    with transaction(con):
        history.record_delivery(con, delivery, files)
        history.record(con, "addressable_members", day, destination.id, fetch_all(con, "FROM reach"))
        history.record(con, "export_blocks", day, destination.id, blocked)
    return made, delivery, blocked


@contextmanager
def _pairs_folder(catalog: Catalog) -> Iterator[Path]:
    """Room for the pairs of one delivery, in the lake, whose disk has room for them."""
    with tempfile.TemporaryDirectory(prefix="pairs-", dir=lake_folder(catalog.home) / "tmp") as folder:
        yield Path(folder)


def _time_stamp(con: duckdb.DuckDBPyConnection, destination: Destination, moment: datetime) -> int:
    """Milliseconds that no delivery to this destination has, nor its second: custom names may show no more (OUT-034)."""
    ts_ms = int(moment.replace(tzinfo=UTC).timestamp() * 1000)
    last: int = one(con, "SELECT coalesce(max(ts_ms), 0) FROM lake.main.deliveries WHERE destination = $destination",
               {"destination": destination.id})  # fmt: skip
    return max(ts_ms, (last // 1000 + 1) * 1000)


def _refuse_taken_names(con: duckdb.DuckDBPyConnection, destination: Destination, names: set[str]) -> None:
    taken = con.execute(
        "SELECT name, day FROM lake.main.outbound_files WHERE destination = $destination AND list_contains($names, name)",
        {"destination": destination.id, "names": sorted(names)},
    ).fetchone()
    if taken is not None:
        raise NotPlanned(
            f"the delivery of {taken[1]} was called {taken[0]} too; let file_name show more of TIMESTAMP, or wait for a later day"
        )


def _where_to_look(con: duckdb.DuckDBPyConnection) -> str:
    """The segments that change most, for a person who has to decide."""
    most = con.execute("""
        SELECT
            known_value.segment_id,
            count(*) FILTER (is_current AND NOT is_published) AS added,
            count(*) FILTER (is_removed) AS removed
        FROM pair
        JOIN known_value USING (pos)
        GROUP BY ALL
        ORDER BY added + removed DESC, known_value.segment_id
        LIMIT 3
    """).fetchall()
    return "Look at " + ", ".join(f"segment {s} (+{added:,} -{removed:,})" for s, added, removed in most) if most else ""


# --- Sending


def _send(con: duckdb.DuckDBPyConnection, made: Frozen, place: Place, delivery: dict[str, Any], outcome: dict[str, Any]) -> None:
    """Send a frozen delivery unless it is held, and advance the publication state when it is complete (OUT-102 to OUT-104)."""
    outcome |= {"status": delivery["status"], "why": delivery["why"]}
    if delivery["status"] == "held":
        outcome["deliveries"].append(delivery)
        return
    delivery = delivery | {"attempts": delivery["attempts"] + 1, "started_at": _now()}
    files = history.files_of(con, made.day, made.destination, made.ts_ms)
    former = _former_sender(made)
    try:
        for file in files if former else ():  # killed while it sent, a process leaves its draft with the partner
            place.remove(draft_name(file["name"], former))
        for file in [*files[1:], *files[:1]]:  # the control file last: it says that all is there (OUT-093)
            _send_file(made, place, file)
    except OSError as error:  # PlaceError, or what the system says of a folder
        delivery |= {"status": "failed", "why": str(error)}
        with transaction(con):
            history.record_delivery(con, delivery, files)
    else:
        delivery |= {"status": "delivered", "why": None, "ended_at": _now()}
        with transaction(con):
            _advance(con, made)
            history.record_delivery(con, delivery, files)
    outcome |= {"status": delivery["status"], "why": delivery["why"]}
    outcome["deliveries"].append(delivery)


def _send_file(made: Frozen, place: Place, file: dict[str, Any]) -> None:
    """Transfer one file, again and again while it may help. One that is there in full is not sent a second time."""
    file["started_at"], begun = _now(), time.monotonic()
    while True:
        file["attempts"] += 1
        try:
            if place.size(file["name"]) != file["bytes"]:
                place.put(made.folder / file["name"], file["name"])
            if place.size(file["name"]) != file["bytes"]:
                raise PlaceError(f"{file['name']} has another size at {place.shown}", passing=True)
        except PlaceError as error:
            if not error.passing or file["attempts"] % ATTEMPTS == 0:
                raise
            time.sleep(PAUSE_SECONDS * 2 ** (file["attempts"] % ATTEMPTS - 1))
        else:
            break
    file["ended_at"], file["seconds"] = _now(), time.monotonic() - begun


def _former_sender(made: Frozen) -> int | None:
    """The process that tried to send this before, if it was another; from now on it is this one."""
    sender = made.folder / "sender"
    before = int(sender.read_text() or 0) if sender.exists() else 0
    sender.write_text(str(os.getpid()))
    return before if before not in (0, os.getpid()) else None


def _advance(con: duckdb.DuckDBPyConnection, made: Frozen) -> None:
    """Make the changes of a complete delivery part of the publication state (OUT-070).

    A second delivery of one day is merged with the first one's changes, later ones win; so a day stays one change set.
    """
    told = "FROM " + quoted(made.folder / DELTA)
    of_delivery = "(destination = $destination AND (id, value) IN (SELECT (id, value) " + told + "))"
    ours = {"destination": made.destination}
    if one(con, "SELECT count(*) FROM lake.main.published_members_base WHERE as_of >= $day", {"day": made.day}):
        # A base of this day was written before the second delivery of the day: it takes part in the change.
        make(con, "based", "SELECT * FROM (" + state_as_of("published_members") + ") WHERE NOT " + of_delivery
             + " UNION ALL BY NAME SELECT * EXCLUDE (change, reason) " + told + " WHERE change = 'added'",
             ours | {"day": NOW})  # fmt: skip
        con.execute("DELETE FROM lake.main.published_members_base WHERE as_of >= $day", {"day": made.day})
        con.execute("INSERT INTO lake.main.published_members_base BY NAME SELECT $day AS as_of, * FROM based", {"day": made.day})
    if history.told_on(con, made.day, made.destination):
        of_day = "FROM lake.main.published_changes WHERE day = $day"
        make(con, "told_before", of_day, {"day": made.day})
        con.execute("DELETE " + of_day, {"day": made.day})
        con.execute("INSERT INTO lake.main.published_changes BY NAME FROM told_before WHERE NOT " + of_delivery, ours)
    if one(con, "SELECT count(*) " + told):
        con.execute("INSERT INTO lake.main.published_changes BY NAME SELECT $day AS day, * " + told, {"day": made.day})


def resend(con: duckdb.DuckDBPyConnection, catalog: Catalog, destination: Destination, day: date) -> list[str]:
    """Send the delivered files of one day once more, the same bytes under the same names; answers the names.

    Raises NotPlanned when there are none any more (OUT-105), PlaceError when the place refuses.
    """
    sent = []
    with closing(open_place(destination.to, catalog.home)) as place:
        for delivery in history.deliveries(con, destination.id):
            folder = delivery_folder(catalog.home, destination.id, delivery["day"], delivery["ts_ms"])
            if delivery["day"] != day or delivery["status"] != "delivered" or not folder.exists():
                continue
            made = on_disk.load(folder)
            for part in [*made.parts, made.control]:
                place.put(folder / part.name, part.name)
                sent.append(part.name)
    if not sent:
        raise NotPlanned(f"nothing that was delivered to {destination.id} for {day} is kept; it is for {KEPT_DAYS} days")
    return sent


def preview(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date, destinations: Sequence[int], *, full: bool = False
) -> list[dict[str, Any]]:
    """What `deliver_segments` would send for `day` if nothing else were open; nothing is written. One row per destination."""
    members = _MembersOfDay(con, catalog, [catalog.destinations[number] for number in destinations])
    rows = []
    for number in destinations:
        destination = catalog.destinations[number]
        members.of(day)
        mode = mode_for(con, destination, day, full)
        with _pairs_folder(catalog) as folder:
            plan, blocked = plan_rows(con, catalog, destination, day, delivery_of(catalog, destination, mode, 0), folder)
            sent, broken, size = 0, 0, 0
            for batch in read_rows(con, plan):
                lines = batch.column("line")
                sent, broken = sent + len(lines) - lines.null_count, broken + lines.null_count
                size += pc.sum(pc.binary_length(lines)).as_py() or 0
            added, removed = con.execute(
                "SELECT count(*) FILTER (is_current AND NOT is_published), count(*) FILTER (is_removed) FROM pair"
            ).fetchone() or (0, 0)
        waiting = [d for d in history.deliveries(con, number) if d["status"] != "delivered"]
        rows.append({
            "destination": number, "name": destination.name, "mode": mode, "rows": sent, "failed": broken,
            "bytes": size, "added": added, "removed": removed,
            "not_addressable": one(con, "SELECT coalesce(sum(not_addressable), 0)::BIGINT FROM reach"),
            "blocked": sorted({block["segment_id"] for block in blocked}),
            "open": [f"{d['day']} {d['status']}" for d in waiting],
        })  # fmt: skip
    return rows


# --- Keeping house


def clean_up(con: duckdb.DuckDBPyConnection, catalog: Catalog, now: datetime) -> None:
    """Remove frozen deliveries that nobody knows of (a run died while it made them), and complete ones after 8 days (OUT-105)."""
    for destination in catalog.destinations:
        known = {(d["day"], d["ts_ms"]): d for d in history.deliveries(con, destination)}
        folder = frozen_folder(catalog.home, destination)
        keep = {
            delivery_folder(catalog.home, destination, day, ts_ms).name
            for (day, ts_ms), d in known.items()
            if d["status"] != "delivered" or d["ended_at"] > now - timedelta(days=KEPT_DAYS)
        }
        for kept in folder.iterdir() if folder.exists() else ():
            if kept.name not in keep:
                shutil.rmtree(kept)


def _remember_mappings(catalog: Catalog) -> None:
    pairs = sorted((d.id, mapping.id) for d in catalog.destinations.values() for mapping in d.segments)
    path = mappings_file(catalog.home)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(pairs))
    draft.replace(path)
