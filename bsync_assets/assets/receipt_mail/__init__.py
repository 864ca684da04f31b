"""Stage `receipt_mail`: sends what is due. What was sent is remembered by Message-ID, so a message goes out once.

A mail server that is down delays mail, never data: what fails stays due and is tried again by the next run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb

from bsync_assets.catalog.models import Catalog
from bsync_assets.exchange.reasons import DATA_COUNTERS, SYNC_COUNTERS
from bsync_assets.exchange.receipts import Kind
from bsync_assets.mail.deliver import MailFailed, deliver
from bsync_assets.mail.render import FileLine, Receipt, fault_mail, message_id, receipt_mail
from bsync_assets.sqlfiles import one, sql
from bsync_assets.warehouse.lake import append, fetch_all, transaction
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import BY_NAME

log = logging.getLogger("bsync.receipt_mail")

#: Entries written to the lake at once: a commit costs more than a message.
_ENTRIES_PER_COMMIT = 100
_FIRST_DELAY, _LONGEST_DELAY = timedelta(minutes=1), timedelta(hours=6)


@dataclass(frozen=True)
class Message:
    """The key of one message, see `mail_outbox`."""

    kind: Kind
    day: date
    partner: str
    batch: int
    revision: int = 1
    balanced: bool = True
    dpid: int = 0
    target: int | None = None
    dpids: tuple[int, ...] = ()


def messages_due(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    data: Iterable[dict[str, Any]],
    sync: Iterable[dict[str, Any]],
    refused: Iterable[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Rows for `mail_outbox`: one per new receipt, per new group of ID-sync receipts, and per batch with refused files.

    Operations gets every message; the partner's contacts get what adds up (INB-120, INB-136).
    """
    messages = [Message("refused", row["day"], row["partner"], row["batch"]) for row in refused]
    messages += [
        Message("data", row["day"], row["partner"], row["batch"], row["revision"], row["balanced"], row["dpid"], row["target"])
        for row in data
    ]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in sync:
        dpids = one(con, """
            SELECT [dpid] || dpids FROM lake.main.inbound_files
            WHERE day = $day AND partner = $partner AND key = $file AND batch = $batch
        """, {name: row[name] for name in ("day", "partner", "file", "batch")})  # fmt: skip
        groups.setdefault((row["day"], row["partner"], row["batch"], tuple(dpids)), []).append(row)
    for (day, partner, batch, dpids), rows in groups.items():
        revision, balanced = max(row["revision"] for row in rows), all(row["balanced"] for row in rows)
        messages.append(Message("id_sync", day, partner, batch, revision, balanced, dpids[0], None, dpids))
    known = {identifier for (identifier,) in con.execute("SELECT message_id FROM lake.main.mail_outbox").fetchall()}
    rows = []
    for message in messages:
        identifier = message_id(message, catalog.settings.mail.sender, catalog.settings.account.name)
        if identifier not in known:
            contacts = catalog.partners[message.partner].contacts if message.balanced else ()
            recipients = list(dict.fromkeys((*catalog.settings.mail.ops, *contacts)))
            rows.append(vars(message) | {"message_id": identifier, "recipients": recipients} | _entry("due", 0))
    return rows


def send_due(con: duckdb.DuckDBPyConnection, catalog: Catalog, now: datetime | None = None) -> dict[str, int]:
    """Try every message that is due, also of earlier days; answers how many were sent, failed for good, and wait.

    `now` (UTC): leave alone what is to be tried later; without it all that is due is tried. After the server could not be
    reached once, the rest waits: a run is not held up by more than one timeout.
    """
    due = fetch_all(con, sql(__file__, "due_messages.sql"), {"now": now})
    counts = {"sent": 0, "failed": 0, "waiting": 0}
    entries: list[dict[str, Any]] = []
    unreachable = False
    for row in due:
        if unreachable:
            counts["waiting"] += 1
            continue
        entry = _try(con, catalog, row)
        counts["waiting" if entry["status"] == "due" else entry["status"]] += 1
        unreachable = entry["status"] == "due" and entry["recipients"] == row["recipients"]
        entries.append(entry)
        if len(entries) >= _ENTRIES_PER_COMMIT:
            _remember(con, entries)
            entries = []
    _remember(con, entries)
    return counts


def _try(con: duckdb.DuckDBPyConnection, catalog: Catalog, row: dict[str, Any]) -> dict[str, Any]:
    """Send one message; the entry for `mail_outbox` that says what came of it."""
    settings, account = catalog.settings.mail, catalog.settings.account.name
    receipt = receipt_of(con, row)
    write = receipt_mail if receipt.balanced else fault_mail
    message = write(receipt, settings.sender, row["recipients"], account)
    attempts = row["attempts"] + 1
    try:
        deliver(settings, catalog.home, message, row["recipients"])
    except MailFailed as failure:
        log.warning("%s: %s", row["message_id"], failure.reason)
        again = list(failure.refused) or row["recipients"]
        return row | {"recipients": again} | _entry("due" if failure.temporary else "failed", attempts, failure.reason)
    return row | _entry("sent", attempts)


def _entry(status: str, attempts: int, error: str | None = None) -> dict[str, Any]:
    now = datetime.now(UTC).replace(tzinfo=None)
    delay = min(_FIRST_DELAY * 2 ** min(attempts, 12), _LONGEST_DELAY) if attempts else timedelta(0)
    return {"status": status, "attempts": attempts, "last_error": error, "next_try": now + delay, "written_at": now}


def _remember(con: duckdb.DuckDBPyConnection, entries: Sequence[dict[str, Any]]) -> None:
    with transaction(con):
        rows_table(con, "new_rows", BY_NAME["mail_outbox"].columns, entries)
        append(con, "mail_outbox", "new_rows")


def receipt_of(con: duckdb.DuckDBPyConnection, row: dict[str, Any]) -> Receipt:
    """The receipt that a row of `mail_outbox` is about, with its files, as it is mailed."""
    key = {name: row[name] for name in ("day", "partner", "batch")}
    match row["kind"]:
        case "data":
            revisions = _revisions(con, key | {"dpid": row["dpid"], "target": row["target"]}, row["revision"])
            scope = key | {"dpid": row["dpid"], "target": row["target"]}
            params = {("origin" if name == "day" else name): value for name, value in scope.items()}
            files = fetch_all(con, sql(__file__, "data_files.sql"), params | {"day": revisions[0]["as_of"]})
            return _receipt(row, revisions[0], revisions[1:], files, tuple(c.name for c in DATA_COUNTERS))
        case "id_sync":
            files = fetch_all(con, sql(__file__, "sync_files.sql"), key | {"dpids": row["dpids"]})
            names = tuple(c.name for c in SYNC_COUNTERS)
            total = files[0] | {name: sum(file[name] for file in files) for name in names}
            total["why"] = next((file["why"] for file in files if file["why"]), None)
            return _receipt(row, total, [], files, names)
        case _:
            refused = fetch_all(con, """
                SELECT key AS name, coalesce(reject_reason, 'removes_too_much') AS reject_reason, arrived_at
                FROM lake.main.inbound_files
                WHERE day = $day AND partner = $partner AND batch = $batch AND (status = 'refused' OR would_remove > 0)
                ORDER BY arrived_at, key
            """, key)  # fmt: skip
            seen = {"run_id": "", "why": None, "job_start": refused[0]["arrived_at"], "job_end": refused[-1]["arrived_at"]}
            return _receipt(row, seen, [], refused, ())


def _revisions(con: duckdb.DuckDBPyConnection, scope: dict[str, Any], revision: int) -> list[dict[str, Any]]:
    """This revision of a data receipt, and the one before if there is one."""
    return fetch_all(con, """
        SELECT * FROM lake.main.receipts
        WHERE day = $day AND partner = $partner AND dpid = $dpid AND target = $target AND batch = $batch
            AND revision IN ($revision, $revision - 1)
        ORDER BY revision DESC
    """, scope | {"revision": revision})  # fmt: skip


def _receipt(
    row: dict[str, Any],
    document: dict[str, Any],
    earlier: Sequence[dict[str, Any]],
    files: Sequence[dict[str, Any]],
    counters: tuple[str, ...],
) -> Receipt:
    return Receipt(
        kind=row["kind"],
        day=row["day"],
        partner=row["partner"],
        dpid=row["dpid"],
        target=row["target"],
        dpids=tuple(row["dpids"] or ()),
        batch=row["batch"],
        revision=row["revision"],
        run_id=document["run_id"],
        counters={name: document[name] for name in counters},
        files=tuple(
            FileLine(file["name"], {name: file[name] for name in counters if name in file}, file.get("reject_reason"))
            for file in files
        ),
        previous={name: earlier[0][name] for name in counters} if earlier else None,
        why=document["why"],
        job_start=document["job_start"].replace(tzinfo=UTC),
        job_end=document["job_end"].replace(tzinfo=UTC),
        balanced=row["balanced"],
    )
