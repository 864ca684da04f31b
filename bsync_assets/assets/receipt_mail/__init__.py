"""Stage `receipt_mail`: sends what is due, as mail and as copies next to the files.

What was sent is remembered by Message-ID, so a message goes out once.

A mail server or a place that is down delays messages, never data: what fails stays due and is tried again by a later run.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

import duckdb

from bsync_assets.assets.receipt_mail.channels import Channel, open_channels
from bsync_assets.assets.receipt_mail.documents import documents
from bsync_assets.catalog.models import Catalog
from bsync_assets.exchange.receipts import Kind
from bsync_assets.mail.receipt import Receipt, message_id
from bsync_assets.sqlfiles import sql
from bsync_assets.transport.drops import can_be_answered
from bsync_assets.warehouse.lake import append, fetch_all, transaction
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import BY_NAME

log = logging.getLogger("bsync.receipt_mail")

#: Entries written to the lake at once: a commit costs more than a message.
_ENTRIES_PER_COMMIT = 100
_FIRST_DELAY, _LONGEST_DELAY = timedelta(minutes=1), timedelta(hours=6)


@dataclass(frozen=True)
class Message:
    """The key of one document that is sent, see `mail_outbox`."""

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
    data: Sequence[dict[str, Any]],
    sync: Sequence[dict[str, Any]],
    refused: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Rows for `mail_outbox`, one for the mail and one for the copies: per new receipt, per new group of ID-sync receipts, per
    batch with refused files.

    Operations gets every message; the partner's contacts, and its folder, get what adds up (INB-120, INB-136).
    """
    files = _files(con, {row["day"] for row in (*data, *sync, *refused)})
    messages = [Message("refused", row["day"], row["partner"], row["batch"]) for row in refused]
    messages += [
        Message("data", row["day"], row["partner"], row["batch"], row["revision"], row["balanced"], row["dpid"], row["target"])
        for row in data
    ]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in sync:
        groups[row["day"], row["partner"], row["batch"], row["revision"], tuple(row["dpids"])].append(row)
    for (day, partner, batch, revision, dpids), rows in groups.items():
        balanced = all(row["balanced"] for row in rows)
        messages.append(Message("id_sync", day, partner, batch, revision, balanced, dpids[0], None, dpids))
    known = {identifier for (identifier,) in con.execute("SELECT message_id FROM lake.main.mail_outbox").fetchall()}
    rows = []
    for message in messages:
        identifier = message_id(message, catalog.settings.mail.sender, catalog.settings.account.name)
        contacts = catalog.partners[message.partner].contacts if message.balanced else ()
        recipients = list(dict.fromkeys((*catalog.settings.mail.ops, *contacts)))
        entries = {identifier: {"channel": "mail", "recipients": recipients}}
        answered = files[_about(vars(message))] if message.balanced else []
        if answered:
            entries[identifier.replace("<", "<copy.", 1)] = {"channel": "file", "recipients": answered}
        rows += [
            vars(message) | {"message_id": identifier} | entry | _entry("due", 0)
            for identifier, entry in entries.items()
            if identifier not in known
        ]
    return rows


def _files(con: duckdb.DuckDBPyConnection, days: set[date]) -> dict[tuple[Any, ...], list[str]]:
    """The keys of the files that each document is about, those next to which something can lie."""
    files: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for row in fetch_all(con, sql(__file__, "answered_files.sql"), {"days": sorted(days)}):
        if can_be_answered(row["key"]):
            files[_about(row)].append(row["key"])
    return files


def _about(row: dict[str, Any]) -> tuple[Any, ...]:
    return (*itemgetter("kind", "day", "partner", "batch", "dpid", "target")(row), tuple(row["dpids"]))


def send_due(con: duckdb.DuckDBPyConnection, catalog: Catalog, now: datetime | None = None) -> dict[str, int]:
    """Try every message that is due, also of earlier days; answers how many were sent, failed for good, and wait.

    `now` (UTC): leave alone what is to be tried later; without it all that is due is tried. After the server or a place could not
    be reached once, its rest waits: a run is not held up by more than one timeout.
    """
    counts = {"sent": 0, "failed": 0, "waiting": 0}
    due = fetch_all(con, sql(__file__, "due_messages.sql"), {"now": now})
    if not due:
        return counts
    copies = [row for row in due if row["channel"] == "file"]
    entries: list[dict[str, Any]] = []
    with open_channels(catalog, sorted({row["partner"] for row in copies}), _newest(con, copies)) as channels:
        for day, of_day in groupby(due, itemgetter("day")):
            rows = list(of_day)
            if not any(channels[row["channel"]].is_open(row) for row in rows):
                counts["waiting"] += len(rows)
                continue
            for receipt, messages in documents(con, day, rows):
                entries += _try(receipt, channels, messages, counts)
                if len(entries) >= _ENTRIES_PER_COMMIT:
                    _remember(con, entries)
                    entries = []
        _remember(con, entries)
    return counts


def _newest(con: duckdb.DuckDBPyConnection, copies: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Per message about copies: the files that nothing newer was said of."""
    rows_table(con, "due", "message_id VARCHAR, day DATE", copies)
    return dict(con.execute(sql(__file__, "newest_copies.sql")).fetchall())


def _try(
    receipt: Receipt, channels: Mapping[str, Channel], messages: Sequence[dict[str, Any]], counts: dict[str, int]
) -> list[dict[str, Any]]:
    """Send the messages about one receipt; the entries for `mail_outbox` that say what came of it."""
    tried = [row for row in messages if channels[row["channel"]].is_open(row)]
    counts["waiting"] += len(messages) - len(tried)
    entries = []
    for row in tried:
        outcome = channels[row["channel"]].send(receipt, row)
        if outcome.error:
            log.warning("%s: %s", row["message_id"], outcome.error)
        counts["waiting" if outcome.status == "due" else outcome.status] += 1
        entry = _entry(outcome.status, row["attempts"] + 1, outcome.error)
        entries.append(row | {"recipients": list(outcome.recipients)} | entry)
    return entries


def _entry(status: str, attempts: int, error: str | None = None) -> dict[str, Any]:
    now = datetime.now(UTC).replace(tzinfo=None)
    delay = min(_FIRST_DELAY * 2 ** min(attempts, 12), _LONGEST_DELAY) if attempts else timedelta(0)
    return {"status": status, "attempts": attempts, "last_error": error, "next_try": now + delay, "written_at": now}


def _remember(con: duckdb.DuckDBPyConnection, entries: Sequence[dict[str, Any]]) -> None:
    with transaction(con):
        rows_table(con, "new_rows", BY_NAME["mail_outbox"].columns, entries)
        append(con, "mail_outbox", "new_rows")
