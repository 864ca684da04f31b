"""What a message is about, read from the lake: the receipt with its files and rejected lines, or the refused files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date
from typing import Any

import duckdb

from bsync_assets.exchange.reasons import DATA_COUNTERS, SYNC_COUNTERS
from bsync_assets.mail.document import LISTED_LINES
from bsync_assets.mail.receipt import FileLine, Receipt, RejectedLine
from bsync_assets.sqlfiles import make, sql
from bsync_assets.warehouse.lake import fetch_all


def sum_up_rejected(con: duckdb.DuckDBPyConnection, day: date) -> None:
    """Make the temp tables `rejected` and `first_rejected` that `receipt_of` reads, for all receipts of the day at once."""
    make(con, "rejected", sql(__file__, "rejected.sql"), {"day": day, "listed": LISTED_LINES})
    make(con, "first_rejected", sql(__file__, "first_rejected.sql"), {"day": day})


def receipt_of(con: duckdb.DuckDBPyConnection, row: dict[str, Any]) -> Receipt:
    """The receipt that a row of `mail_outbox` is about, with its files and rejected lines, as it is mailed."""
    key = {name: row[name] for name in ("day", "partner", "batch")}
    match row["kind"]:
        case "data":
            scope = key | {"dpid": row["dpid"], "target": row["target"]}
            revisions = _revisions(con, scope, row["revision"])
            params = {("origin" if name == "day" else name): value for name, value in scope.items()}
            files = fetch_all(con, sql(__file__, "data_files.sql"), params | {"day": revisions[0]["as_of"]})
            names = tuple(c.name for c in DATA_COUNTERS)
            return _with_rejected(con, _receipt(row, revisions[0], revisions[1:], files, names), revisions[0]["as_of"])
        case "id_sync":
            names = tuple(c.name for c in SYNC_COUNTERS)
            files, *before = (
                fetch_all(con, sql(__file__, "sync_files.sql"), key | {"dpids": row["dpids"], "revision": revision})
                for revision in range(row["revision"], max(row["revision"] - 2, 0), -1)
            )
            totals = [{name: sum(file[name] for file in some) for name in names} for some in (files, *before)]
            total = max(files, key=lambda file: file["revision"]) | totals[0]
            return _with_rejected(con, _receipt(row, total, totals[1:], files, names), row["day"])
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
            FileLine(file["name"], {c: file[c] for c in counters if file.get(c) is not None}, file.get("reject_reason"))
            for file in files
        ),
        previous={name: earlier[0][name] for name in counters} if earlier else None,
        why=document["why"],
        job_start=document["job_start"].replace(tzinfo=UTC),
        job_end=document["job_end"].replace(tzinfo=UTC),
        balanced=row["balanced"],
    )


def _with_rejected(con: duckdb.DuckDBPyConnection, receipt: Receipt, as_of: date) -> Receipt:
    """The receipt with the lines that were not stored at the end of the day `as_of`."""
    order = {file.name: position for position, file in enumerate(receipt.files)}
    scope = {"partner": receipt.partner, "batch": receipt.batch, "files": list(order), "as_of": as_of}
    counts: dict[str, dict[str, int]] = {}
    for file, reason, lines in con.execute(sql(__file__, "rejected_counts.sql"), scope).fetchall():
        counts.setdefault(file, {})[reason] = lines
    if not counts:
        return receipt
    listed = con.execute(sql(__file__, "rejected_listed.sql"), scope | {"listed": LISTED_LINES}).fetchall()
    lines = sorted((RejectedLine(*line) for line in listed), key=lambda line: (order[line.file], line.number))
    files = tuple(replace(file, rejected=counts.get(file.name, {})) for file in receipt.files)
    return replace(receipt, files=files, lines=tuple(lines))
